"""AIM annotations (Annotation and Image Markup, 3 and 4) → measurements, and a reason for all other markups. Pure.

One ImageAnnotation is one lesion: two lines on one image are its diameters, of outlines on several images the longest
one counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from pydicom.dataset import Dataset

from db.codes import Code
from db.measurement import ImageReference, Measurement, Rejected, Source, WeakLabel
from mining.drawings import SAID_TO_BE_NO_LESION, Unusable, is_outline_of, recist_pairs
from mining.elements import MAX_TEXT, text_of
from mining.known_images import NO_IMAGES, KnownImages
from mining.outline_budget import OutlineBudget
from mining.readers.aim_drawings import Drawn, Pointed, drawn_by
from mining.readers.aim_stated import algorithm_of, code_in, of_drawings, stated_by, user_of
from mining.readers.aim_xml import Element, read_xml
from mining.readers.encapsulated import encapsulated
from mining.recist import axes_cross, length, ordered
from mining.region_kind import RegionKind, kind_of_region
from mining.stated_text import is_of_no_lesion
from mining.written import moment_in

MAX_MARKUPS = 1_000
"""In one document."""

Lesion = tuple[Drawn, ...]
"""One drawing, or two lines."""


def read_aim(ds: Dataset, images: KnownImages = NO_IMAGES) -> Iterator[Measurement | WeakLabel | Rejected]:
    """All annotations of a document that came in as XML. Paths name the annotation and its markup, from 1."""
    uid = text_of(ds, "SOPInstanceUID")
    content = encapsulated(ds)
    root = Unusable("no_document", "there is no document in the object") if content is None else read_xml(content)
    if isinstance(root, Unusable):
        yield Rejected(uid, "1", root.reason_code, root.reason)
        return
    annotations = list(root.all("imageannotation"))
    if not annotations:
        yield Rejected(uid, "1", "not_aim", "there is no ImageAnnotation in the document")
    left, budget = MAX_MARKUPS, OutlineBudget()
    for number, annotation in enumerate(annotations, start=1):
        reading = _Annotation(uid, f"ImageAnnotation[{number}]", annotation, root, images, budget)
        markups = [(n, each) for n, each in enumerate(annotation.all("markupentity", "geometricshape"), start=1)]
        if len(markups) > left:
            reason = f"over {MAX_MARKUPS} markups of one document are not read"
            yield Rejected(uid, reading.path, "too_many_drawings", reason)
            return
        left -= len(markups)
        yield from reading.read(markups)


class _Annotation:
    """One annotation, and what it and its document say of it."""

    def __init__(
        self, uid: str, path: str, annotation: Element, root: Element, images: KnownImages, budget: OutlineBudget
    ) -> None:
        self.path = path
        self._uid = uid
        self._annotation = annotation
        self._images = images
        self._budget = budget
        self._rejected: list[Rejected] = []
        self._texts: list[str] = []
        self._stated = stated_by(annotation)
        reader = user_of(annotation, root)
        self._said: dict[str, Any] = {
            "finding": _first_code(annotation, "imagingobservationentity", "imagingobservation"),
            "site": _first_code(annotation, "imagingphysicalentity", "anatomicentity"),
            "tracking_id": annotation.says("name").partition("~")[0].strip() or annotation.says("name"),
            "tracking_uid": annotation.says("trackinguniqueidentifier") or annotation.says("uniqueidentifier"),
            "reader": reader,
            "measured_at": _when(annotation, root),
            "by_algorithm": "" if reader else algorithm_of(annotation),
        }

    def read(self, markups: Sequence[tuple[int, Element]]) -> Iterator[Measurement | WeakLabel | Rejected]:
        drawn, pointed = self._drawings(markups)
        if self._is_of_no_lesion:
            for path in (*(one.path for one in drawn), *(one.path for one in pointed)):
                self._reject(path, SAID_TO_BE_NO_LESION)
            drawn, pointed = [], []
        for lesion in self._lesions(drawn):
            yield self._measurement(lesion)
        on = {drawing.image for drawing in drawn}
        for place in pointed:
            if place.image in on:
                self._reject(place.path, Unusable("point_of_a_drawing", "a place in a lesion that is drawn, too"))
            else:
                source = Source(self._uid, place.path, "AIM")
                yield WeakLabel(source, place.image, place.point, comment=self._comment, **self._said)
        self._elsewhere(nothing=not markups)
        yield from self._rejected

    def _reject(self, path: str, unusable: Unusable) -> None:
        self._rejected.append(Rejected(self._uid, path, unusable.reason_code, unusable.reason))

    def _elsewhere(self, nothing: bool) -> None:
        """Annotations that draw nothing themselves."""
        segmentations = sum(1 for _ in self._annotation.all("segmentationentity"))
        if segmentations:
            reason = "it refers to a segmentation, which is harvested by itself when it is sent"
            self._reject(self.path, Unusable("segmentation_elsewhere", reason))
        elif nothing:
            self._reject(self.path, Unusable("no_measurement", "the annotation draws nothing"))

    @property
    def _is_of_no_lesion(self) -> bool:
        name = self._said["tracking_id"]
        if kind_of_region(None, self._said["finding"], name) is RegionKind.LESION:
            return False
        return any(map(is_of_no_lesion, (name, self._annotation.says("comment"), *self._texts)))

    @property
    def _comment(self) -> str:
        return "; ".join(text for text in (self._annotation.says("comment"), *self._texts) if text)[:MAX_TEXT]

    def _drawings(self, markups: Sequence[tuple[int, Element]]) -> tuple[list[Drawn], list[Pointed]]:
        named = _images_of(self._annotation)
        drawn: list[Drawn] = []
        pointed: list[Pointed] = []
        for number, markup in markups:
            path = f"{self.path}.Markup[{number}]"
            if markup.kind == "textannotationentity":
                self._texts.append(markup.says("textvalue") or markup.says("text"))
                continue
            found = drawn_by(path, markup, named, self._images, self._budget)
            if isinstance(found, Unusable):
                self._reject(path, found)
            elif isinstance(found, Drawn):
                drawn.append(found)
            else:
                pointed.append(found)
        return drawn, pointed

    def _lesions(self, drawn: Sequence[Drawn]) -> list[Lesion]:
        by_image: dict[ImageReference, list[Drawn]] = defaultdict(list)
        for drawing in drawn:
            if drawing.shape.is_line and drawing.shape.short_axis is None:
                by_image[drawing.image].append(drawing)
        lesions: list[Lesion] = [(one,) for one in drawn if one.shape.is_line and one.shape.short_axis is not None]
        for lines in by_image.values():
            lesions += _paired(lines)
        for region in self._longest([one for one in drawn if not one.shape.is_line]):
            around = next((lesion for lesion in lesions if _is_around(region, lesion)), None)
            if around is None:
                lesions.append((region,))
            else:
                reason = f"the axes of the same lesion are drawn at {around[0].path}"
                self._reject(region.path, Unusable("axes_are_drawn", reason))
        return lesions

    def _longest(self, regions: Sequence[Drawn]) -> list[Drawn]:
        """The regions on the image with the longest one, which is RECIST's slice."""
        if not regions:
            return []
        largest = max(regions, key=lambda region: length(region.shape.long_axis, region.spacing))
        for region in regions:
            if region.image != largest.image:
                reason = f"the same lesion is longer on the image of {largest.path}"
                self._reject(region.path, Unusable("smaller_slice", reason))
        return [region for region in regions if region.image == largest.image]

    def _measurement(self, lesion: Lesion) -> Measurement:
        first = lesion[0]
        long_axis, short_axis = first.shape.long_axis, first.shape.short_axis
        if len(lesion) == 2:
            long_axis, short_axis = ordered(long_axis, lesion[1].shape.long_axis, first.spacing)
        stated = of_drawings(self._stated, [one.uid for one in lesion], short_axis is not None)
        return Measurement(
            source=Source(self._uid, first.path, "AIM"),
            image=first.image,
            long_axis=long_axis,
            short_axis=short_axis,
            derived=not first.shape.is_line,
            outline=first.shape.outline,
            stated_long_axis_mm=stated[0],
            stated_short_axis_mm=stated[1],
            comment=self._comment,
            **self._said,
        )


