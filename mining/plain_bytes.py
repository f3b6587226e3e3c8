"""Texts, codes and items straight from the bytes of an element, where they are plain. Pure.

To make elements and items of bytes is most of a walk through a report. Whatever is not plain gets None, and is then
read in the ordinary way, which gives the same wherever both give something. A text is plain where it is ASCII.
"""

from __future__ import annotations

from collections.abc import MutableSequence
from functools import lru_cache

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from db.codes import Code
from mining.plain_elements import Elements, plain_items

MAX_BYTES = 1_000
"""Longer texts are not plain: `mining.elements` knows where they are cut."""

_SEVERAL = {"CS", "SH", "LO", "UC", "UI"}
"""Texts of which a backslash ends the first (PS3.5 6.2)."""
_ONE = {"ST", "LT", "UT"}

_CHARACTER_SET, _VALUE, _SCHEME, _MEANING = 0x00080005, 0x00080100, 0x00080102, 0x00080104
_SHORT_TEXTS = ("SH", "LO")


def plain_text(element: DataElement | RawDataElement) -> str | None:
    """The first text of an element, as `mining.elements.text_of`."""
    if not isinstance(element, RawDataElement) or not isinstance(element.value, bytes):
        return None
    if element.VR in _SEVERAL:
        return _plain(element.value.partition(b"\\")[0])
    return _plain(element.value) if element.VR in _ONE else None


def plain_code(element: DataElement | RawDataElement) -> Code | None:
    """The only code of a sequence, as `mining.elements.code_of`, if it has a value and a meaning."""
    items = _items(element)
    if items is None or len(items) != 1:
        return None
    held = [items[0].get(tag, ("SH", b"")) for tag in (_VALUE, _SCHEME, _MEANING)]
    if any(vr not in _SHORT_TEXTS for vr, _ in held):
        return None
    value, scheme, meaning = (_plain(content.partition(b"\\")[0]) for _, content in held)
    return Code(value, scheme, meaning) if value and meaning and scheme is not None else None


def plain_sequence(element: DataElement | RawDataElement, encoding: str | MutableSequence[str]) -> list[Dataset] | None:
    """The items of a sequence, their own elements still bytes; encoding: that of the data set it stands in."""
    items = _items(element)
    return None if items is None else [_dataset(elements, encoding) for elements in items]


def _items(element: DataElement | RawDataElement) -> list[Elements] | None:
    if not isinstance(element, RawDataElement) or element.VR != "SQ" or not isinstance(element.value, bytes):
        return None
    if element.is_implicit_VR or not element.is_little_endian:
        return None
    items = plain_items(element.value)
    return None if items is None or any(_CHARACTER_SET in item for item in items) else items


def _dataset(elements: Elements, encoding: str | MutableSequence[str]) -> Dataset:
    ds = Dataset(
        {
            base_tag(tag): RawDataElement(base_tag(tag), vr, len(value), value, 0, False, True)
            for tag, (vr, value) in elements.items()
        },
        parent_encoding=encoding,
    )
    ds.set_original_encoding(False, True, encoding)
    return ds


@lru_cache(maxsize=4096)
def base_tag(tag: int) -> BaseTag:
    """One object for each tag: what is the same object need not be compared, which pydicom does slowly."""
    return BaseTag(tag)


def _plain(content: bytes) -> str | None:
    if len(content) > MAX_BYTES or not content.isascii() or b"\x1b" in content:
        return None
    return content.decode("ascii").replace("\0", "").strip()
