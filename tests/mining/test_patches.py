import numpy as np
import pytest

from db.geometry import Axis, PixelSpacing, PointPx
from mining.patches import (
    PATCH_MM,
    PATCH_PX,
    STEP_MM,
    WINDOWS_HU,
    crop_mm,
    grey_windows,
    lesion_centre,
    lesion_patch,
    offsets_mm,
)
from mining.pixels import AIR_HU

SPACING = PixelSpacing(row_mm=1.2, col_mm=0.8)


def ramp(rows: int = 150, columns: int = 210) -> np.ndarray:
    """HU that tell the place: 2 for each millimetre down, 1 for each millimetre to the right, above -500."""
    row, col = np.mgrid[:rows, :columns]
    return np.rint(-500 + 2 * row * SPACING.row_mm + col * SPACING.col_mm).astype(np.int16)


def axis(x1: float, y1: float, x2: float, y2: float) -> Axis:
    return Axis(PointPx(x1, y1), PointPx(x2, y2))


def test_a_crop_is_ninety_six_millimetres_whatever_the_spacing() -> None:
    centre = PointPx(col=100.0, row=70.0)
    patch = crop_mm(ramp(), SPACING, centre)
    offsets = offsets_mm()
    middle = -500 + 2 * 70 * 1.2 + 100 * 0.8
    assert patch.shape == (PATCH_PX, PATCH_PX)
    assert np.allclose(patch, middle + 2 * offsets[:, None] + offsets[None, :], atol=1.5)
    assert offsets[-1] - offsets[0] + STEP_MM == PATCH_MM
    assert offsets.sum() == pytest.approx(0.0)


def test_beyond_the_border_there_is_air() -> None:
    patch = crop_mm(ramp(), SPACING, PointPx(col=0.0, row=0.0))
    inside = offsets_mm() >= 0
    assert (patch[~inside] == AIR_HU).all()
    assert (patch[:, ~inside] == AIR_HU).all()
    assert (patch[np.ix_(inside, inside)] >= -500).all()


def test_a_centre_far_outside_gives_air_alone() -> None:
    for centre in (PointPx(-500.0, 20.0), PointPx(20.0, 900.0)):
        assert (crop_mm(ramp(), SPACING, centre) == AIR_HU).all()


def test_a_fine_image_is_smoothed_before_it_is_made_coarser() -> None:
    stripes = np.where(np.arange(900)[None, :] % 2, 100, -100).astype(np.int16).repeat(900, axis=0)
    patch = crop_mm(stripes, PixelSpacing(0.15, 0.15), PointPx(450.0, 450.0))
    assert np.abs(patch).max() <= 5


def test_the_middle_of_all_axis_ends_is_the_centre() -> None:
    assert lesion_centre(axis(10, 20, 30, 20), axis(20, 18, 20, 30)) == PointPx(20.0, 24.0)
    assert lesion_centre(axis(10, 20, 30, 24), None) == PointPx(20.0, 22.0)


@pytest.mark.parametrize(("half_col", "half_row"), [(20.0, 0.0), (0.0, 14.0), (11.0, 9.0)])
def test_the_inside_is_the_ellipse_of_the_axes_in_the_patient(half_col: float, half_row: float) -> None:
    """An axis in any direction; the short one is perpendicular in mm and half as long: area = pi a b."""
    long_axis = axis(100 - half_col, 70 - half_row, 100 + half_col, 70 + half_row)
    u, v = half_col * SPACING.col_mm, half_row * SPACING.row_mm
    short_axis = axis(
        100 + v / 2 / SPACING.col_mm,
        70 - u / 2 / SPACING.row_mm,
        100 - v / 2 / SPACING.col_mm,
        70 + u / 2 / SPACING.row_mm,
    )
    patch = lesion_patch(ramp(), SPACING, long_axis, short_axis)
    half_long_mm = long_axis.length_mm(SPACING) / 2
    assert patch.short_axis_mm == pytest.approx(patch.long_axis_mm / 2)
    assert patch.inside.sum() * STEP_MM**2 == pytest.approx(np.pi * half_long_mm * half_long_mm / 2, rel=0.05)
    for sign in (-0.95, 0.95):  # just inside both ends of the long axis
        row, col = (round(PATCH_PX / 2 - 0.5 + sign * part / STEP_MM) for part in (v, u))
        assert patch.inside[row, col]


def test_the_ring_lies_outside_and_is_six_millimetres_wide() -> None:
    patch = lesion_patch(ramp(), SPACING, axis(75, 70, 125, 70), axis(100, 70 - 50 / 3, 100, 70 + 50 / 3))  # r = 20 mm
    assert not (patch.ring & patch.inside).any()
    assert patch.ring.sum() * STEP_MM**2 == pytest.approx(np.pi * (28**2 - 22**2), rel=0.05)


def test_a_line_alone_makes_an_ellipse_of_three_quarters() -> None:
    patch = lesion_patch(ramp(), SPACING, axis(75, 70, 125, 70), None)
    assert patch.short_axis_mm is None
    assert patch.inside.sum() * STEP_MM**2 == pytest.approx(np.pi * 20 * 15, rel=0.05)


def test_a_lesion_smaller_than_a_pixel_has_one_pixel() -> None:
    patch = lesion_patch(ramp(), SPACING, axis(100, 70, 100.1, 70), None)
    assert patch.inside.sum() >= 1
    assert patch.ring.any()


def test_three_windows_from_nought_to_one() -> None:
    hu = np.array([[-2000, -175, 50, 1425]], np.int16)
    channels = grey_windows(hu)
    assert channels.shape == (3, 1, 4)
    assert channels.dtype == np.float32
    assert channels[0, 0].tolist() == pytest.approx([0, 0, 0.5, 1], abs=0.003)
    assert channels[1, 0, 2] == pytest.approx((50 - WINDOWS_HU[1][0]) / 2000, abs=0.003)
    assert channels[2, 0, 3] == 1.0
