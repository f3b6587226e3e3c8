"""RECIST axes of shapes whose axes are known."""

import numpy as np
import pytest

from db.geometry import PixelSpacing
from dicom_node.phantom.axes import hull_px, recist_axes

SPACING = PixelSpacing(row_mm=0.8, col_mm=1.15)


def ellipse(long_mm: float, short_mm: float, turn_deg: float, shape: tuple[int, int] = (60, 48)) -> np.ndarray:
    """Coverage of an ellipse in the middle of the image; 0 degrees lies along a row."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    x, y = (cols - shape[1] / 2) * SPACING.col_mm, (rows - shape[0] / 2) * SPACING.row_mm
    turn = np.deg2rad(turn_deg)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    rho = np.hypot(u / (long_mm / 2), v / (short_mm / 2))
    return np.clip((1 - rho) * short_mm / 2 / 1.5 + 0.5, 0, 1).astype(np.float32)


@pytest.mark.parametrize("turn_deg", [0, 35, 90, 140])
def test_axes_of_an_ellipse_are_its_diameters_in_mm_whatever_its_turn(turn_deg: float) -> None:
    long_axis, short_axis = recist_axes(ellipse(26, 15, turn_deg), SPACING)
    assert long_axis.length_mm(SPACING) == pytest.approx(26, abs=0.4)
    assert short_axis.length_mm(SPACING) == pytest.approx(15, abs=0.4)
    assert long_axis.angle_to_deg(short_axis, SPACING) == pytest.approx(90, abs=0.01)


def test_the_longer_axis_is_chosen_in_mm_and_not_in_pixels() -> None:
    coverage = np.zeros((40, 40), dtype=np.float32)
    coverage[10:30, 12:28] = 1  # 20 rows of 0.8 mm are 16 mm, 16 columns of 1.15 mm are 18.4 mm
    long_axis, _ = recist_axes(coverage, SPACING)
    assert long_axis.length_mm(SPACING) > np.hypot(18.4, 16) - 1.5
    along, down = (abs(getattr(long_axis.a, n) - getattr(long_axis.b, n)) for n in ("col", "row"))
    assert along * SPACING.col_mm > down * SPACING.row_mm


def test_a_lesion_of_three_pixels_is_not_measured_a_pixel_too_short() -> None:
    long_axis, _ = recist_axes(ellipse(4.0, 3.6, 0), SPACING)
    assert long_axis.length_mm(SPACING) == pytest.approx(4.0, abs=0.5)


def test_a_shape_that_fills_no_pixel_to_one_half_has_no_axes() -> None:
    assert recist_axes(np.full((9, 7), 0.4, dtype=np.float32), SPACING) is None
    assert hull_px(np.full((9, 7), 0.4, dtype=np.float32), SPACING) is None


def test_a_shape_at_the_border_of_the_image_ends_half_a_pixel_outside() -> None:
    coverage = np.zeros((12, 10), dtype=np.float32)
    coverage[:4, :3] = 1
    hull = hull_px(coverage, SPACING)
    assert hull[:, 0].min() == pytest.approx(-0.5)
    assert hull[:, 1].max() == pytest.approx(3.5)
