"""Axes of outlines and masks, and the crossing of lines; on pixels that are not square."""

from math import cos, hypot, pi, sin

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.geometry import Axis, PixelSpacing, PointPx
from mining.recist import (
    axes_cross,
    axes_of_mask,
    axes_of_outline,
    axes_of_rectangle,
    ellipse_extent,
    is_recist_pair,
    ordered,
    rectangle_corners,
)

SPACING = PixelSpacing(row_mm=0.8, col_mm=0.5)


def axis(x1: float, y1: float, x2: float, y2: float) -> Axis:
    return Axis(PointPx(x1, y1), PointPx(x2, y2))


def test_the_longer_axis_is_decided_in_millimetres() -> None:
    across, down = axis(10, 10, 22, 10), axis(15, 5, 15, 15)  # 12 px and 10 px, but 6 mm and 8 mm
    assert ordered(across, down, None) == (across, down)
    assert ordered(across, down, SPACING) == (down, across)


def test_equal_axes_keep_their_order() -> None:
    a, b = axis(0, 5, 10, 5), axis(5, 0, 5, 10)
    assert ordered(a, b, None) == (a, b)


@pytest.mark.parametrize(
    ("second", "crosses", "pair"),
    [
        (axis(15, 5, 15, 15), True, True),
        (axis(20.5, 5, 20.5, 15), False, False),  # beside the first
        (axis(10.2, 5, 10.2, 15), True, False),  # through its end
        (axis(12, 9, 18, 11), True, False),  # nearly along it
        (axis(10, 12, 20, 12), False, False),  # parallel
    ],
)
def test_a_pair_crosses_near_its_middles_and_nearly_upright(second: Axis, crosses: bool, pair: bool) -> None:
    first = axis(10, 10, 20, 10)
    assert axes_cross(first, second) is crosses
    assert is_recist_pair(first, second, SPACING) is pair


def test_axes_may_miss_each_other_by_a_slip_along_either() -> None:
    first = axis(10, 10, 20, 10)
    stops_short, beside = axis(15, 11, 15, 19), axis(20.9, 5, 20.9, 15)
    for second in (stops_short, beside):
        assert not axes_cross(first, second) and not axes_cross(first, second, slip_px=0.8)
        assert axes_cross(first, second, slip_px=1.0) and axes_cross(second, first, slip_px=1.0)
    assert not axes_cross(first, axis(10, 10.2, 20, 10.2), slip_px=1.0), "parallel"


def ellipse(a_mm: float, b_mm: float, turn: float, n: int = 360) -> list[PointPx]:
    """The outline of an ellipse in the patient, with half axes a > b."""
    angles = [2 * pi * k / n for k in range(n)]
    return [
        PointPx(
            30 + (a_mm * cos(t) * cos(turn) - b_mm * sin(t) * sin(turn)) / SPACING.col_mm,
            40 + (a_mm * cos(t) * sin(turn) + b_mm * sin(t) * cos(turn)) / SPACING.row_mm,
        )
        for t in angles
    ]


@pytest.mark.parametrize("turn", [0.0, 0.4, 1.2, pi / 2, 2.5])
def test_the_axes_of_an_ellipse_in_the_patient_are_its_own(turn: float) -> None:
    axes = axes_of_outline(ellipse(9.0, 4.0, turn), SPACING)
    assert axes is not None and axes[1] is not None
    long_axis, short_axis = axes
    assert long_axis.length_mm(SPACING) == pytest.approx(18.0, rel=1e-3)
    assert short_axis.length_mm(SPACING) == pytest.approx(8.0, rel=2e-3)
    assert long_axis.angle_to_deg(short_axis, SPACING) == pytest.approx(90.0, abs=0.01)


def test_the_short_axis_of_a_bent_region_stays_inside_it() -> None:
    """A U, 3 px thick: a line across both arms and the gap between them is not inside."""
    u = [(0, 0), (3, 0), (3, 20), (17, 20), (17, 0), (20, 0), (20, 23), (0, 23)]
    axes = axes_of_outline([PointPx(x, y) for x, y in u])
    assert axes is not None and axes[1] is not None
    assert axes[0].length_px == pytest.approx(hypot(20, 23))
    assert axes[1].length_px < 15