def _paired(lines: Sequence[Drawn]) -> list[Lesion]:
    """The only two lines that cross are the diameters of the lesion; of more, those that look like diameters."""
    axes = [line.shape.long_axis for line in lines]
    if len(lines) == 2 and axes_cross(axes[0], axes[1], slip_px=1.0):
        return [(lines[0], lines[1])]
    pairs = recist_pairs(axes, lines[0].spacing)
    paired = {position for pair in pairs for position in pair}
    alone: list[Lesion] = [(line,) for position, line in enumerate(lines) if position not in paired]
    return [*((lines[a], lines[b]) for a, b in pairs), *alone]


def _is_around(region: Drawn, lesion: Lesion) -> bool:
    axes = [one.shape.long_axis for one in lesion]
    axes += [one.shape.short_axis for one in lesion if one.shape.short_axis is not None]
    outline = region.shape.outline
    if outline is None or len(axes) != 2 or lesion[0].image != region.image:
        return False
    return is_outline_of(outline, axes[0], axes[1])


def _images_of(annotation: Element) -> list[str]:
    """SOP Instance UIDs of the images that the annotation refers to."""
    return list(dict.fromkeys(uid for each in annotation.all("image") if (uid := each.says("sopinstanceuid"))))


def _first_code(annotation: Element, *names: str) -> Code | None:
    return next((code for each in annotation.all(*names) if (code := code_in(each)) is not None), None)


def _when(*holders: Element) -> datetime | None:
    return next((found for each in holders if (found := moment_in(each.says("datetime"))) is not None), None)
