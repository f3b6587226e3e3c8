"""Texts and codes straight from an element's bytes, where they are plain ASCII. Pure.

To make elements and items of bytes is most of a walk through a report. Whatever is not plain gets None, and is then
read in the ordinary way, which gives the same wherever both give something.
"""

from __future__ import annotations

from struct import Struct

from pydicom.dataelem import DataElement, RawDataElement

from db.codes import Code

MAX_BYTES = 1_000
"""Longer texts are not plain: `mining.elements` knows where they are cut."""

_SEVERAL = {"CS", "SH", "LO", "UC", "UI"}
"""Texts of which a backslash ends the first (PS3.5 6.2)."""
_ONE = {"ST", "LT", "UT"}

_ITEM = Struct("<HHL")
_ELEMENT = Struct("<HH2sH")
_SHORT_TEXTS = {b"CS", b"SH", b"LO", b"UI", b"DT"}
"""What a code's elements have as VR, with a length of two bytes (PS3.5 7.1.2)."""

_START_OF_ITEM = (0xFFFE, 0xE000)
_CHARACTER_SET, _VALUE, _SCHEME, _MEANING = (8, 0x0005), (8, 0x0100), (8, 0x0102), (8, 0x0104)


def plain_text(element: DataElement | RawDataElement) -> str | None:
    """The first text of an element, as `mining.elements.text_of`."""
    if not isinstance(element, RawDataElement) or not isinstance(element.value, bytes):
        return None
    if element.VR in _SEVERAL:
        return _plain(element.value.partition(b"\\")[0])
    return _plain(element.value) if element.VR in _ONE else None


def plain_code(element: DataElement | RawDataElement) -> Code | None:
    """The only code of a sequence, as `mining.elements.code_of`, if it has a value and a meaning.

    In explicit VR and little endian, with lengths that are stated.
    """
    if not isinstance(element, RawDataElement) or element.VR != "SQ" or not isinstance(element.value, bytes):
        return None
    content = element.value
    if element.is_implicit_VR or not element.is_little_endian or len(content) < _ITEM.size:
        return None
    group, number, length = _ITEM.unpack_from(content)
    end = _ITEM.size + length
    if (group, number) != _START_OF_ITEM or end != len(content):
        return None
    texts: dict[tuple[int, int], bytes] = {}
    at = _ITEM.size
    while at + _ELEMENT.size <= end:
        group, number, vr, length = _ELEMENT.unpack_from(content, at)
        if vr not in _SHORT_TEXTS or (group, number) == _CHARACTER_SET:
            return None
        at += _ELEMENT.size + length
        texts[group, number] = content[at - length : at]
    if at != end:
        return None
    value, scheme, meaning = (_plain(texts.get(tag, b"").partition(b"\\")[0]) for tag in (_VALUE, _SCHEME, _MEANING))
    return Code(value, scheme, meaning) if value and meaning and scheme is not None else None


def _plain(content: bytes) -> str | None:
    if len(content) > MAX_BYTES or not content.isascii() or b"\x1b" in content:
        return None
    return content.decode("ascii").replace("\0", "").strip()
