"""A structure set → one measurement for each lesion region, on the slice where it is longest. Pure.

Contours are in the patient: they go onto the image that they name, else onto an image of the frame of reference that
holds them (`mining.region_slices` states how near). Only what is meant as a lesion is measured: interpreted type GTV,
or by its code or name (`mining.region_kind`). CTV, PTV and ITV have margins; organs, the skin, supports, markers and
an isocentre are no lesions; where the type says organ and the name says lesion, nobody knows.

A closed region gives derived axes; an open contour of two points is a diameter that a person drew; a point is a weak
label.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from pydicom.dataset import Dataset

from db.codes import Code
from db.measurement import Found, Measurement, Rejected, Source, WeakLabel
from mining.drawings import Shape, Unusable, shape_of
from mining.elements import code_of, integer_of, items_of, moment_of, text_of
from mining.known_images import NO_IMAGES, KnownImages
from mining.readers.rt_contours import CLOSED, Contour, Contours
from mining.readers.seg import NO_LESION, UNNAMED, other_pieces
from mining.region_kind import RegionKind, kind_of_name, kind_of_region
from mining.region_slices import OnImage

MAX_REGIONS = 1_000
"""Of one object; a plan has some dozens."""

MAX_MARKS = 1_000
"""Points and lines of one region."""

MARGINS = {"PTV", "CTV", "ITV", "TREATED_VOLUME", "IRRAD_VOLUME"}
"""RT ROI Interpreted Types (PS3.3 C.8.8.8.1) of the lesion with what is around it."""

UNCLEAR = Unusable(
    "unclear_region",
    "nothing says whether it is a lesion; the interpreted type GTV, or a name that says GTV, lesion, tumor or lymph"
    " node, lets it in",
)
CONTRADICTION = Unusable("unclear_region", "the interpreted type is none of a lesion, but the name says lesion")


def read_rtstruct(ds: Dataset, images: KnownImages = NO_IMAGES) -> Iterator[Found]:
    """What each region of interest gives, at `StructureSetROISequence[n]`, its points and lines below that; n from 1.

    images: where the contours lie; without them nothing is placed. Source: PS3.3 C.8.8.5, C.8.8.6 and C.8.8.8.
    """
    uid = text_of(ds, "SOPInstanceUID")
    regions = items_of(ds, "StructureSetROISequence")
    contours = Contours(ds, images)
    for position, roi in enumerate(regions[:MAX_REGIONS]):
        yield from _Region(ds, roi, f"StructureSetROISequence[{position + 1}]", contours).found()
    if not regions:
        yield Rejected(uid, "StructureSetROISequence", "no_measurement", "the object holds no region at all")
    if len(regions) > MAX_REGIONS:
        left = len(regions) - MAX_REGIONS
        yield Rejected(uid, "StructureSetROISequence", "too_many_regions", f"and {left} more regions")


class _Region:
    """One region of interest: its contours and what is said about it."""

    def __init__(self, ds: Dataset, roi: Dataset, item: str, contours: Contours) -> None:
        self._ds = ds
        self._roi = roi
        self._item = item
        self._uid = text_of(ds, "SOPInstanceUID")
        self._contours = contours
        number = integer_of(roi, "ROINumber")
        self._number = number
        self._observed = contours.observation(number)

    def found(self) -> Iterator[Found]:
        refused = self._no_lesion()
        contours = refused or self._contours.of_region(self._number)
        if isinstance(contours, Unusable):
            yield self._rejected(self._item, contours)
            return
        closed = [contour for contour in contours if contour.kind in CLOSED]
        if closed:
            yield from self._closed(closed)
        marks = [contour for contour in contours if contour.kind not in CLOSED]
        for contour in marks[:MAX_MARKS]:
            yield self._mark(contour)
        if len(marks) > MAX_MARKS:
            yield self._rejected(self._item, Unusable("too_many_drawings", f"over {MAX_MARKS} marks are not read on"))
        if not contours:
            yield self._rejected(self._item, Unusable("empty_region", "the region has no contour"))

    def _no_lesion(self) -> Unusable | None:
        """Why the region is no lesion, or None."""
        interpreted = text_of(self._observed, "RTROIInterpretedType").upper()
        name = text_of(self._roi, "ROIName")
        if interpreted in MARGINS or kind_of_name(name) is RegionKind.MARGIN:
            return NO_LESION[RegionKind.MARGIN]
        if interpreted == "GTV":
            return None
        category = code_of(self._observed, "SegmentedPropertyCategoryCodeSequence")
        kind = kind_of_region(category, self._code, name)
        if interpreted:
            return CONTRADICTION if kind is RegionKind.LESION else NO_LESION[RegionKind.ANATOMY]
        return UNCLEAR if kind is RegionKind.UNCLEAR else NO_LESION.get(kind)

    def _closed(self, contours: Sequence[Contour]) -> Iterator[Found]:
        region = self._contours.longest(contours, self._frame_of_reference)
        if isinstance(region, Unusable):
            yield self._rejected(self._item, region)
            return
        yield self._measurement(self._item, region.on, region.outlined.shape)
        if region.outlined.others:
            yield self._rejected(self._item, Unusable("other_pieces", other_pieces(region)))

    def _mark(self, contour: Contour) -> Found:
        """A point or an open line."""
        item = f"{self._item}.ContourSequence[{contour.position}]"
        on = self._contours.place([contour], self._frame_of_reference)
        if isinstance(on, Unusable):
            return self._rejected(item, on)
        points = contour.on(on)
        if contour.kind == "POINT" and len(points) == 1:
            return WeakLabel(Source(self._uid, item, "RTSTRUCT"), on.image, points[0], **self._said)
        shape = shape_of("POLYLINE", points, on.spacing)
        return self._rejected(item, shape) if isinstance(shape, Unusable) else self._measurement(item, on, shape)

    def _measurement(self, item: str, on: OnImage, shape: Shape) -> Measurement:
        return Measurement(
            source=Source(self._uid, item, "RTSTRUCT"),
            image=on.image,
            long_axis=shape.long_axis,
            short_axis=shape.short_axis,
            derived=not shape.is_line,
            outline=shape.outline,
            **self._said,
        )

    @cached_property
    def _said(self) -> dict[str, Any]:
        """What the object says about the region, by the names of `Measurement`."""
        name = text_of(self._roi, "ROIName")
        readers = [(self._observed, "ROIInterpreter"), (self._ds, "ReviewerName"), (self._ds, "OperatorsName")]
        automatic = text_of(self._roi, "ROIGenerationAlgorithm").upper() == "AUTOMATIC"
        offset = text_of(self._ds, "TimezoneOffsetFromUTC")
        return {
            "finding": self._code or (Code("", "", name) if name else None),
            "tracking_id": name,
            "reader": next((reader for ds, keyword in readers if (reader := text_of(ds, keyword))), ""),
            "measured_at": moment_of(self._ds, "StructureSetDate", "StructureSetTime", offset),
            "comment": text_of(self._roi, "ROIDescription") or text_of(self._observed, "ROIObservationDescription"),
            "by_algorithm": self._algorithm if automatic else "",
        }

    @property
    def _code(self) -> Code | None:
        return code_of(self._observed, "RTROIIdentificationCodeSequence")

    @property
    def _algorithm(self) -> str:
        identified = items_of(self._roi, "ROIDerivationAlgorithmIdentificationSequence")[:1]
        return next((name for item in identified if (name := text_of(item, "AlgorithmName"))), UNNAMED)

    @property
    def _frame_of_reference(self) -> str:
        named = [
            text_of(self._roi, "ReferencedFrameOfReferenceUID"),
            *(text_of(f, "FrameOfReferenceUID") for f in items_of(self._ds, "ReferencedFrameOfReferenceSequence")[:1]),
            text_of(self._ds, "FrameOfReferenceUID"),
        ]
        return next((uid for uid in named if uid), "")

    def _rejected(self, item: str, why: Unusable) -> Rejected:
        return Rejected(self._uid, item, why.reason_code, why.reason)
