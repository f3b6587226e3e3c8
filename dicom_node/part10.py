"""Bytes ↔ what a Part 10 file says of itself: the file meta information and the UIDs of a data set. Pure.

Promise: a data set is looked at, never changed. It is walked and not decoded, without recursion, so that nothing which
a sender can nest or mis-state inside it does more than raise ContentError.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from db.errors import ContentError

IMPLEMENTATION_CLASS_UID = "2.25.304757897835406189515335972538286839801"
IMPLEMENTATION_VERSION_NAME = "LESION_NODE_1"

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
DEFLATED = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95")
"""Deflated Explicit VR Little Endian, JPIP Referenced Deflate (PS3.5 A.5, A.7): the data set is a deflate stream."""

SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
WANTED = (SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID)

ITEM = 0xFFFEE000
ITEM_END = 0xFFFEE00D
SEQUENCE_END = 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF

LONG_LENGTH_VRS = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
"""VRs whose length takes 32 bits behind two reserved bytes (PS3.5 Table 7.1-1)."""

_LARGE_BYTES, _MOST_INFLATED = 256 << 20, 100
"""No deflated data set becomes both larger than the first and that many times its stored size."""

_MAX_HEADER_BYTES = 64 << 20
_LAST_GROUP = 0x7FE0
"""Pixel Data; nothing but padding stands behind it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The UIDs inside a data set; empty where absent. Never longer than the file, always printable ASCII."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str


