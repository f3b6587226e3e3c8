"""Which image a slice lies on, and which slice of a region is measured."""

from dataclasses import dataclass

import numpy as np
import pytest
from builders import FRAME_OF_REFERENCE, OBLIQUE, SERIES, ct_series
from builders_regions import on_slice
from held_images import HeldImages

from db.geometry import Axis, PointPx
from db.measurement import ImageReference
from mining.drawings import Shape, Unusable
from mining.plane_stack import PlaneStack
from mining.region_slices import (
    BOUND_EFFORT,
    MOST_EFFORT,
    Effort,
    OnImage,
    Outlined,
    Region,
    longest_slice,
    plane_holding,
    to_mm,
    to_px,
)

CT = ct_series()
"""Three oblique slices, 2.5 mm apart."""
IMAGES = HeldImages(CT)
STACK = IMAGES.in_frame_of_reference(FRAME_OF_REFERENCE)
NORMAL = np.cross(OBLIQUE[:3], OBLIQUE[3:])
SQUARE = [(10.0, 10.0), (30.0, 10.0), (30.0, 40.0), (10.0, 40.0)]


def held(off_mm: float, slice_number: int = 2, normal: np.ndarray | None = NORMAL) -> str:
    """The number of the image that a square lies on which was drawn so far beside a slice, or why on none."""
    points = np.array(on_slice(CT[slice_number - 1], SQUARE, off_mm))
    found = plane_holding(points, normal, [STACK], IMAGES)
    return found.reason_code if isinstance(found, Unusable) else found[0].sop_instance_uid.removeprefix(f"{SERIES}.")


@pytest.mark.parametrize(
    ("off_mm", "image"),
    [(0.0, "2"), (0.4, "2"), (-0.4, "2"), (0.9, "2"), (1.2, "2"), (1.3, "3"), (-1.2, "2"), (-1.3, "1"), (2.4, "3")],
)
def test_a_slice_between_two_images_lies_on_the_nearer_one(off_mm: float, image: str) -> None:
    assert held(off_mm) == image


@pytest.mark.parametrize(("slice_number", "off_mm"), [(1, -0.6), (3, 0.6), (3, 2.0), (1, -40.0)])
def test_a_slice_beyond_the_last_image_lies_on_none(slice_number: int, off_mm: float) -> None:
    assert held(off_mm, slice_number) == "off_plane"


def test_without_a_normal_only_a_plane_itself_counts() -> None:
    assert held(0.4, normal=None) == "2"
    assert held(0.9, normal=None) == "off_plane"


def test_images_far_apart_hold_only_what_is_drawn_on_them() -> None:
    far = HeldImages(ct_series(step_mm=12.0))
    stack = far.in_frame_of_reference(FRAME_OF_REFERENCE)
    points = np.array(on_slice(CT[0], SQUARE, 3.0))
    assert isinstance(plane_holding(points, NORMAL, [stack], far), Unusable)


def test_a_tilted_slice_lies_on_no_image_however_small_it_is() -> None:
    """0.4 mm wide, so no point is far from the plane."""
    along, upright = np.array(OBLIQUE[:3]), NORMAL
    middle = np.array(on_slice(CT[1], [(20.0, 20.0)]))
    points = middle + 0.2 * np.array([along + upright, -along - upright])
    normal = (along - upright) / np.sqrt(2)
    found = plane_holding(points, normal, [STACK], IMAGES)
    assert isinstance(found, Unusable) and found.reason_code == "off_plane"


def test_the_first_stack_that_holds_a_slice_counts() -> None:
    points = np.array(on_slice(CT[1], SQUARE, 0.3))
    other = HeldImages(ct_series(series_uid=f"{SERIES}.8"))
    both = HeldImages([*CT, *ct_series(series_uid=f"{SERIES}.8")])
    named = other.in_frame_of_reference(FRAME_OF_REFERENCE)
    found = plane_holding(points, NORMAL, [named, STACK], both)
    assert not isinstance(found, Unusable)
    assert found[0] == ImageReference(f"{SERIES}.8.2")


def test_without_any_image_there_is_no_plane() -> None:
    found = plane_holding(np.zeros((1, 3)), None, [PlaneStack()], IMAGES)
    assert isinstance(found, Unusable) and found.reason_code == "no_plane"


def test_pixels_go_to_the_patient_and_back() -> None:
    known = IMAGES.find(ImageReference(f"{SERIES}.2"))
    assert known is not None and known.plane is not None
    px = np.array(SQUARE)
    mm = to_mm(known.plane, px)
    assert mm == pytest.approx(np.array(on_slice(CT[1], SQUARE)), abs=1e-4)
    assert to_px(known.plane, mm) == pytest.approx(px, abs=1e-4)  # the cosines have 7 digits
    assert to_px(known.plane, mm + 3 * NORMAL) == pytest.approx(px, abs=1e-4)


@dataclass(frozen=True)
class Fake:
    """A slice whose axis is this long, or that is unusable."""

    long: float
    possible: float
    fails: str = ""
    effort: int = 1

    def place(self) -> OnImage | Unusable:
        return Unusable(self.fails, "") if self.fails else OnImage(ImageReference(f"1.{self.long:g}"), None)

    def outline(self, on: OnImage) -> Outlined | Unusable:
        return Outlined(Shape(Axis(PointPx(0, 0), PointPx(self.long, 0))))


def chosen(*slices: Fake, effort: int = MOST_EFFORT) -> float | str:
    found = longest_slice(slices, Effort(effort))
    return found.outlined.shape.long_axis.length_px if isinstance(found, Region) else found.reason_code


def test_the_longest_slice_is_found_behind_one_that_could_have_been_longer() -> None:
    assert chosen(Fake(3, 12), Fake(9, 10), Fake(7, 8), Fake(2, 2.5)) == 9


def test_a_slice_on_no_image_gives_way_and_its_reason_counts_if_there_is_no_other() -> None:
    assert chosen(Fake(9, 10, "off_plane"), Fake(7, 8)) == 7
    assert chosen(Fake(9, 10, "off_plane"), Fake(7, 8, "other_grid")) == "off_plane"
    assert chosen() == "empty_region"


def test_an_image_that_has_not_arrived_ends_the_search() -> None:
    assert chosen(Fake(9, 10, "no_plane"), Fake(7, 8)) == "no_plane"
    assert chosen(Fake(9, 10), Fake(7, 8, "no_plane")) == 9


def test_the_work_on_one_object_is_bounded() -> None:
    assert chosen(Fake(3, 12, effort=MOST_EFFORT), Fake(9, 10)) == 3
    assert chosen(Fake(3, 12, effort=MOST_EFFORT - 2 * BOUND_EFFORT - 1), Fake(9, 10)) == 9
    assert chosen(Fake(9, 10), effort=0) == "too_much_work"
