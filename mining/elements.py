"""Read elements of foreign objects: what is missing, of the wrong kind or unreadable is None, never an error. Pure."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from math import isfinite
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as ItemSequence
from pydicom.tag import BaseTag

from db.codes import Code
from mining.plain_bytes import base_tag, plain_code, plain_sequence, plain_text

MAX_TEXT = 4000
"""Longer texts are cut: nobody names a lesion in a novel, and a database row stays small."""

MAX_NUMBER = 1e7
"""No pixel, millimetre or stated value is larger; what is, would only overflow later."""

UNREADABLE = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    NotImplementedError,
    struct.error,
    EOFError,
    BytesLengthException,
    OSError,
    RecursionError,
)
"""What pydicom raises when the bytes of an element do not fit its VR, or when its items are nested deeper than Python
can follow; it converts them only now, on access."""


def value_of(ds: Dataset, keyword: str) -> Any:
    """The value of one element; None where it is absent, empty or unreadable."""
    element = _stored(ds, keyword)
    return None if element is None else _converted(ds, element)


def _stored(ds: Dataset, keyword: str) -> DataElement | RawDataElement | None:
    """An element as it stands: as bytes before its value is asked for; None where it is absent or cannot be read."""
    try:
        return ds.get_item(_tag(keyword))
    except UNREADABLE:  # a value that was left in its file
        return None


def _converted(ds: Dataset, element: DataElement | RawDataElement) -> Any:
    try:
        value = ds[element.tag].value if isinstance(element, RawDataElement) else element.value
    except UNREADABLE:
        return None
    return None if value is None or value == "" else value


@cache
def _tag(keyword: str) -> BaseTag:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"{keyword} is no keyword of the DICOM dictionary")
    return base_tag(tag)


def first_of(ds: Dataset, keyword: str) -> Any:
    """The first of an element's values."""
    return _first(value_of(ds, keyword))


def _first(value: Any) -> Any:
    if isinstance(value, MultiValue | list | tuple):
        return value[0] if value else None
    return value


def items_of(ds: Dataset, keyword: str) -> Sequence[Dataset]:
    """The items of a sequence; empty where it is absent or no sequence."""
    element = _stored(ds, keyword)
    if element is None:
        return ()
    items = plain_sequence(element, ds.original_character_set) if ds.original_character_set else None
    if items is not None:
        ds[element.tag] = DataElement(element.tag, "SQ", ItemSequence(items))
        return items
    value = _converted(ds, element)
    return value if isinstance(value, ItemSequence) else ()


def text_of(ds: Dataset, keyword: str) -> str:
    """One text, without NUL and lone surrogates, which no database takes."""
    element = _stored(ds, keyword)
    if element is None:
        return ""
    plain = plain_text(element)
    if plain is not None:
        return plain
    value = _first(_converted(ds, element))
    if value is None or isinstance(value, bytes | ItemSequence):
        return ""
    try:
        text = str(value)
    except UNREADABLE:
        return ""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()[:MAX_TEXT]


def number_of(ds: Dataset, keyword: str) -> float | None:
    """The first value as a finite number."""
    value = first_of(ds, keyword)
    try:
        number = float(value)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return number if isfinite(number) and abs(number) <= MAX_NUMBER else None


def integer_of(ds: Dataset, keyword: str) -> int | None:
    number = number_of(ds, keyword)
    return None if number is None else int(number)


def numbers_of(ds: Dataset, keyword: str) -> tuple[float, ...] | None:
    """All values as finite numbers; empty where it is absent, None if any of them is not such a number."""
    value = value_of(ds, keyword)
    if value is None:
        return ()
    try:
        numbers = tuple(map(float, value)) if isinstance(value, MultiValue | list | tuple) else (float(value),)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return numbers if all(isfinite(n) and abs(n) <= MAX_NUMBER for n in numbers) else None


def code_of(ds: Dataset, keyword: str) -> Code | None:
    """The first item of a code sequence (PS3.3 8.8), with the long and the URN form of the value."""
    element = _stored(ds, keyword)
    plain = None if element is None else plain_code(element)
    if plain is not None:
        return plain
    for item in items_of(ds, keyword)[:1]:
        value = text_of(item, "CodeValue") or text_of(item, "LongCodeValue") or text_of(item, "URNCodeValue")
        meaning = text_of(item, "CodeMeaning")
        if value or meaning:
            return Code(value, text_of(item, "CodingSchemeDesignator"), meaning)
    return None


def moment_of(ds: Dataset, date_keyword: str, time_keyword: str, offset: str = "") -> datetime | None:
    """A DA and a TM element as one moment; midnight where the time is missing."""
    date, time = text_of(ds, date_keyword), text_of(ds, time_keyword)
    return moment(date.replace(".", "").replace("-", "") + time.replace(":", ""), offset) if date else None


def moment(text: str, offset: str = "") -> datetime | None:
    """A DT value (PS3.5 6.2) as a moment, or None.

    offset: Timezone Offset From UTC of the object; the value's own goes before it. UTC is assumed where neither
    is given, because a pure reader knows no local time.
    """
    sign = max(text.rfind("+"), text.rfind("-"))
    if sign >= 8:
        text, offset = text[:sign], text[sign:]
    digits = text.split(".")[0].ljust(14, "0")[:14]
    try:
        local = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=_zone(offset))
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(offset: str) -> timezone:
    if len(offset) != 5 or offset[0] not in "+-" or not offset[1:].isdigit():
        return UTC
    shift = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5]))
    return timezone(-shift if offset[0] == "-" else shift)
