"""A segmentation → one measurement for each lesion segment, on the slice where it is longest. Pure.

Only what is meant as a lesion is measured (`mining.region_kind` states the rule); organs, tissue and background are
rejected, and so is what cannot be told. The axes lie between the edges of the mask's pixels, in the plane of the
segmentation; if its grid is not the image's, they go through the patient onto the image.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property

from pydicom.dataset import Dataset

from db.measurement import Found, Measurement, Rejected, Source
from mining.drawings import Unusable
from mining.elements import code_of, integer_of, items_of, moment_of, text_of
from mining.known_images import NO_IMAGES, KnownImages
from mining.readers.seg_frames import MaskSlice, SegmentFrames
from mining.readers.seg_pixels import FrameExtent, SegmentPixels, pixels_of
from mining.region_kind import RegionKind, kind_of_region
from mining.region_slices import Effort, Region, longest_slice

SURFACE = "1.2.840.10008.5.1.4.1.1.66.5"

MAX_SEGMENTS = 2_000
"""Of one object; an atlas of the whole body has some hundreds."""

UNNAMED = "unnamed algorithm"

NO_LESION = {
    RegionKind.ANATOMY: Unusable("anatomy_not_lesion", "its property category is anatomy or another thing, no lesion"),
    RegionKind.MARGIN: Unusable("treatment_margin", "a treatment volume is the lesion with a margin around it"),
    RegionKind.UNCLEAR: Unusable(
        "unclear_segment",
        "nothing says whether it is a lesion; a property type such as Nodule or Neoplasm, or a label that says lesion,"
        " tumor or lymph node, lets it in",
    ),
}


def read_seg(ds: Dataset, images: KnownImages = NO_IMAGES) -> Iterator[Found]:
    """One measurement or rejection for each segment, at `SegmentSequence[n]`, n from 1.

    images: where the masks lie; without them nothing is placed. Source: PS3.3 C.8.20 (Segmentation).
    """
    uid = text_of(ds, "SOPInstanceUID")
    segmentation = Segmentation(ds, images)
    if not segmentation.segments:
        yield Rejected(uid, "SegmentSequence", "no_measurement", "the object holds no segment at all")
    for position in range(len(segmentation.segments)):
        source = Source(uid, f"SegmentSequence[{position + 1}]", "SEG")
        region = NO_LESION.get(segmentation.kind(position)) or segmentation.region(position)
        if isinstance(region, Unusable):
            yield Rejected(uid, source.item, region.reason_code, region.reason)
            continue
        yield segmentation.measurement(position, region, source)
        if region.outlined.others:
            yield Rejected(uid, source.item, "other_pieces", other_pieces(region))
    if segmentation.left:
        yield Rejected(uid, "SegmentSequence", "too_many_segments", f"and {segmentation.left} more segments")


def other_pieces(region: Region) -> str:
    count = region.outlined.others
    return f"{count} more pieces of a like size on its slice are not measured; draw each lesion as a region of its own"


class Segmentation:
    """A SEG with its images; made once for all of its segments, for what they share is read once."""

    def __init__(self, ds: Dataset, images: KnownImages, effort: Effort | None = None) -> None:
        """effort: what may yet be spent, shared with other objects; its own where there is none."""
        self._ds = ds
        self._frames = SegmentFrames(ds, images)
        self._effort = effort or Effort()
        segments = items_of(ds, "SegmentSequence")
        self.segments = segments[:MAX_SEGMENTS]
        self.left = len(segments) - len(self.segments)
        self._measured_at = moment_of(ds, "ContentDate", "ContentTime", text_of(ds, "TimezoneOffsetFromUTC"))

    def kind(self, position: int) -> RegionKind:
        """What a segment is; position in `segments`, from 0."""
        segment = self.segments[position]
        return kind_of_region(
            code_of(segment, "SegmentedPropertyCategoryCodeSequence"),
            code_of(segment, "SegmentedPropertyTypeCodeSequence"),
            text_of(segment, "SegmentLabel"),
        )

    def number(self, position: int) -> int:
        """Segment Number; where it is missing, the place in the sequence."""
        number = integer_of(self.segments[position], "SegmentNumber")
        return position + 1 if number is None else number

    def tracking_uid(self, position: int) -> str:
        return text_of(self.segments[position], "TrackingUID")

    def region(self, position: int, frames: Collection[int] = ()) -> Region | Unusable:
        """The segment where it is longest; frames (from 0): only there, empty for all."""
        if text_of(self._ds, "SOPClassUID") == SURFACE:
            return Unusable("surface_not_mask", "a surface is no mask of slices; send the segment as a mask")
        pixels, number = self._pixels, self.number(position)
        if isinstance(pixels, Unusable):
            return pixels
        if pixels.is_label_map:
            labels = self._label_extents
            extents = labels if isinstance(labels, Unusable) else labels.get(number, ())
        else:
            extents = pixels.extents_on(number, self._frames_of_segments.get(number, ()))
        if isinstance(extents, Unusable):
            return extents
        chosen = [extent for extent in extents if not frames or extent.frame in frames]
        if not chosen:
            return Unusable("empty_segment", "no frame has a pixel of this segment")
        return longest_slice([MaskSlice(self._frames, pixels, extent, number) for extent in chosen], self._effort)

    def measurement(self, position: int, region: Region, source: Source) -> Measurement:
        """A segment's region with what the object says about it."""
        segment, shape = self.segments[position], region.outlined.shape
        automatic = text_of(segment, "SegmentAlgorithmType").upper() == "AUTOMATIC"
        return Measurement(
            source=source,
            image=region.on.image,
            long_axis=shape.long_axis,
            short_axis=shape.short_axis,
            derived=True,
            outline=shape.outline,
            finding=code_of(segment, "SegmentedPropertyTypeCodeSequence"),
            site=code_of(segment, "AnatomicRegionSequence"),
            tracking_id=text_of(segment, "TrackingID"),
            tracking_uid=text_of(segment, "TrackingUID"),
            reader=text_of(self._ds, "ContentCreatorName"),
            measured_at=self._measured_at,
            comment=text_of(segment, "SegmentDescription"),
            by_algorithm=_algorithm(segment) if automatic else "",
        )

    @cached_property
    def _pixels(self) -> SegmentPixels | Unusable:
        return pixels_of(self._ds)

    @cached_property
    def _label_extents(self) -> Mapping[int, Sequence[FrameExtent]] | Unusable:
        numbers = {self.number(position) for position in range(len(self.segments))}
        return {} if isinstance(self._pixels, Unusable) else self._pixels.extents_of_labels(numbers)

    @cached_property
    def _frames_of_segments(self) -> Mapping[int, Sequence[int]]:
        count = 0 if isinstance(self._pixels, Unusable) else self._pixels.count
        return self._frames.of_segments(count, self.number(0) if len(self.segments) == 1 else None)


def _algorithm(segment: Dataset) -> str:
    """The name of the algorithm that made a segment (PS3.3 C.8.20.2, 10.16)."""
    identified = items_of(segment, "SegmentationAlgorithmIdentificationSequence")[:1]
    names = [text_of(segment, "SegmentAlgorithmName"), *(text_of(item, "AlgorithmName") for item in identified)]
    return next((name for name in names if name), UNNAMED)
