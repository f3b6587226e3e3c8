"""SCOORD and SCOORD3D items as drawings, or places that were pointed at, on one image. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from db.geometry import PixelSpacing, PointPx
from db.measurement import ImageReference, Measurement
from mining.content_tree import ContentItem, ContentTree
from mining.drawings import Shape, Unusable, shape_of
from mining.elements import items_of, numbers_of, text_of
from mining.known_images import KnownImages
from mining.plane_stack import SAME_MM, PlaneStack
from mining.readers.sr_concepts import ANGLES, GENERAL_ROLES, REFERENCE_GEOMETRY, REFERENCE_POINTS
from mining.readers.sr_context import Surroundings, role_of_number, unit_of_number

SEGMENTATIONS = {"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7", "1.2.840.10008.5.1.4.1.1.66.5"}
"""SEG, label map SEG and Surface Segmentation Storage: an IMAGE item of these is no image to draw on."""

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
"""VL Whole Slide Microscopy: the one image whose total pixel matrix is not its frame (PS3.3 C.18.6.1.1)."""

MAX_POINTS = 100_000
"""The longest contour seen has a few thousand."""


COORDINATES = ("SCOORD", "SCOORD3D")
POINTS = ("POINT", "MULTIPOINT")


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
    item: ContentItem, default: Callable[[], ImageReference | None], images: KnownImages, around: Surroundings
) -> Graphic | Spot | Unusable:
    """A SCOORD or SCOORD3D item as a drawing, or as a place.

    default: the one image of the document, for writers that do not say on which of it they drew.
    """
    numbers = [number for number in item.ancestors() if number.value_type == "NUM"][:1]
    unusable = _no_drawing(item, numbers)
    if unusable is not None:
        return unusable
    found = _planar_points(item, default) if item.value_type == "SCOORD" else _spatial(item, images)
    if isinstance(found, Unusable):
        return found
    image, points = found
    home = around.home_of(item)
    kind = text_of(item.dataset, "GraphicType").upper()
    is_loose = kind == "MULTIPOINT" and len(set(points)) == 2
    if kind in POINTS and not is_loose:
        return Spot(item, image, points[0] if kind == "POINT" else _middle(points), home)
    if len(points) == 2 and kind == "POLYLINE" and "arrow" in around.text([home], "tracking_id").casefold():
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


def only_image(tree: ContentTree) -> ImageReference | None:
    """The one image that a document names, or None if it names several or none."""
    named = {frame for item in tree.items if item.value_type == "IMAGE" for frame in frames_of(item)}
    return named.pop() if len(named) == 1 else None


def image_references(item: ContentItem) -> list[ImageReference]:
    """The image frames that an item's own children name, each once; by reference too."""
    found: dict[ImageReference, None] = {}
    for child in item.children:
        named = child.target if child.target is not None else child
        if named.value_type == "IMAGE":
            found.update(dict.fromkeys(frames_of(named)))
    return list(found)


def frames_of(item: ContentItem) -> list[ImageReference]:
    """The frames that an IMAGE item names; none for a segmentation, a tiled slide or an empty reference."""
    for reference in items_of(item.dataset, "ReferencedSOPSequence")[:1]:
        uid = text_of(reference, "ReferencedSOPInstanceUID")
        if uid and text_of(reference, "ReferencedSOPClassUID") not in {*SEGMENTATIONS, WHOLE_SLIDE}:
            frames = numbers_of(reference, "ReferencedFrameNumber") or (1.0,)
            return [ImageReference(uid, max(int(frame), 1)) for frame in frames]
    return []


def _planar_points(
    item: ContentItem, default: Callable[[], ImageReference | None]
) -> tuple[ImageReference, tuple[PointPx, ...]] | Unusable:
    pairs = _tuples(item, 2)
    if isinstance(pairs, Unusable):
        return pairs
    image = _image_of(item, default)
    if isinstance(image, Unusable):
        return image
    return image, tuple(PointPx.from_scoord(x, y) for x, y in pairs)


def _image_of(item: ContentItem, default: Callable[[], ImageReference | None]) -> ImageReference | Unusable:
    """The image below the drawing, else the one that the nearest item above it names, else the document's only one."""
    for holder in (item, *item.ancestors()):
        references = image_references(holder)
        if len(references) > 1:
            return Unusable("ambiguous_image", f"the drawing could lie on {len(references)} images or frames")
        if references:
            return references[0]
    return default() or Unusable("no_image_reference", "the drawing refers to no image")


def _spatial(item: ContentItem, images: KnownImages) -> tuple[ImageReference, tuple[PointPx, ...]] | Unusable:
    """SCOORD3D (PS3.3 C.18.9): millimetres in a frame of reference, laid on the one image plane that holds them all."""
    triples = _tuples(item, 3)
    if isinstance(triples, Unusable):
        return triples
    if text_of(item.dataset, "GraphicType").upper() == "ELLIPSOID":
        return Unusable("a_solid", "an ellipsoid is no drawing on one image")
    points = np.array(triples)  # (P, 3)
    stack = images.in_frame_of_reference(text_of(item.dataset, "ReferencedFrameOfReferenceUID"))
    named = _named_planes(item, images)
    held = [held for held in (named.holding(points), stack.holding(points)) if held is not None]
    if held:
        nearest = min(one.off_mm for one in held)
        best = next(one for one in held if one.off_mm <= nearest + SAME_MM)
        return best.frame, best.points
    known_planes = len({*named.frames, *stack.frames})
    if not known_planes:
        return Unusable("no_plane", "no image of that frame of reference has arrived, so millimetres cannot be placed")
    return Unusable("off_plane", f"the points lie on none of the {known_planes} known image planes")


def _named_planes(item: ContentItem, images: KnownImages) -> PlaneStack:
    """The planes of the images that a drawing, or an item above it, names; the nearest item's first."""
    named = dict.fromkeys(reference for holder in (item, *item.ancestors()) for reference in image_references(holder))
    known = [(reference, images.find(reference)) for reference in named]
    return PlaneStack([(frame, image.plane) for frame, image in known if image is not None and image.plane is not None])


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
