"""A stack of planes places a drawing as each plane by itself would."""

from math import cos, radians, sin

import numpy as np
import pytest

from db.geometry import PixelSpacing, Plane, PointMm, PointPx
from db.measurement import ImageReference
from mining.plane_stack import PlaneStack

ANGLE = radians(20)
ALONG_ROW, ALONG_COLUMN = (1.0, 0.0, 0.0), (0.0, cos(ANGLE), sin(ANGLE))
SPACING = PixelSpacing(row_mm=0.8, col_mm=0.5)
CONTOUR = [PointPx(20.0 + 9.0 * cos(t / 20), 12.0 + 5.0 * sin(t / 20)) for t in range(120)]


def plane(number: float) -> Plane:
    """Tilted slices, 2.5 mm apart along their normal."""
    origin = PointMm(-30.0, 10.0 - 2.5 * number * sin(ANGLE), 40.0 + 2.5 * number * cos(ANGLE))
    return Plane(origin, ALONG_ROW, ALONG_COLUMN, SPACING)


def stack(*numbers: float) -> PlaneStack:
    return PlaneStack([(ImageReference(f"1.2.{place}"), plane(number)) for place, number in enumerate(numbers)])


def millimetres(number: float, points: list[PointPx]) -> np.ndarray:
    return np.array([(p.x, p.y, p.z) for p in (plane(number).to_mm(point) for point in points)])


def test_a_drawing_lies_on_the_plane_that_it_was_drawn_on() -> None:
    held = stack(0, 1, 2, 3).holding(millimetres(2, CONTOUR))
    assert held is not None and held.frame == ImageReference("1.2.2")
    assert [(p.col, p.row) for p in held.points] == [pytest.approx((p.col, p.row)) for p in CONTOUR]
    assert held.off_mm == pytest.approx(0.0, abs=1e-9)


def test_the_nearest_of_several_planes_holds_it() -> None:
    held = stack(0.12, -0.04, 0.1).holding(millimetres(0, CONTOUR))
    assert held is not None and (held.frame, held.off_mm) == (ImageReference("1.2.1"), pytest.approx(2.5 * 0.04))


def test_of_equal_planes_the_first_counts() -> None:
    held = stack(5, 1, 1).holding(millimetres(1, CONTOUR))
    assert held is not None and held.frame == ImageReference("1.2.1")


@pytest.mark.parametrize(("number", "holds"), [(1.199, True), (1.201, False)])
def test_half_a_millimetre_is_on_the_plane_and_no_more(number: float, holds: bool) -> None:
    assert (stack(0, 1, 2).holding(millimetres(number, CONTOUR)) is not None) is holds


def test_one_point_off_the_plane_is_enough_whichever_it_is() -> None:
    for out in range(len(CONTOUR)):
        points = millimetres(1, CONTOUR)
        points[out] += np.array([0.0, -sin(ANGLE), cos(ANGLE)])
        assert stack(0, 1, 2).holding(points) is None


def test_an_empty_stack_holds_nothing() -> None:
    assert len(PlaneStack()) == 0
    assert PlaneStack().holding(millimetres(0, CONTOUR)) is None
