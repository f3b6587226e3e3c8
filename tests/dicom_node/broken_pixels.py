"""CT images on which a decoder does not fail but falls: in its own process they would end the test."""

from __future__ import annotations

import io
import struct

import numpy as np
from arriving import ct, with_meta
from PIL import Image
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, RLELossless


def jpeg_without_its_tables(number: int = 1, **changes: object) -> Dataset:
    """GDCM throws through its own C code: "terminate called", SIGABRT."""
    content = io.BytesIO()
    Image.fromarray(np.arange(24, dtype=np.uint8).reshape(6, 4)).save(content, "JPEG")
    frame = bytearray(content.getvalue())
    frame[frame.index(b"\xff\xc4")] = 0  # the marker of a Huffman table
    bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    return _with_frame(ct(number, **bits, **changes), bytes(frame), JPEGBaseline8Bit)


def rle_with_a_long_segment(number: int = 1, **changes: object) -> Dataset:
    """pylibjpeg-rle panics with an exception that is no `Exception`."""
    frame = struct.pack("<16I", 2, 64, 65, *[0] * 13) + bytes.fromhex("9281d87f108063a6b3b6e8c3c52d")
    return _with_frame(ct(number, **changes), frame, RLELossless)


def _with_frame(ds: Dataset, frame: bytes, transfer_syntax_uid: str) -> Dataset:
    ds = with_meta(ds, transfer_syntax_uid)
    ds.PixelData = encapsulate([frame + b"\0" * (len(frame) % 2)])
    ds["PixelData"].VR = "OB"
    return ds
