"""What a site's own table makes of private elements or of a CSV row: meaning → text, as a mark on an image. Pure.

`mining.settings.MEANINGS` are the words; the places of points are those of `mining.settings.ORIGINS`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from db.geometry import Axis, PixelSpacing, PointPx
from db.measurement import ImageReference, Measurement, Source, WeakLabel
from db.uids import uid_from
from mining.drawings import SAID_TO_BE_NO_LESION, Shape, Unusable, recist_pairs, shape_of, two_axes
from mining.known_images import KnownImages
from mining.outline_budget import OutlineBudget
from mining.recist import axes_cross, ordered
from mining.region_kind import RegionKind, kind_of_name
from mining.settings import ORIGINS
from mining.stated_text import is_of_no_lesion
from mining.written import code_in_text, length_mm_in, moment_in, number_in, numbers_in

Values = Mapping[str, str]
"""Meaning → text; what is empty is not there."""

ENDS = ("x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4")


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark; `shape` is None for what was only pointed at, and `point` for a whole image."""

    item: str
    image: ImageReference
    spacing: PixelSpacing | None
    shape: Shape | None
    point: PointPx | None
    values: Values
    stated: tuple[float | None, float | None] = (None, None)
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def is_line(self) -> bool:
        return self.shape is not None and self.shape.is_line and self.shape.short_axis is None


class Marks:
    """The marks of one object.

    itself: the image that a mark without a reference lies on, if there is one.
    """

    def __init__(
        self, images: KnownImages, origin: str, decimal_comma: bool = False, itself: ImageReference | None = None
    ) -> None:
        self._images = images
        self._shift = ORIGINS[origin]
        self._decimal_comma = decimal_comma
        self._itself = itself
        self._budget = OutlineBudget()

    def mark(self, item: str, values: Values) -> Mark | Unusable:
        if _is_of_no_lesion(values):
            return SAID_TO_BE_NO_LESION
        image = _image(values, self._images, self._itself)
        if isinstance(image, Unusable):
            return image
        known = self._images.find(image)
        spacing = None if known is None else known.spacing
        drawn = self._drawing(values, spacing)
        if isinstance(drawn, Unusable):
            return drawn
        if drawn is None and image == self._itself:
            return Unusable("no_measurement", "none of the site's elements for points is there")
        stated = [length_mm_in(values.get(f"stated_{axis}_axis_mm", "")) for axis in ("long", "short")]
        return Mark(
            item,
            image,
            spacing,
            drawn if isinstance(drawn, Shape) else None,
            drawn if isinstance(drawn, PointPx) else None,
            values,
            (stated[0], stated[1]),
            _said(values),
        )

    def _drawing(self, values: Values, spacing: PixelSpacing | None) -> Shape | PointPx | Unusable | None:
        """None where the table found no points at all."""
        given = [bool(values.get(name)) for name in ENDS]
        if any(given):
            if given != sorted(given, reverse=True):
                return Unusable("bad_coordinates", "one of the coordinates between others is empty")
            lines = _points(" ".join(values.get(name, "") for name in ENDS), self._shift, True)
        elif values.get("long_axis"):
            text = f"{values['long_axis']} {values.get('short_axis', '')}"
            lines = _points(text, self._shift, self._decimal_comma)
        elif values.get("points"):
            points = _points(values["points"], self._shift, self._decimal_comma)
            return points if isinstance(points, Unusable) else self._shape(points, spacing)
        else:
            return None
        return lines if isinstance(lines, Unusable) else _axes(lines, spacing)

    def _shape(self, points: Sequence[PointPx], spacing: PixelSpacing | None) -> Shape | PointPx | Unusable:
        """One point, a line, two crossing lines, or else an outline."""
        if len(points) < 3:
            return _axes(points, spacing)
        if len(points) == 4 and axes_cross(Axis(points[0], points[1]), Axis(points[2], points[3]), slip_px=1.0):
            return _axes(points, spacing)
        if not self._budget.allows(len(points)):
            return Unusable("too_many_drawings", "the outlines of one object have more points than are read")
        return shape_of("POLYLINE", points, spacing, encloses=True)


