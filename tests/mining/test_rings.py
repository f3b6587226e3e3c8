"""Closed contours of one slice: holes, islands, pieces beside each other."""

import numpy as np
import pytest

from db.geometry import BoxPx, PixelSpacing, PointPx
from mining.drawings import Unusable
from mining.recist import axes_of_outline
from mining.region_slices import Outlined
from mining.rings import MAX_RINGS, longest_of_rings, pieces_of

SPACING = PixelSpacing(0.8, 0.5)


def kite(width: float, height: float, col: float = 40.0, row: float = 24.0) -> np.ndarray:
    return np.array([(col - width / 2, row), (col, row - height / 2), (col + width / 2, row), (col, row + height / 2)])


def measured(*rings: np.ndarray) -> tuple[float, float | None, int]:
    found = longest_of_rings(rings, SPACING)
    assert isinstance(found, Outlined)
    short = found.shape.short_axis
    return (
        found.shape.long_axis.length_mm(SPACING),
        None if short is None else short.length_mm(SPACING),
        found.others,
    )


def test_a_hole_cuts_the_chord_and_not_the_long_axis() -> None:
    """At the ends of the hole the kite is half as high as in its middle."""
    assert measured(kite(40, 20)) == pytest.approx((20.0, 16.0, 0))
    assert measured(kite(40, 20), kite(20, 10)) == pytest.approx((20.0, 8.0, 0))


def test_the_order_of_the_rings_does_not_matter() -> None:
    assert measured(kite(20, 10), kite(40, 20)) == measured(kite(40, 20), kite(20, 10))


def test_an_island_in_a_hole_belongs_to_the_region() -> None:
    """In the middle 16 mm, less the hole's 12.8 mm, with the island's 9.6 mm, which is the longest chord."""
    assert measured(kite(40, 20), kite(32, 16), kite(24, 12)) == pytest.approx((20.0, 9.6, 0))


def test_contours_beside_each_other_are_measured_one_by_one() -> None:
    assert measured(kite(20, 9, 15), kite(16, 8, 50), kite(3, 2, 50, 40)) == pytest.approx((10.0, 7.2, 1))


def test_a_contour_that_is_there_twice_is_no_hole() -> None:
    assert measured(kite(40, 20), kite(40, 20)) == pytest.approx((20.0, 16.0, 0))
    assert len(pieces_of([kite(40, 20), kite(40, 20)])[0]) == 1


def test_a_concave_contour_is_as_long_as_its_two_farthest_points() -> None:
    """A U of 30 by 20 pixels with legs of 6: the diagonal from one leg's end to the other corner."""
    u = np.array([(0, 0), (6, 0), (6, 14), (24, 14), (24, 0), (30, 0), (30, 20), (0, 20)], dtype=np.float64)
    long_mm, short_mm, _ = measured(u)
    assert long_mm == pytest.approx(np.hypot(15.0, 16.0))
    assert short_mm is not None and short_mm < 16.0


def test_the_extent_is_that_of_the_outer_ring() -> None:
    found = longest_of_rings([kite(20, 10), kite(40, 20)], SPACING)
    assert isinstance(found, Outlined)
    assert found.shape.outline == BoxPx(20.0, 14.0, 60.0, 34.0)


def test_rings_without_extent_and_too_many_rings_are_unusable() -> None:
    point = longest_of_rings([np.array([(3.0, 4.0)] * 3)], SPACING)
    many = longest_of_rings([kite(4, 2, 10.0 * n) for n in range(MAX_RINGS + 1)], SPACING)
    assert isinstance(point, Unusable) and point.reason_code == "zero_length"
    assert isinstance(many, Unusable) and many.reason_code == "too_many_contours"


@pytest.mark.parametrize("points", [300, 4_000, 100_000])
def test_a_contour_of_many_points_has_the_axes_of_its_ellipse(points: int) -> None:
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    x, y = 15.0 * np.cos(turn), 6.0 * np.sin(turn)
    ring = np.column_stack([(x * 0.8 - y * 0.6) / SPACING.col_mm, (x * 0.6 + y * 0.8) / SPACING.row_mm])
    assert measured(ring) == pytest.approx((30.0, 12.0, 0), rel=1e-3)


def test_many_corners_give_the_same_pair_as_all_pairs() -> None:
    """Of an egg with 1,000 corners, compared by brute force."""
    turn = np.linspace(0, 2 * np.pi, 1_000, endpoint=False)
    egg = np.column_stack([40 * np.cos(turn) + 4 * np.cos(2 * turn), 30 * np.sin(turn) + 3 * np.cos(3 * turn)])
    steps = egg[:, None, :] - egg[None, :, :]
    longest = np.sqrt((steps**2).sum(axis=2)).max()
    axes = axes_of_outline([PointPx(x, y) for x, y in egg.tolist()])
    assert axes is not None
    assert axes[0].length_px == pytest.approx(longest, rel=1e-12)