@pytest.mark.parametrize("outline", [[], [PointPx(1, 2)], [PointPx(1, 2)] * 5])
def test_an_outline_without_extent_has_no_axes(outline: list[PointPx]) -> None:
    assert axes_of_outline(outline, SPACING) is None


def test_a_flat_outline_has_a_long_axis_alone() -> None:
    axes = axes_of_outline([PointPx(0, 0), PointPx(4, 0), PointPx(9, 0)], SPACING)
    assert axes == (axis(0, 0, 9, 0), None)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 500, allow_nan=False), st.floats(0, 400, allow_nan=False)), min_size=3, max_size=40)
)
def test_no_two_points_of_an_outline_lie_farther_apart_than_its_long_axis(points: list[tuple[float, float]]) -> None:
    outline = [PointPx(x, y) for x, y in points]
    axes = axes_of_outline(outline, SPACING)
    longest = max(Axis(a, b).length_mm(SPACING) for a in outline for b in outline)
    assert (axes[0].length_mm(SPACING) if axes else 0.0) == pytest.approx(longest, rel=1e-6, abs=1e-6)


def test_a_contour_of_thousands_of_points_has_the_same_axes() -> None:
    axes = axes_of_outline(ellipse(9.0, 4.0, 0.4, n=5000), SPACING)
    assert axes is not None and axes[1] is not None
    assert axes[0].length_mm(SPACING) == pytest.approx(18.0, rel=1e-4)
    assert axes[1].length_mm(SPACING) == pytest.approx(8.0, rel=1e-3)


def test_the_axes_of_a_mask_reach_the_edges_of_its_pixels() -> None:
    rows, cols = np.mgrid[0:80, 0:60]
    mask = ((cols - 30) * SPACING.col_mm / 4.0) ** 2 + ((rows - 40) * SPACING.row_mm / 9.0) ** 2 <= 1
    axes = axes_of_mask(mask, SPACING)
    assert axes is not None and axes[1] is not None
    assert axes[0].length_mm(SPACING) == pytest.approx(18.0, abs=0.8)
    assert axes[1].length_mm(SPACING) == pytest.approx(8.0, abs=0.5)
    assert axes[0].middle.distance_px(PointPx(30, 40)) < 0.6


def test_one_pixel_is_one_pixel_long_and_none_has_no_axes() -> None:
    mask = np.zeros((5, 9), dtype=bool)
    assert axes_of_mask(mask, SPACING) is None
    mask[2, 6] = True
    axes = axes_of_mask(mask, SPACING)
    assert axes is not None
    assert axes[0].length_mm(SPACING) == pytest.approx(0.8)  # between rows; it is 0.5 mm between columns


def test_a_rectangle_is_measured_from_side_to_side() -> None:
    corners = (PointPx(10, 10), PointPx(22, 10), PointPx(22, 20), PointPx(10, 20))
    long_axis, short_axis = axes_of_rectangle(corners, SPACING)
    assert long_axis.length_mm(SPACING) == pytest.approx(8.0)
    assert short_axis.length_mm(SPACING) == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("points", "is_rectangle"),
    [
        ([(1, 1), (9, 1), (9, 5), (1, 5), (1, 1)], True),
        ([(1, 1), (9, 1), (9, 5), (1, 5)], True),
        ([(1, 1), (9, 1), (1, 5), (9, 5)], True),  # row by row
        ([(5, 0), (10, 5), (5, 10), (0, 5)], True),  # turned by 45 degrees
        ([(0, 0), (10, 0), (13, 5), (3, 5)], False),
        ([(1, 1), (1, 1), (9, 5), (9, 5)], False),
        ([(1, 1), (9, 1), (9, 5)], False),
        ([(1, 1), (9, 1), (9, 5), (1, 5), (3, 3)], False),
    ],
)
def test_a_rectangle_is_known_in_any_order_and_turned(points: list[tuple[float, float]], is_rectangle: bool) -> None:
    assert (rectangle_corners([PointPx(*point) for point in points]) is not None) is is_rectangle


def test_the_extent_of_a_turned_ellipse_is_that_of_its_outline() -> None:
    box = ellipse_extent(axis(0, 0, 8, 8), axis(6, 2, 2, 6))
    half = hypot(4, 2)
    assert (box.x1, box.y1, box.x2, box.y2) == pytest.approx((4 - half, 4 - half, 4 + half, 4 + half))
