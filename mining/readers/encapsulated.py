"""What is no DICOM document and came in as one: the bytes inside, and how such objects are known. Pure."""

from __future__ import annotations

from pydicom.dataset import Dataset

from mining.elements import integer_of, value_of

AIM_DOCUMENT = "2.25.127965327879921342704668856189455457522"
"""SOP class of an AIM file in an object of this node; private, and never to be changed: stored objects have it."""

BOOKMARKS = "2.25.12737348444004910944365628400794662242"
"""SOP class of the rows of a CSV file that are about one study."""

MAX_BYTES = 8 << 20
"""No annotation and no study's bookmarks are larger."""


def encapsulated(ds: Dataset) -> bytes | None:
    """The Encapsulated Document without its padding (PS3.3 C.24.2); None where there is none, or one too large."""
    content = value_of(ds, "EncapsulatedDocument")
    if not isinstance(content, bytes) or not content or len(content) > MAX_BYTES:
        return None
    length = integer_of(ds, "EncapsulatedDocumentLength")
    if length is not None and len(content) - 1 <= length <= len(content):
        return content[:length]
    return content
