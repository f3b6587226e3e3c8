"""Objects that look like sources of measurements and are none: one reason for each. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from db.measurement import Rejected
from mining.elements import text_of
from mining.known_images import NO_IMAGES, KnownImages


def reject_other_reports(ds: Dataset, images: KnownImages = NO_IMAGES) -> Iterator[Rejected]:
    """One rejection for a report of another purpose, such as dose."""
    yield Rejected(
        text_of(ds, "SOPInstanceUID"), "1", "not_about_lesions", "a report of this class measures no lesions"
    )
