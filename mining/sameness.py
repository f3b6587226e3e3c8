"""Whether two contents of one instance show the same: a digest of the pixels, or of what a document says. Pure.

Corrected demographics and lossless re-compression keep the digest; other pixels or another finding change it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels.decoders.base import get_decoder
from pydicom.sequence import Sequence

from mining.elements import UNREADABLE
from mining.pixels import PREFERRED_DECODER

PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

DEMOGRAPHIC_GROUPS = frozenset((0x0010, 0x0012, 0x0032))
"""Patient, clinical trial, request: what a correction changes."""

DEMOGRAPHIC_KEYWORDS = frozenset(
    (
        "SpecificCharacterSet",
        "TimezoneOffsetFromUTC",
        "InstanceCreationDate",
        "InstanceCreationTime",
        "InstanceCreatorUID",
        "InstanceCoercionDateTime",
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "IssuerOfAccessionNumberSequence",
        "InstitutionName",
        "InstitutionAddress",
        "InstitutionalDepartmentName",
        "ReferringPhysicianName",
        "ReferringPhysicianIdentificationSequence",
        "ConsultingPhysicianName",
        "PhysiciansOfRecord",
        "NameOfPhysiciansReadingStudy",
        "StudyDescription",
        "ProcedureCodeSequence",
        "ReferencedStudySequence",
        "ReferencedPatientSequence",
        "AdmittingDiagnosesDescription",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "StudyID",
        "RequestAttributesSequence",
        "OriginalAttributesSequence",
    )
)
"""Further attributes of the patient, the study and their correction; at the outermost level only."""


class _Incomparable(Exception):
    """The content cannot be read far enough to be compared."""


def content_digest(ds: Dataset, content_sha256: str) -> str:
    """The same text for the same pixels, or for the same document.

    content_sha256: of the bytes; stands in where the content cannot be read, so that it equals nothing else.
    """
    digest = sha256()
    try:
        for part in _pixels(ds) if any(keyword in ds for keyword in PIXEL_KEYWORDS) else _document(ds, outermost=True):
            digest.update(part)
    except (_Incomparable, *UNREADABLE):
        return content_sha256
    return digest.hexdigest()


def _pixels(ds: Dataset) -> Iterator[bytes]:
    """Every decoded frame, as 32-bit numbers, so that neither compression nor bit depth of the storage shows."""
    yield repr([ds.get(keyword) for keyword in ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel")]).encode()
    for keyword in PIXEL_KEYWORDS[1:]:
        if keyword in ds:
            yield bytes(ds[keyword].value)
    if "PixelData" not in ds:
        return
    syntax = ds.file_meta.TransferSyntaxUID
    try:
        frames = get_decoder(syntax).iter_array(ds, decoding_plugin=PREFERRED_DECODER.get(syntax, ""))
        for frame, _ in frames:
            yield np.ascontiguousarray(frame, dtype="<i4").tobytes()
    except RuntimeError as error:
        raise _Incomparable from error


def _document(ds: Dataset, outermost: bool = False) -> Iterator[bytes]:
    """Every element that a correction of demographics leaves alone, with its nesting."""
    for element in ds:
        if outermost and (element.tag.group in DEMOGRAPHIC_GROUPS or element.keyword in DEMOGRAPHIC_KEYWORDS):
            continue
        yield struct.pack("<I", element.tag)
        if isinstance(element.value, Sequence):
            for item in element.value:
                yield b"("
                yield from _document(item)
                yield b")"
        else:
            yield _text(element.value)


def _text(value: Any) -> bytes:
    """A value without what the encoding adds: padding, character set, number of digits in a binary number."""
    if value is None:
        return b"\x1f"
    if isinstance(value, bytes):
        return value.rstrip(b"\0 ") + b"\x1f"
    if isinstance(value, MultiValue | list | tuple):
        return b"\\".join(_text(part) for part in value)
    return str(value).encode("utf-8", "surrogateescape") + b"\x1f"
