"""Objects that hold lesions or marks in a form that is not read yet: one reason for each of their parts. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from db.measurement import Measurement, Rejected
from mining.elements import integer_of, items_of, text_of
from mining.known_images import NO_IMAGES, KnownImages

MAX_PARTS = 10_000
"""Segments or regions listed of one object."""


def reject_regions(ds: Dataset, images: KnownImages = NO_IMAGES) -> Iterator[Measurement | Rejected]:
    """One rejection for each region of interest of an RTSTRUCT; its item is the ROI Number."""
    reason = "a region of a structure set has contours in mm, not axes"
    return _reject_parts(ds, "StructureSetROISequence", "ROINumber", "region_not_read", reason)


def reject_other_reports(ds: Dataset, images: KnownImages = NO_IMAGES) -> Iterator[Measurement | Rejected]:
    """One rejection for a report of another purpose, such as dose."""
    yield Rejected(
        text_of(ds, "SOPInstanceUID"), "1", "not_about_lesions", "a report of this class measures no lesions"
    )


def _reject_parts(
    ds: Dataset, sequence: str, number: str, reason_code: str, reason: str
) -> Iterator[Measurement | Rejected]:
    uid = text_of(ds, "SOPInstanceUID")
    parts = items_of(ds, sequence)
    for position, part in enumerate(parts[:MAX_PARTS], start=1):
        at = integer_of(part, number)
        yield Rejected(
            uid, f"{sequence}[{position}]", reason_code, f"number {at}: {reason}; this version does not read it"
        )
    if not parts:
        yield Rejected(uid, sequence, "empty", "the object holds no region at all")
