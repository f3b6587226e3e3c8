"""A lesion's mask and axes against balls whose extent is known, on pixels of unequal size."""

import numpy as np
import numpy.typing as npt
import pytest

from db.geometry import BoxPx, PixelSpacing
from detector.merge import SliceBox, Track
from detector.segment import SegmentSettings, lesion_on_slice, outline

SHAPE = (11, 72, 90)
MIDDLE = (5.0, 33.0, 41.0)


def ellipsoid(reach: tuple[float, float, float]) -> npt.NDArray[np.bool_]:
    z, row, col = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    parts = zip((z, row, col), MIDDLE, reach, strict=True)
    return np.asarray(sum(((at - middle) / half) ** 2 for at, middle, half in parts) <= 1.0)


def volume_with(lesion: npt.NDArray[np.bool_], contrast: int, noise: float = 12.0) -> npt.NDArray[np.int16]:
    hu = np.random.default_rng(7).normal(60, noise, SHAPE) + contrast * lesion
    return hu.round().astype(np.int16)


def track_around(lesion: npt.NDArray[np.bool_]) -> Track:
    """The true boxes with their 5 px, the best score in the middle."""
    boxes = []
    for z in np.flatnonzero(lesion.any(axis=(1, 2))):
        rows, cols = (np.flatnonzero(lesion[z].any(axis=axis)) for axis in (1, 0))
        box = BoxPx(cols[0] - 5.0, rows[0] - 5.0, cols[-1] + 5.0, rows[-1] + 5.0)
        boxes.append(SliceBox(int(z), box, 0.9 - 0.1 * abs(z - MIDDLE[0]), 1))
    return Track(tuple(boxes), 0.9)


@pytest.mark.parametrize("contrast", [70, -60])
def test_mask_and_axes_are_those_of_the_lesion(contrast: int) -> None:
    lesion, spacing = ellipsoid((3.0, 9.0, 4.5)), PixelSpacing(0.8, 1.3)
    found = outline(volume_with(lesion, contrast), track_around(lesion), spacing, SegmentSettings())
    assert found.long_axis.length_mm(spacing) == pytest.approx(18 * 0.8, abs=1.7)
    assert found.short_axis.length_mm(spacing) == pytest.approx(9 * 1.3, abs=2.0)
    whole = np.zeros(SHAPE, np.bool_)
    mask = found.mask
    depth, height, width = mask.voxels.shape
    whole[mask.z : mask.z + depth, mask.row : mask.row + height, mask.col : mask.col + width] = mask.voxels
    assert 2 * (whole & lesion).sum() / (whole.sum() + lesion.sum()) > 0.85  # Dice


def test_the_long_axis_is_the_longer_one_in_the_patient_and_not_in_pixels() -> None:
    lesion, spacing = ellipsoid((3.0, 10.0, 7.0)), PixelSpacing(0.6, 1.4)  # 12 mm upright, 19.6 mm across
    found = outline(volume_with(lesion, 80), track_around(lesion), spacing, SegmentSettings())
    long_axis = found.long_axis
    assert abs(long_axis.b.col - long_axis.a.col) > abs(long_axis.b.row - long_axis.a.row)
    assert long_axis.length_mm(spacing) >= found.short_axis.length_mm(spacing)


def test_without_a_border_the_mask_is_the_ellipse_in_the_box() -> None:
    nothing = volume_with(ellipsoid((3, 9, 4)), 0, noise=1.0)
    flags = lesion_on_slice(nothing[5], BoxPx(30, 20, 52, 48), SegmentSettings())
    rows, cols = np.flatnonzero(flags.any(axis=1)), np.flatnonzero(flags.any(axis=0))
    assert (rows[0], rows[-1], cols[0], cols[-1]) == (25, 43, 35, 47)  # 5 px inside the box
    assert flags[34, 41]


def test_a_box_beyond_the_edge_gives_a_mask_in_the_image() -> None:
    track = Track((SliceBox(0, BoxPx(-6, -4, 9, 12), 0.5, 1),), 0.5)
    found = outline(volume_with(ellipsoid((3, 9, 4)), 50), track, PixelSpacing(0.8, 1.3), SegmentSettings())
    assert found.mask.voxels.any() and found.mask.row >= 0 and found.mask.col >= 0
    assert found.short_axis.length_mm(PixelSpacing(0.8, 1.3)) > 0


def test_a_box_of_no_size_still_has_a_pixel_and_two_axes() -> None:
    track = Track((SliceBox(2, BoxPx(20, 30, 20, 30), 0.5, 1),), 0.5)
    found = outline(volume_with(ellipsoid((3, 9, 4)), 50), track, PixelSpacing(0.8, 1.3), SegmentSettings())
    assert found.mask.voxels.sum() >= 1 and found.long_axis.length_px >= found.short_axis.length_px
