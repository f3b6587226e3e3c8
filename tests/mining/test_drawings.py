"""One graphic as a shape, as viewers leave it."""

import pytest

from db.geometry import Axis, PointPx
from mining.drawings import Shape, Unusable, shape_of

A, B = PointPx(10.0, 10.0), PointPx(22.0, 19.0)


@pytest.mark.parametrize("points", [(A, B), (A, B, B), (A, A, B), (A, A, B, B, B)])
def test_a_line_whose_ends_were_clicked_twice_is_a_line(points: tuple[PointPx, ...]) -> None:
    assert shape_of("POLYLINE", points, None) == Shape(Axis(A, B))


def test_a_rectangle_whose_corner_was_clicked_twice_is_one() -> None:
    corners = [PointPx(10.0, 10.0), PointPx(20.0, 10.0), PointPx(20.0, 16.0), PointPx(20.0, 16.0), PointPx(10.0, 16.0)]
    shape = shape_of("POLYLINE", corners, None)
    assert isinstance(shape, Shape) and shape.outline is not None
    assert (shape.long_axis.length_px, shape.short_axis and shape.short_axis.length_px) == (10.0, 6.0)


@pytest.mark.parametrize("points", [(A, A), (A, A, A)])
def test_one_place_is_no_line(points: tuple[PointPx, ...]) -> None:
    shape = shape_of("POLYLINE", points, None)
    assert isinstance(shape, Unusable) and shape.reason_code == "zero_length"
