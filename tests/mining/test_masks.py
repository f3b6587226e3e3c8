"""Masks: the longest piece, its axes between the pixels' edges, noise."""

import numpy as np
import pytest
from builders_regions import plus

from db.geometry import Axis, PixelSpacing, PointPx
from mining.masks import MAX_PIECES, longest_piece, outer_edges
from mining.recist import axes_of_mask
from mining.region_slices import SHARP, longest_possible

SPACING = PixelSpacing(0.8, 0.5)
SCALE = (SPACING.col_mm, SPACING.row_mm)


def ellipse(a_mm: float, b_mm: float, turn: float, rows: int = 80, columns: int = 120) -> np.ndarray:
    """Pixels whose centre lies in an ellipse with these half axes, turned in the patient."""
    row, col = np.mgrid[0:rows, 0:columns]
    x, y = (col - 60) * SPACING.col_mm, (row - 40) * SPACING.row_mm
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    mask: np.ndarray = (along / a_mm) ** 2 + (across / b_mm) ** 2 <= 1
    return mask


def test_axes_lie_between_the_edges_of_the_pixels() -> None:
    piece = longest_piece(plus(21, 9), SPACING)
    assert piece is not None
    assert piece.long_axis == Axis(PointPx(21.5, 24.0), PointPx(42.5, 24.0))
    assert piece.short_axis is not None
    assert (piece.long_axis.length_mm(SPACING), piece.short_axis.length_mm(SPACING)) == pytest.approx((10.5, 7.2))
    assert piece.others == 0
    assert (piece.edges.min(axis=0).tolist(), piece.edges.max(axis=0).tolist()) == ([21.5, 19.5], [42.5, 28.5])


def test_millimetres_decide_which_bar_is_the_long_axis() -> None:
    """11 rows of 0.8 mm are longer than 15 columns of 0.5 mm, and shorter in pixels."""
    by_mm, by_px = longest_piece(plus(15, 11), SPACING), longest_piece(plus(15, 11), None)
    assert by_mm is not None and by_px is not None
    assert by_mm.long_axis.length_px == pytest.approx(11)
    assert by_px.long_axis.length_px == pytest.approx(15)


@pytest.mark.parametrize("turn", [0.0, 0.5, 1.2, 2.4])
def test_an_ellipse_on_pixels_that_are_not_square(turn: float) -> None:
    piece = longest_piece(ellipse(14.0, 8.0, turn), SPACING)
    assert piece is not None and piece.short_axis is not None
    assert piece.long_axis.length_mm(SPACING) == pytest.approx(28.0, abs=0.9)
    assert piece.short_axis.length_mm(SPACING) == pytest.approx(16.0, abs=0.9)
    assert piece.long_axis.middle.distance_px(PointPx(60, 40)) < 1


def test_a_result_of_ours_that_comes_back_as_a_mask_has_its_own_points() -> None:
    """The node measures its masks by the same function, so a copy under other UIDs is known by its axes."""
    mask = ellipse(14.0, 8.0, 0.7)
    whole, piece = axes_of_mask(mask, SPACING), longest_piece(mask, SPACING)
    assert whole is not None and whole[1] is not None and piece is not None and piece.short_axis is not None
    for ours, theirs in ((whole[0], piece.long_axis), (whole[1], piece.short_axis)):
        assert max(a.distance_px(b) for a, b in zip(ours.points, theirs.points, strict=True)) < 1e-6


def test_two_lesions_in_one_mask_have_no_common_diameter() -> None:
    mask = plus(21, 9, (16, 10)) | plus(17, 9, (50, 38)) | plus(3, 3, (50, 10))
    piece = longest_piece(mask, SPACING)
    assert piece is not None
    assert piece.long_axis.length_mm(SPACING) == pytest.approx(10.5)
    assert piece.others == 1  # the splinter of 3 pixels is none


def test_pixels_that_share_a_corner_are_one_piece() -> None:
    mask = np.zeros((10, 14), np.bool_)
    mask[np.arange(6), np.arange(6)] = True
    piece = longest_piece(mask, None)
    assert piece is not None
    assert piece.long_axis.length_px == pytest.approx(np.hypot(5, 6))
    assert piece.others == 0


def test_neither_an_empty_mask_nor_noise_has_a_piece() -> None:
    assert longest_piece(np.zeros((7, 9), np.bool_), SPACING) is None
    points = np.zeros((100, 130), np.bool_)
    points[::2, ::2] = True
    assert np.count_nonzero(points) > MAX_PIECES
    assert longest_piece(points, SPACING) is None


@pytest.mark.parametrize("seed", range(20))
def test_no_axis_is_longer_than_what_a_slice_is_said_to_be_at_most(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = ellipse(*rng.uniform(2, 15, 2), rng.uniform(0, 3)) & (rng.random((80, 120)) > 0.2)
    axes = axes_of_mask(mask, SPACING)
    assert axes is not None
    possible = longest_possible(outer_edges(mask) * SCALE)
    long_mm = axes[0].length_mm(SPACING)
    assert long_mm * (1 - 1e-9) <= possible <= long_mm * SHARP * (1 + 1e-9)
