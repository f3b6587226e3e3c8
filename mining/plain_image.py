"""The Hounsfield units of an ordinary CT slice straight from the bytes of its file. Pure.

To make a data set of a file and to ask it for its frame takes most of the time that the harvest spends on pixels.
What is not plain gets None and is read in the ordinary way: anything but explicit VR, little endian, one frame of 16
bits, lengths that are stated, and a linear rescale to HU.
"""

from __future__ import annotations

from math import isfinite

import numpy as np

from mining.pixels import Hu, in_hu
from mining.plain_elements import Elements, plain_elements

_SYNTAX, _MODALITY, _PHOTOMETRIC = 0x00020010, 0x00080060, 0x00280004
_SAMPLES, _FRAMES, _ROWS, _COLUMNS = 0x00280002, 0x00280008, 0x00280010, 0x00280011
_ALLOCATED, _STORED, _SIGNED = 0x00280100, 0x00280101, 0x00280103
_PADDING, _PADDING_LIMIT = 0x00280120, 0x00280121
_INTERCEPT, _SLOPE, _RESCALE_TYPE = 0x00281052, 0x00281053, 0x00281054
_SHARED_GROUPS, _FRAME_GROUPS, _PIXELS = 0x52009229, 0x52009230, 0x7FE00010


def plain_hu(content: bytes) -> Hu | None:
    """The whole image (H, W) of a file, as `mining.pixels.frame_hu`; None for all that is not plain."""
    found = plain_elements(content, 132, len(content), last=_PIXELS) if content[128:132] == b"DICM" else None
    if found is None or not _is_plain(found):
        return None
    rows, columns = _number(found, _ROWS), _number(found, _COLUMNS)
    slope, intercept = _decimal(found, _SLOPE), _decimal(found, _INTERCEPT)
    vr, pixels = found[_PIXELS]
    if not rows or not columns or slope is None or intercept is None or vr != "OW":
        return None
    if len(pixels) != 2 * rows * columns:
        return None
    padding = None
    if _PADDING in found:
        value = _number(found, _PADDING)
        limit = _number(found, _PADDING_LIMIT) if _PADDING_LIMIT in found else value
        if value is None or limit is None:
            return None
        padding = (min(value, limit), max(value, limit))
    stored = np.frombuffer(pixels, "<i2" if _number(found, _SIGNED) else "<u2").reshape(rows, columns)
    unused = 16 - (_number(found, _STORED) or 16)
    if unused:  # bits that may hold anything, or no sign
        stored = stored << unused >> unused
    return in_hu(stored, slope, intercept, padding)


def _is_plain(found: Elements) -> bool:
    return (
        _text(found, _SYNTAX) == "1.2.840.10008.1.2.1"
        and _text(found, _MODALITY) == "CT"
        and _text(found, _RESCALE_TYPE) in ("", "HU")
        and _text(found, _PHOTOMETRIC) in ("MONOCHROME1", "MONOCHROME2")
        and _number(found, _SAMPLES) == 1
        and _number(found, _ALLOCATED) == 16
        and _number(found, _STORED) in range(1, 17)
        and _number(found, _SIGNED) in (0, 1)
        and not {_FRAMES, _SHARED_GROUPS, _FRAME_GROUPS} & found.keys()
    )


def _text(found: Elements, tag: int) -> str | None:
    """Empty where it is absent; None if it is not ASCII."""
    _, value = found.get(tag, ("", b""))
    return value.decode("ascii").strip("\0 ") if value.isascii() else None


def _number(found: Elements, tag: int) -> int | None:
    vr, value = found.get(tag, ("", b""))
    if vr not in ("US", "SS") or len(value) != 2:
        return None
    return int.from_bytes(value, "little", signed=vr == "SS")


def _decimal(found: Elements, tag: int) -> float | None:
    text = _text(found, tag)
    try:
        number = float(text) if text else None
    except ValueError:
        return None
    return number if number is not None and isfinite(number) else None
