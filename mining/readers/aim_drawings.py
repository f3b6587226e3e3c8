"""The markups of one AIM annotation → lines, regions and points on images. Pure.

AIM keeps coordinates as DICOM's SCOORD does: (0, 0) is the outer corner of the first pixel (the standard maps one to
the other as they stand, PS3.21 A.6, and viewers with AIM write what they would write into an SR).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from db.geometry import PixelSpacing, PointPx
from db.measurement import ImageReference
from mining.drawings import Shape, Unusable, shape_of, two_axes
from mining.known_images import KnownImages
from mining.outline_budget import OutlineBudget
from mining.readers.aim_xml import Element
from mining.written import number_in

MAX_POINTS = 50_000
"""Of one markup."""

COORDINATES = ("twodimensionspatialcoordinate", "threedimensionspatialcoordinate", "spatialcoordinate")
"""The last one of AIM 3."""

_KINDS = {
    "point": "POINT", "polyline": "POLYLINE", "polygon": "POLYGON", "multipoint": "MULTIPOINT",
    "circle": "CIRCLE", "ellipse": "ELLIPSE",
}  # fmt: skip
"""xsi:type without the dimension → graphic type of an SCOORD."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A drawing on an image; path and uid are the markup's. `shape` has a short axis if both were drawn as one."""

    path: str
    uid: str
    image: ImageReference
    spacing: PixelSpacing | None
    shape: Shape


@dataclass(frozen=True, slots=True)
class Pointed:
    """A place on an image."""

    path: str
    image: ImageReference
    point: PointPx


def drawn_by(
    path: str, markup: Element, named: Sequence[str], images: KnownImages, budget: OutlineBudget
) -> Drawn | Pointed | Unusable:
    """What one MarkupEntity (AIM 4) or GeometricShape (AIM 3) shows.

    named: SOP Instance UIDs that the annotation refers to, for a markup that refers to none.
    """
    if markup.says("includeflag").lower() in ("false", "0"):
        return Unusable("excluded_shape", "the markup cuts something out and is no lesion")
    stated = markup.kind
    solid = stated.startswith("threedimension")
    kind = _KINDS.get(stated.removeprefix("twodimension").removeprefix("threedimension"))
    if kind is None:
        return Unusable("unknown_graphic", "a markup of this type is no measurement")
    coordinates = _in_order(list(markup.all(*COORDINATES)))
    if not 0 < len(coordinates) <= MAX_POINTS:
        return Unusable("bad_coordinates", f"a markup has 1 to {MAX_POINTS} points, this one has {len(coordinates)}")
    if not budget.allows(len(coordinates)):
        return Unusable("too_many_drawings", "the outlines of one document have more points than are read")
    placed = _in_space(markup, coordinates, images) if solid else _in_plane(markup, coordinates, named)
    if isinstance(placed, Unusable):
        return placed
    image, points = placed
    known = images.find(image)
    spacing = None if known is None else known.spacing
    if len(points) == 1 and kind in ("POINT", "MULTIPOINT"):
        return Pointed(path, image, points[0])
    shape = _lines(points, spacing) if kind == "MULTIPOINT" else shape_of(kind, points, spacing, encloses=True)
    return shape if isinstance(shape, Unusable) else Drawn(path, markup.says("uniqueidentifier"), image, spacing, shape)


def _lines(points: Sequence[PointPx], spacing: PixelSpacing | None) -> Shape | Unusable:
    """Two points are a line, four the two lines of one lesion, as viewers with AIM store their bidirectional tool."""
    if len(points) == 2:
        return shape_of("POLYLINE", points, spacing)
    if len(points) != 4:
        return Unusable("unknown_graphic", f"{len(points)} points that nothing connects are neither line nor outline")
    return two_axes(points, spacing)


def _in_plane(
    markup: Element, coordinates: Sequence[Element], named: Sequence[str]
) -> tuple[ImageReference, list[PointPx]] | Unusable:
    said = {_image_uid(each) for each in (markup, *coordinates)} - {""}
    uids = said or set(named)
    if not uids:
        return Unusable("no_image_reference", "the markup refers to no image")
    if len(uids) > 1:
        return Unusable("ambiguous_image", f"the markup could lie on {len(uids)} images")
    pairs = [_numbers(each, "x", "y") for each in coordinates]
    points = [PointPx.from_scoord(pair[0], pair[1]) for pair in pairs if pair is not None]
    if len(points) != len(pairs):
        return Unusable("bad_coordinates", "the coordinates are not pairs of finite numbers")
    frames = [number for each in (markup, *coordinates) if (number := number_in(each.says("referencedframenumber")))]
    return ImageReference(uids.pop(), max(int(frames[0]), 1) if frames else 1), points


def _in_space(
    markup: Element, coordinates: Sequence[Element], images: KnownImages
) -> tuple[ImageReference, list[PointPx]] | Unusable:
    frame_of_reference_uid = markup.says("frameofreferenceuid") or coordinates[0].says("frameofreferenceuid")
    if not frame_of_reference_uid:
        return Unusable("no_image_reference", "coordinates in millimetres without a frame of reference")
    triples = [_numbers(each, "x", "y", "z") for each in coordinates]
    points = [triple for triple in triples if triple is not None]
    if len(points) != len(triples):
        return Unusable("bad_coordinates", "the coordinates are not triples of finite numbers")
    stack = images.in_frame_of_reference(frame_of_reference_uid)
    if not len(stack):
        return Unusable("no_plane", "no image of the frame of reference has arrived")
    held = stack.holding(np.array(points, dtype=np.float64))
    if held is None:
        return Unusable("off_plane", "no image that has arrived holds all the points")
    return held.frame, list(held.points)


def _image_uid(element: Element) -> str:
    return element.says("imagereferenceuid")


def _in_order(coordinates: list[Element]) -> list[Element]:
    """By their index where every one has another; a file need not keep them in order."""
    indices = [number_in(each.says("coordinateindex")) for each in coordinates]
    whole = [index for index in indices if index is not None]
    if len(set(whole)) != len(coordinates):
        return coordinates
    return [each for _, each in sorted(zip(whole, coordinates, strict=True), key=lambda pair: pair[0])]


def _numbers(element: Element, *names: str) -> tuple[float, ...] | None:
    found = tuple(number for name in names if (number := number_in(element.says(name))) is not None)
    return found if len(found) == len(names) else None