@dataclass(frozen=True, slots=True)
class Part10:
    """A file, taken apart: its meta information ('' where absent) and where its data set begins."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_set_at: int


def file_header(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, source_ae: str) -> bytes:
    """Preamble, prefix and file meta information (PS3.10 7.1) for a data set that was received from `source_ae`."""
    elements = b"".join(
        (
            struct.pack("<HH2sHI2s", 0x0002, 0x0001, b"OB", 0, 2, b"\0\1"),
            _short(0x0002, b"UI", sop_class_uid, b"\0"),
            _short(0x0003, b"UI", sop_instance_uid, b"\0"),
            _short(0x0010, b"UI", transfer_syntax_uid, b"\0"),
            _short(0x0012, b"UI", IMPLEMENTATION_CLASS_UID, b"\0"),
            _short(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME, b" "),
            _short(0x0016, b"AE", source_ae, b" ") if source_ae else b"",
        )
    )
    return bytes(128) + b"DICM" + struct.pack("<HH2sHI", 0x0002, 0x0000, b"UL", 4, len(elements)) + elements


def _short(element: int, vr: bytes, text: str, padding: bytes) -> bytes:
    value = text.encode("ascii", "replace")
    value += padding * (len(value) % 2)
    return struct.pack("<HH2sH", 0x0002, element, vr, len(value)) + value


def read_part10(content: bytes) -> Part10:
    """Where the data set of a file begins, and what its meta information says.

    A file without preamble, or without any meta information, is taken if it begins like a data set; its transfer
    syntax is then guessed from its first element. Raises ContentError if it is no DICOM file.
    """
    start = 132 if content[128:132] == b"DICM" else 0
    if content[start : start + 2] != b"\x02\x00":
        if start == 0 and not looks_like_data_set(content):
            raise ContentError("is not a DICOM file")
        return Part10("", "", guess_transfer_syntax(content, start), start)
    found: dict[int, bytes] = {}
    at = start
    try:
        for tag, value_at, length in _elements(content, start, EXPLICIT_LE):
            if tag >> 16 != 0x0002:
                break
            at = value_at + length
            if tag in (0x00020002, 0x00020003, 0x00020010):
                found[tag] = content[value_at:at]
    except ContentError as error:
        if not found:
            raise ContentError("the file meta information cannot be read") from error
    stated = uid_text(found.get(0x00020010, b""))
    return Part10(
        uid_text(found.get(0x00020002, b"")),
        uid_text(found.get(0x00020003, b"")),
        stated or guess_transfer_syntax(content, at),
        at,
    )


def looks_like_data_set(content: bytes) -> bool:
    """Whether bytes without a prefix may be a bare data set: they begin with a tag of group 0002 or 0008."""
    if len(content) < 16:
        return False
    if content[:2] in (b"\x02\x00", b"\x08\x00"):
        vr, length = content[4:6], struct.unpack_from("<I", content, 4)[0]
        return _is_vr(vr) or length <= 0xFFFF
    return content[:2] == b"\x00\x08" and _is_vr(content[4:6])


def guess_transfer_syntax(content: bytes, at: int) -> str:
    """The uncompressed transfer syntax that the first element of a data set is written in."""
    if not _is_vr(content[at + 4 : at + 6]):
        return IMPLICIT_LE
    return EXPLICIT_BE if content[at : at + 1] == b"\0" and content[at + 1 : at + 2] != b"\0" else EXPLICIT_LE


def identify(data_set: bytes, transfer_syntax_uid: str) -> Identity:
    """The UIDs that stand in a data set; reads no further than the Series Instance UID.

    Raises ContentError if its structure cannot be followed as far as that.
    """
    if transfer_syntax_uid in DEFLATED:
        return _identify_deflated(data_set)
    return _identify(data_set, transfer_syntax_uid)


def _identify(data_set: bytes, transfer_syntax_uid: str) -> Identity:
    found: dict[int, str] = {}
    elements = _elements(data_set, 0, transfer_syntax_uid)
    for number, (tag, value_at, length) in enumerate(elements):
        whole = length == UNDEFINED or value_at + length <= len(data_set)
        if number == 0 and (tag >> 16 > _LAST_GROUP or not whole):
            break
        if tag > SERIES_INSTANCE_UID:
            return _identity(found)
        if tag in WANTED and length != UNDEFINED:
            found[tag] = uid_text(data_set[value_at : value_at + length])
    else:
        if data_set:
            return _identity(found)
    raise ContentError("does not begin like a data set")


def _identity(found: dict[int, str]) -> Identity:
    return Identity(*(found.get(tag, "") for tag in WANTED))


def _identify_deflated(data_set: bytes) -> Identity:
    """As `_identify`, keeping only as much as is needed, and never more than `_MAX_HEADER_BYTES`."""
    _refuse_a_bomb(data_set)
    size = 1 << 16
    while True:
        try:
            inflater = zlib.decompressobj(-zlib.MAX_WBITS)
            head = inflater.decompress(data_set, size)
        except zlib.error as error:
            raise ContentError("the deflated data set cannot be inflated") from error
        try:
            return _identify(head, EXPLICIT_LE)
        except ContentError:
            if inflater.eof or len(head) < size or size >= _MAX_HEADER_BYTES:
                raise
            size *= 8


def _refuse_a_bomb(data_set: bytes) -> None:
    """Whoever reads the stored object inflates all of it: a few bytes must not become all of the memory."""
    inflater, size, rest = zlib.decompressobj(-zlib.MAX_WBITS), 0, data_set
    try:
        while rest and not inflater.eof:
            size += len(inflater.decompress(rest, 1 << 20))
            rest = inflater.unconsumed_tail
            if size > _LARGE_BYTES and size > _MOST_INFLATED * len(data_set):
                raise ContentError("the deflated data set inflates to over a hundred times its size", bytes=size)
    except zlib.error as error:
        raise ContentError("the deflated data set cannot be inflated") from error


def uid_text(value: bytes) -> str:
    """A UID as text: padding removed, anything that is not printable ASCII shown as an escape."""
    text = value.decode("latin-1").strip("\0 ")
    if text.isascii() and text.isprintable():
        return text
    return text.encode("unicode_escape").decode("ascii")


def _is_vr(letters: bytes) -> bool:
    return len(letters) == 2 and letters.isalpha() and letters.isupper()


def _elements(data: bytes, at: int, transfer_syntax_uid: str) -> Iterator[tuple[int, int, int]]:
    """Tag, place of the value, and length of each element of the outermost level, in the order of the bytes.

    An element of undefined length is given with UNDEFINED; what is inside it is passed over. A data set that says it
    is explicit and is not, is read as what it is (seen from real writers; pydicom does the same).
    """
    order = ">" if transfer_syntax_uid == EXPLICIT_BE else "<"
    explicit = transfer_syntax_uid != IMPLICIT_LE
    if explicit != _is_vr(data[at + 4 : at + 6]) and len(data) >= at + 8:
        explicit = not explicit
    end = len(data)
    while at < end:
        tag, vr, value_at, length = _element(data, at, order, explicit)
        if length == UNDEFINED:
            yield tag, value_at, UNDEFINED
            # An explicit UN of undefined length holds implicit VR little endian (PS3.5 6.2.2, note 4).
            inside = (order, explicit) if vr != b"UN" else ("<", False)
            at = _after_undefined(data, value_at, *inside)
            continue
        if value_at + length > end:
            if tag > SERIES_INSTANCE_UID:  # cut off behind what is wanted: the caller keeps it as it came
                yield tag, value_at, length
                return
            raise ContentError("the data set ends in the middle of an element", tag=f"{tag:08X}")
        yield tag, value_at, length
        at = value_at + length


def _element(data: bytes, at: int, order: str, explicit: bool) -> tuple[int, bytes, int, int]:
    """Tag, VR (empty if implicit or an item), place of the value and length of the element at `at`."""
    try:
        group, element = struct.unpack_from(order + "HH", data, at)
        tag = group << 16 | element
        vr = data[at + 4 : at + 6]
        if group == 0xFFFE or not explicit:
            return tag, b"", at + 8, struct.unpack_from(order + "I", data, at + 4)[0]
        if vr in LONG_LENGTH_VRS:
            return tag, vr, at + 12, struct.unpack_from(order + "I", data, at + 8)[0]
        if not _is_vr(vr):
            raise ContentError("an element has no value representation", tag=f"{tag:08X}")
        return tag, vr, at + 8, struct.unpack_from(order + "H", data, at + 6)[0]
    except struct.error as error:
        raise ContentError("the data set ends in the middle of an element") from error


def _after_undefined(data: bytes, at: int, order: str, explicit: bool) -> int:
    """Where the element behind a value of undefined length begins, however deep its items are nested."""
    encodings = [(order, explicit)]  # of every open sequence, the innermost last
    while encodings:
        order, explicit = encodings[-1]
        tag, vr, value_at, length = _element(data, at, order, explicit)
        at = value_at
        if tag == SEQUENCE_END:
            encodings.pop()
        elif tag in (ITEM, ITEM_END) and length in (UNDEFINED, 0):
            continue
        elif length == UNDEFINED:
            encodings.append((order, explicit) if vr != b"UN" else ("<", False))
        else:
            at += length
    return at
