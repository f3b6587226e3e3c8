"""SCOORD and SCOORD3D items as drawings, or places that were pointed at, on one image. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from db.geometry import PixelSpacing, PointPx
from db.measurement import ImageReference, Measurement
from mining.content_tree import ContentItem
from mining.drawings import Shape, Unusable, shape_of
from mining.elements import numbers_of, text_of
from mining.known_images import KnownImages
from mining.plane_stack import SAME_MM
from mining.readers.sr_concepts import ANGLES, GENERAL_ROLES, REFERENCE_GEOMETRY, REFERENCE_POINTS
from mining.readers.sr_context import Surroundings, role_of_number, unit_of_number
from mining.readers.sr_images import NamedImages

MAX_POINTS = 100_000
"""The longest contour seen has a few thousand."""


COORDINATES = ("SCOORD", "SCOORD3D")
POINTS = ("POINT", "MULTIPOINT")

_ARROW = re.compile(r"\barrow", re.IGNORECASE)
"""In a tracking identifier: the name of the tool that drew it, `ArrowAnnotate`."""


@dataclass(slots=True)
class Graphic:
    """One drawing and what belongs to it: the numbers that measure it, and the item that holds the whole lesion."""

    item: ContentItem
    image: ImageReference
    points: tuple[PointPx, ...]
    shape: Shape
    spacing: PixelSpacing | None
    home: ContentItem
    numbers: list[ContentItem] = field(default_factory=list)
    is_loose: bool = False
    """Two points that nobody joined; they are a line if a number measures it, as in reports made from AIM."""
    segment: Measurement | None = None
    """What a segmentation says of its segment, where that stands for the drawing."""

    @property
    def role(self) -> str | None:
        """What its numbers call it: `long`, `short`, `length`, `side`, or nothing."""
        roles = [role for role in map(role_of_number, self.numbers) if role is not None]
        return next((role for role in roles if role not in GENERAL_ROLES), roles[0] if roles else None)

    @property
    def spot(self) -> Spot:
        """What is left of a loose line that nothing measures."""
        return Spot(self.item, self.image, _middle(self.points), self.home)


@dataclass(frozen=True, slots=True)
class Spot:
    """A place that was pointed at, without an extent, and the item that holds what is said of it."""

    item: ContentItem
    image: ImageReference
    point: PointPx
    home: ContentItem


def read_graphic(
    item: ContentItem, named: NamedImages, images: KnownImages, around: Surroundings
) -> Graphic | Spot | Unusable:
    """A SCOORD or SCOORD3D item as a drawing, or as a place."""
    numbers = [number for number in item.ancestors() if number.value_type == "NUM"][:1]
    unusable = _no_drawing(item, numbers)
    if unusable is not None:
        return unusable
    found = _planar_points(item, named) if item.value_type == "SCOORD" else _spatial(item, named, images)
    if isinstance(found, Unusable):
        return found
    image, points = found
    home = around.home_of(item)
    kind = text_of(item.dataset, "GraphicType").upper()
    is_loose = kind == "MULTIPOINT" and len(set(points)) == 2
    if kind in POINTS and not is_loose:
        return Spot(item, image, points[0] if kind == "POINT" else _middle(points), home)
    if len(points) == 2 and kind == "POLYLINE" and _ARROW.search(around.text([home], "tracking_id")):
        return Spot(item, image, points[0], home)  # its head; the shaft is no diameter
    known = images.find(image)
    spacing = known.spacing if known is not None else None
    encloses = any("2" in unit_of_number(number) for number in numbers)  # mm2, cm2
    shape = shape_of("POLYLINE" if is_loose else kind, points, spacing, encloses)
    if isinstance(shape, Unusable):
        return shape
    return Graphic(item, image, points, shape, spacing, home, numbers, is_loose)


def _no_drawing(item: ContentItem, numbers: Sequence[ContentItem]) -> Unusable | None:
    """Why coordinates stand for no lesion, by what is said of them."""
    if any(unit_of_number(number) in ANGLES for number in numbers):
        return Unusable("an_angle", "an angle is no diameter")
    concept = item.concept
    if concept is not None and concept.value in (REFERENCE_GEOMETRY, REFERENCE_POINTS):
        return Unusable("point_of_a_drawing", "the coordinates place another drawing or its label")
    for child in item.children:
        if child.value_type == "SCOORD3D" and child.concept is not None and child.concept.value == REFERENCE_GEOMETRY:
            return Unusable("reformatted_plane", "it is drawn on a plane that was computed, not on the image it names")
    return None


def _middle(points: Sequence[PointPx]) -> PointPx:
    return PointPx(sum(p.col for p in points) / len(points), sum(p.row for p in points) / len(points))


def _planar_points(item: ContentItem, named: NamedImages) -> tuple[ImageReference, tuple[PointPx, ...]] | Unusable:
    pairs = _tuples(item, 2)
    if isinstance(pairs, Unusable):
        return pairs
    image = named.image_of(item)
    if isinstance(image, Unusable):
        return image
    return image, tuple(PointPx.from_scoord(x, y) for x, y in pairs)


def _spatial(
    item: ContentItem, named: NamedImages, images: KnownImages
) -> tuple[ImageReference, tuple[PointPx, ...]] | Unusable:
    """SCOORD3D (PS3.3 C.18.9): millimetres in a frame of reference, laid on the one image plane that holds them all."""
    triples = _tuples(item, 3)
    if isinstance(triples, Unusable):
        return triples
    if text_of(item.dataset, "GraphicType").upper() == "ELLIPSOID":
        return Unusable("a_solid", "an ellipsoid is no drawing on one image")
    points = np.array(triples)  # (P, 3)
    around = images.in_frame_of_reference(text_of(item.dataset, "ReferencedFrameOfReferenceUID"))
    stacks = [*named.planes(item, images), around]
    held = [held for stack in stacks if (held := stack.holding(points)) is not None]
    if held:
        nearest = min(one.off_mm for one in held)
        best = next(one for one in held if one.off_mm <= nearest + SAME_MM)
        return best.frame, best.points
    known_planes = len({frame for stack in stacks for frame in stack.frames})
    if not known_planes:
        return Unusable("no_plane", "no image of that frame of reference has arrived, so millimetres cannot be placed")
    return Unusable("off_plane", f"the points lie on none of the {known_planes} known image planes")


def _tuples(item: ContentItem, size: int) -> list[tuple[float, ...]] | Unusable:
    numbers = numbers_of(item.dataset, "GraphicData")
    if numbers is None:
        return Unusable("bad_coordinates", "the coordinates are not finite numbers")
    if not numbers:
        return Unusable("no_points", "the graphic has no points")
    if len(numbers) % size:
        return Unusable("bad_coordinates", f"{len(numbers)} values are not tuples of {size}")
    if len(numbers) > MAX_POINTS * size:
        return Unusable("too_many_points", f"a graphic of over {MAX_POINTS} points is not read")
    return [numbers[n : n + size] for n in range(0, len(numbers), size)]
