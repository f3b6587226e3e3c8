"""The masks of our detections, as a reader of masks would measure them."""

import numpy as np
import pytest
from builders import SERIES, ct_series

from db.detection import Mask
from db.geometry import PixelSpacing, Plane, PointMm
from db.measurement import ImageReference
from mining.own_masks import regions_of_mask, slices_between

SPACING = PixelSpacing(0.8, 0.5)


def slices(count: int = 4) -> list[tuple[ImageReference, Plane]]:
    found = []
    for image in ct_series(count):
        cosines = [float(value) for value in image.ImageOrientationPatient]
        origin = PointMm(*(float(value) for value in image.ImagePositionPatient))
        plane = Plane(origin, (cosines[0], cosines[1], cosines[2]), (cosines[3], cosines[4], cosines[5]), SPACING)
        found.append((ImageReference(str(image.SOPInstanceUID)), plane))
    return found


def mask() -> Mask:
    """On three slices, cropped: bars of 7, 9 and 9 columns, of 3 rows; the last has a second piece."""
    voxels = np.zeros((3, 9, 14), np.bool_)
    for place, width in enumerate((7, 9, 9)):
        voxels[place, 2:5, 1 : 1 + width] = True
    voxels[2, 7, 12] = True
    return Mask(1, 20, 30, voxels)


def test_each_slice_is_measured_where_it_lies_on_the_image() -> None:
    first, second, third = regions_of_mask(mask(), slices()[1:])
    assert [one.image for one in (first, second, third)] == [ImageReference(f"{SERIES}.{n}") for n in (2, 3, 4)]
    assert (first.outline.x1, first.outline.x2, first.outline.y1, first.outline.y2) == (30.5, 37.5, 21.5, 24.5)
    assert (second.outline.x1, second.outline.x2) == (30.5, 39.5)
    assert third.outline == second.outline, "the other piece is no part of the lesion"


def test_the_longest_slices_are_known_and_of_equal_ones_all() -> None:
    assert [one.longest for one in regions_of_mask(mask(), slices()[1:])] == [False, True, True]


def test_a_slice_without_a_pixel_gives_no_region() -> None:
    empty = mask()
    empty.voxels[1] = False
    assert [one.image for one in regions_of_mask(empty, slices()[1:])] == [
        ImageReference(f"{SERIES}.{n}") for n in (2, 4)
    ]


def test_the_slices_of_a_mask_are_found_by_their_positions() -> None:
    stack = slices()
    positions = [plane.position_mm for _, plane in stack]
    assert slices_between(stack, positions[1], positions[3], 3) == stack[1:]
    assert slices_between(stack, positions[1] + 0.005, positions[3] - 0.005, 3) == stack[1:]


@pytest.mark.parametrize(
    ("first", "last", "count"),
    [(None, 1.0, 3), (1.0, None, 3), (-1e6, 1e6, 3), (1e6, 1e6, 1)],
    ids=["no first", "no last", "a slice has come since", "none there"],
)
def test_a_mask_of_a_series_that_has_changed_is_not_known(first: float | None, last: float | None, count: int) -> None:
    assert slices_between(slices(), first, last, count) is None