def joined(marks: Sequence[Mark]) -> list[Mark]:
    """The same with two lines of one lesion as one mark, at the place of the first.

    Lines are of one lesion if the table says so and they cross, or if nothing says it and they look like diameters.
    """
    groups: dict[tuple[ImageReference, str, str], list[Mark]] = defaultdict(list)
    for mark in marks:
        if mark.is_line:
            groups[mark.image, mark.values.get("lesion_id", ""), mark.values.get("reader", "")].append(mark)
    pairs_of: dict[int, Mark] = {}
    second: set[int] = set()
    for (_, lesion_id, _), lines in groups.items():
        axes = [line.shape.long_axis for line in lines if line.shape is not None]
        if lesion_id and len(lines) == 2 and axes_cross(axes[0], axes[1], slip_px=1.0):
            pairs = [(0, 1)]
        else:
            pairs = recist_pairs(axes, lines[0].spacing)
        for a, b in pairs:
            pairs_of[id(lines[a])] = _pair(lines[a], lines[b], Shape(*ordered(axes[a], axes[b], lines[a].spacing)))
            second.add(id(lines[b]))
    return [pairs_of.get(id(mark), mark) for mark in marks if id(mark) not in second]


def found_as(mark: Mark, source_uid: str, kind: str) -> Measurement | WeakLabel:
    source = Source(source_uid, mark.item, kind)
    if mark.shape is None:
        return WeakLabel(source, mark.image, mark.point, **mark.said)
    return Measurement(
        source,
        mark.image,
        mark.shape.long_axis,
        mark.shape.short_axis,
        derived=not mark.shape.is_line,
        outline=mark.shape.outline,
        stated_long_axis_mm=mark.stated[0],
        stated_short_axis_mm=None if mark.shape.short_axis is None else mark.stated[1],
        **mark.said,
    )


def _pair(first: Mark, second: Mark, shape: Shape) -> Mark:
    stated = sorted((mm for mm in (*first.stated, *second.stated) if mm is not None), reverse=True)
    return replace(first, shape=shape, stated=(stated[0] if stated else None, stated[1] if len(stated) > 1 else None))


def _is_of_no_lesion(values: Values) -> bool:
    words = [values.get(name, "") for name in ("finding", "tracking_id", "comment")]
    return not any(kind_of_name(said) is RegionKind.LESION for said in words) and any(map(is_of_no_lesion, words))


def _said(values: Values) -> dict[str, Any]:
    study, lesion_id, item = (values.get(name, "") for name in ("study", "lesion_id", "item"))
    named = ("site lesion", lesion_id) if lesion_id else ("site item", item)
    derived = uid_from(named[0], study, named[1]) if study and named[1] else ""
    return {
        "finding": code_in_text(values.get("finding", "")),
        "site": code_in_text(values.get("site", "")),
        "tracking_id": values.get("tracking_id", "") or lesion_id,
        "tracking_uid": values.get("tracking_uid", "") or derived,
        "reader": values.get("reader", ""),
        "measured_at": moment_in(values.get("measured_at", "")) if values.get("measured_at") else None,
        "comment": values.get("comment", ""),
    }


# --- images -----------------------------------------------------------------------------------------------------


def _image(values: Values, images: KnownImages, itself: ImageReference | None) -> ImageReference | Unusable:
    frame_text = values.get("frame", "")
    frame = number_in(frame_text) if frame_text else 1.0
    if frame is None or frame < 1 or frame != int(frame):
        return Unusable("bad_frame_number", "the number of the frame is no whole number from 1")
    if uid := values.get("image", ""):
        return ImageReference(uid, int(frame))
    series, numbered = values.get("series", ""), values.get("instance_number", "")
    if series and numbered:
        number = number_in(numbered)
        found = None if number is None else images.in_series(series).get(int(number))
        if found is None:
            reason = "no image of that series and that number has arrived, or several share it"
            return Unusable("image_not_here", reason)
        return ImageReference(found.sop_instance_uid, int(frame))
    if itself is None:
        return Unusable("no_image_reference", "neither an image nor a series with an instance number is named")
    return ImageReference(itself.sop_instance_uid, int(frame))


# --- points -----------------------------------------------------------------------------------------------------


def _axes(points: Sequence[PointPx], spacing: PixelSpacing | None) -> Shape | PointPx | Unusable:
    """One, two or four ends, the long axis first as in DL_info.csv; which is the longer one decides the length."""
    if len(points) == 1:
        return points[0]
    if len(points) == 2:
        return shape_of("POLYLINE", points, spacing)
    if len(points) != 4:
        return Unusable("bad_coordinates", f"two axes have 4 ends, these are {len(points)}")
    return two_axes(points, spacing)


def _points(text: str, shift: float, decimal_comma: bool) -> list[PointPx] | Unusable:
    numbers = numbers_in(text, decimal_comma)
    if not numbers or len(numbers) % 2:
        return Unusable("bad_coordinates", "the coordinates are not pairs of finite numbers")
    return [PointPx(x + shift, y + shift) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
