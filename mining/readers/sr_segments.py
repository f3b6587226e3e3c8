"""Items of a report that name a segment instead of drawing: the segment's mask as the drawing. Pure.

TID 1411 names a Referenced Segment, TID 1410 a Referenced Segmentation Frame; both are an IMAGE item with a SEG and a
segment number, and some writers give the SEG's UID alone. Whether it is a lesion says the group's own category and
finding, then the segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from db.measurement import Measurement, Source
from mining.content_tree import ContentItem
from mining.drawings import Unusable
from mining.elements import items_of, numbers_of, text_of
from mining.known_images import KnownImages
from mining.readers.seg import NO_LESION, Segmentation
from mining.readers.sr_concepts import IMAGE_LIBRARY
from mining.readers.sr_context import Surroundings, content_text
from mining.readers.sr_graphics import Graphic
from mining.readers.sr_images import MAX_FRAMES, SEGMENTATIONS
from mining.region_kind import RegionKind
from mining.region_slices import Effort, Region

MAX_SEGMENTATIONS = 8
"""Other objects that are opened for one document; one segmentation for a report is the rule."""


@dataclass(frozen=True, slots=True)
class _Named:
    """What an item names: the SEG, the number of a segment in it (None: not said), frames from 0 (none: all)."""

    sop_instance_uid: str
    number: int | None
    frames: frozenset[int] = frozenset()


def names_segment(item: ContentItem) -> bool:
    """Whether an item stands for a region by naming a segment; an entry of an image library does not."""
    if item.value_type == "UIDREF":
        meaning = "" if item.concept is None else item.concept.meaning.casefold()
        return "segment" in meaning and "series" not in meaning and "source" not in meaning
    if item.value_type != "IMAGE":
        return False
    references = items_of(item.dataset, "ReferencedSOPSequence")[:1]
    if not any(text_of(reference, "ReferencedSOPClassUID") in SEGMENTATIONS for reference in references):
        return False
    return not any(a.concept is not None and a.concept.value == IMAGE_LIBRARY for a in item.ancestors())


class Segments:
    """Answers for one document; each segmentation is opened once."""

    def __init__(self, around: Surroundings, images: KnownImages) -> None:
        self._around = around
        self._images = images
        self._opened: dict[str, Segmentation | None] = {}
        self._effort = Effort()

    def drawing(self, item: ContentItem) -> Graphic | Unusable:
        """The segment that an item names, as the region it would have been if it were drawn."""
        named = _named(item)
        if isinstance(named, Unusable):
            return named
        segmentation = self._open(named.sop_instance_uid)
        if segmentation is None:
            return Unusable("segment_not_here", "the segmentation has not arrived; the report is read again with it")
        if isinstance(segmentation, Unusable):
            return segmentation
        home = self._around.home_of(item)
        position = self._position(segmentation, named.number, home)
        if isinstance(position, Unusable):
            return position
        region = NO_LESION.get(self._kind(segmentation, position, home)) or segmentation.region(position, named.frames)
        if isinstance(region, Unusable):
            return region
        return _graphic(item, home, region, segmentation.measurement(position, region, Source("", "", "SEG")))

    def _open(self, sop_instance_uid: str) -> Segmentation | Unusable | None:
        if sop_instance_uid not in self._opened:
            if len(self._opened) >= MAX_SEGMENTATIONS:
                return Unusable("too_many_segmentations", f"over {MAX_SEGMENTATIONS} segmentations are not opened")
            ds = self._images.document(sop_instance_uid)
            known = ds is not None and text_of(ds, "SOPClassUID") in SEGMENTATIONS
            opened = Segmentation(ds, self._images, self._effort) if ds is not None and known else None
            self._opened[sop_instance_uid] = opened
        return self._opened[sop_instance_uid]

    def _position(self, segmentation: Segmentation, number: int | None, home: ContentItem) -> int | Unusable:
        """Which segment is meant: by its number, else by the tracking UID, else the only one."""
        positions: Sequence[int] = range(len(segmentation.segments))
        if number is not None:
            found = [position for position in positions if segmentation.number(position) == number]
            return found[0] if found else Unusable("no_such_segment", "the segmentation has no segment of that number")
        tracking_uid = self._around.text([home], "tracking_uid")
        found = [p for p in positions if tracking_uid and segmentation.tracking_uid(p) == tracking_uid]
        found = found or list(positions)
        if len(found) != 1:
            return Unusable("ambiguous_segment", f"it could be any of {len(found)} segments; name the segment number")
        return found[0]

    def _kind(self, segmentation: Segmentation, position: int, home: ContentItem) -> RegionKind:
        said = self._around.kind_of(home)
        return segmentation.kind(position) if said is RegionKind.UNCLEAR else said


def with_segment(measurement: Measurement, segment: Measurement | None) -> Measurement:
    """What the report leaves open, from the segment that it measured.

    Whose the drawing is says the segment: its creator drew it, whoever measured it later; an algorithm's mask is an
    algorithm's lesion.
    """
    if segment is None:
        return measurement
    return replace(
        measurement,
        finding=measurement.finding or segment.finding,
        site=measurement.site or segment.site,
        tracking_id=measurement.tracking_id or segment.tracking_id,
        tracking_uid=measurement.tracking_uid or segment.tracking_uid,
        reader=segment.reader or measurement.reader,
        comment=measurement.comment or segment.comment,
        by_algorithm=segment.by_algorithm or measurement.by_algorithm,
    )


def _named(item: ContentItem) -> _Named | Unusable:
    if item.value_type == "UIDREF":
        return _Named(content_text(item), None)
    for reference in items_of(item.dataset, "ReferencedSOPSequence")[:1]:
        numbers = numbers_of(reference, "ReferencedSegmentNumber") or ()
        if len(numbers) > 1:
            return Unusable("ambiguous_segment", f"it names {len(numbers)} segments; a lesion is one of them")
        frames = (numbers_of(reference, "ReferencedFrameNumber") or ())[:MAX_FRAMES]
        return _Named(
            text_of(reference, "ReferencedSOPInstanceUID"),
            int(numbers[0]) if numbers else None,
            frozenset(int(frame) - 1 for frame in frames),
        )
    return Unusable("no_such_segment", "the item names no segmentation")


def _graphic(item: ContentItem, home: ContentItem, region: Region, segment: Measurement) -> Graphic:
    shape = region.outlined.shape
    points = (*segment.points, *(() if shape.outline is None else shape.outline.corners))
    return Graphic(item, region.on.image, points, shape, region.on.spacing, home, segment=segment)
