"""Volumes as the network sees them; boxes there and back."""

import numpy as np
import pytest

from db.geometry import BoxPx, PixelSpacing
from detector.prepare import Crop, Frame, InputSettings, Scan, neighbours, prepare_scan, three_slices, whole, windowed


def test_neighbours_are_weighted_for_each_slice_by_its_own_position() -> None:
    positions = np.array([0.0, 5.0, 6.0, 11.0])
    assert neighbours(positions, 0, 2.0) == (0, 1, pytest.approx(0.4))
    assert neighbours(positions, 1, 2.0) == (2, 3, pytest.approx(0.2))
    assert neighbours(positions, 2, -2.0) == (0, 1, pytest.approx(0.8))


def test_beyond_the_ends_the_last_slice_is_repeated() -> None:
    positions = np.array([0.0, 5.0])
    assert neighbours(positions, 0, -2.0) == (0, 0, 0.0)
    assert neighbours(positions, 1, 2.0) == (1, 1, 0.0)


def test_a_box_survives_the_way_into_the_network_and_back() -> None:
    frame = Frame(first_row=7, first_col=13, row_scale=1.7, col_scale=0.6)
    box = BoxPx(20.0, 31.5, 28.25, 44.0)
    back = frame.to_native(frame.to_network(box))
    assert (back.x1, back.y1, back.x2, back.y2) == pytest.approx((20.0, 31.5, 28.25, 44.0))


def test_a_scan_is_cut_to_the_body_and_has_the_wanted_pixel_size() -> None:
    voxels = np.full((4, 60, 90), -1000, np.int16)
    voxels[:, 10:50, 20:80] = 40
    scan = prepare_scan(voxels, np.arange(4) * 3.0, PixelSpacing(1.6, 0.8), InputSettings(pixel_mm=0.8))
    assert scan.voxels.shape == (4, 80, 60)  # 40 rows of 1.6 mm, 60 columns of 0.8 mm
    assert (scan.frame.first_row, scan.frame.first_col) == (10, 20)
    assert scan.voxels[2].min() == 40


def test_a_crop_beyond_the_image_shows_air() -> None:
    scan = Scan(np.full((3, 5, 8), 30, np.int16), np.arange(3) * 2.0, Frame(0, 0, 1, 1))
    hu = three_slices(scan, 1, Crop(-2, 3, 6, 9), InputSettings())
    assert hu.shape == (3, 6, 9)
    assert (hu[:, :2] == -1024).all() and (hu[:, 2:, 5:] == -1024).all() and (hu[:, 2:, :5] == 30).all()
    assert whole(scan).height == 32


def test_each_window_becomes_three_channels() -> None:
    import torch

    inputs = InputSettings(windows_hu=((0.0, 100.0), (-1000.0, 1000.0)))
    shown = windowed(torch.full((3, 2, 4), 50.0), inputs)
    assert shown.shape == (inputs.channels, 2, 4)
    assert shown[0, 0, 0].item() == 0.5 and shown[3, 0, 0].item() == pytest.approx(0.525)
