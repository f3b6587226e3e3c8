"""The elements of a data set in explicit VR, little endian, with lengths that are stated, one after the other. Pure.

The ordinary way makes an object of each; where that takes most of the time, these bytes are looked at first. What is
not plain gets None, and is then read in the ordinary way.
"""

from __future__ import annotations

from struct import Struct

Elements = dict[int, tuple[str, bytes]]
"""Tag → VR and value."""

_ELEMENT, _LONG_LENGTH, _ITEM = Struct("<HH2sH"), Struct("<L"), Struct("<HHL")
_LONG = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
_SHORT = (
    "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI",
    "UL", "US",
)  # fmt: skip
_IS_LONG = {vr.encode("ascii"): (vr, True) for vr in _LONG} | {vr.encode("ascii"): (vr, False) for vr in _SHORT}
"""Value representations by how long their length is (PS3.5 7.1.2)."""


def plain_elements(content: bytes, at: int, end: int, last: int | None = None) -> Elements | None:
    """The elements from one place in the bytes to another.

    last: the tag of an element behind which nothing is looked at, and which must be there.
    """
    found: Elements = {}
    while at + _ELEMENT.size <= end:
        group, number, vr, length = _ELEMENT.unpack_from(content, at)
        at += _ELEMENT.size
        name, is_long = _IS_LONG.get(vr, ("", False))
        if not name:
            return None
        if is_long:
            if at + _LONG_LENGTH.size > end:
                return None
            (length,) = _LONG_LENGTH.unpack_from(content, at)
            at += _LONG_LENGTH.size
        if at + length > end:  # an undefined length, too
            return None
        tag = group << 16 | number
        found[tag] = (name, content[at : at + length])
        if tag == last:
            return found
        at += length
    return found if at == end and last is None else None


def plain_items(content: bytes) -> list[Elements] | None:
    """The items of a sequence."""
    items: list[Elements] = []
    at, end = 0, len(content)
    while at + _ITEM.size <= end:
        group, number, length = _ITEM.unpack_from(content, at)
        at += _ITEM.size
        if (group, number) != (0xFFFE, 0xE000) or at + length > end:
            return None
        elements = plain_elements(content, at, at + length)
        if elements is None:
            return None
        items.append(elements)
        at += length
    return items if at == end else None
