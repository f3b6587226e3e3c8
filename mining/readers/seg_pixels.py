"""The pixels of a segmentation, one frame at a time: bit-packed, fractional or a label map. Pure.

No decoder of an image library runs here, for one may abort its whole process on foreign bytes: frames are stored as
they are, or compressed by RLE or deflate, which a few lines undo.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from scipy import ndimage

from mining.drawings import Unusable
from mining.elements import UNREADABLE, first_of, integer_of, number_of, text_of, value_of
from mining.masks import Flags, extent_of

Stored = npt.NDArray[np.unsignedinteger]

DEFLATED_IMAGE_FRAME = "1.2.840.10008.1.2.8.1"
"""Deflated Image Frame Compression (PS3.5 A.4.13)."""

NATIVE = {uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian,
          uid.DeflatedExplicitVRLittleEndian}  # fmt: skip

MAX_PIXELS = 1 << 30
"""That are looked through of one object: 4,096 frames of 512 by 512. More would hold up all others."""

MAX_COMPRESSED_PIXELS = 1 << 27
"""The same, where RLE or deflate has to be undone: 512 frames of 512 by 512."""

MAX_RLE_BYTES = 8_000_000
"""Of all frames: RLE of two bytes a run is undone at four million runs a second."""

TOO_LARGE = Unusable("too_large", "so many frames are not looked through; send the segments in parts")

MAX_FRAME_PIXELS = 1 << 24


@dataclass(frozen=True, slots=True)
class FrameExtent:
    """Where a segment has pixels on a frame (0-based)."""

    frame: int
    rows: slice
    columns: slice


Raw = Callable[[int], tuple[bytes | memoryview, int]]
"""Frame (0-based) → the bytes that hold it, and the bit in them where it begins."""


class SegmentPixels:
    """The frames of a segmentation; `rows` by `columns` pixels each."""

    def __init__(
        self,
        raw: Raw,
        count: int,
        size: tuple[int, int],
        bits: int,
        threshold: int | None,
        big_endian: bool = False,
        most: int = MAX_PIXELS,
    ) -> None:
        """threshold: the least stored value inside a segment; None for a label map."""
        self._raw = raw
        self.count = count
        self.rows, self.columns = size
        self._bits = bits
        self._threshold = threshold
        self._big_endian = big_endian
        self._left = most
        """So many pixels are looked through yet."""

    @property
    def is_label_map(self) -> bool:
        return self._threshold is None

    def mask(self, extent: FrameExtent, number: int) -> Flags:
        """A segment's pixels within its extent on a frame."""
        return self._inside(self._stored(extent.frame)[extent.rows, extent.columns], number)

    def extents_on(self, number: int, frames: Sequence[int]) -> list[FrameExtent] | Unusable:
        """Where a segment has pixels on those frames (0-based)."""
        found = []
        if not self._may_look_through(len(frames)):
            return TOO_LARGE
        for frame in frames:
            if frame < self.count:
                box = extent_of(self._inside(self._stored(frame), number))
                if box is not None:
                    found.append(FrameExtent(frame, *box))
        return found

    def extents_of_labels(self, numbers: Collection[int]) -> Mapping[int, Sequence[FrameExtent]] | Unusable:
        """Label → where it has pixels on the frames of a label map; each frame is looked through once for all."""
        if not self._may_look_through(self.count):
            return TOO_LARGE
        found: dict[int, list[FrameExtent]] = defaultdict(list)
        for frame in range(self.count):
            stored = self._stored(frame)
            for label, box in enumerate(ndimage.find_objects(stored), start=1):
                if box is not None and label in numbers:
                    found[label].append(FrameExtent(frame, *box))
        return found

    def _may_look_through(self, frames: int) -> bool:
        self._left -= frames * self.rows * self.columns
        return self._left >= 0

    def _inside(self, stored: Stored, number: int) -> Flags:
        flags: Flags = stored == number if self._threshold is None else stored >= self._threshold
        return flags

    def _stored(self, frame: int) -> Stored:
        """The stored values of a frame, (H, W); what is missing at its end is 0."""
        pixels = self.rows * self.columns
        raw, first_bit = self._raw(frame)
        if self._bits == 1:
            flat = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")[first_bit : first_bit + pixels]
        else:
            order = ">" if self._big_endian else "<"
            whole = len(raw) // (self._bits // 8) * (self._bits // 8)
            flat = np.frombuffer(raw[:whole], f"{order}u{self._bits // 8}")[:pixels].astype(
                f"u{self._bits // 8}", copy=False
            )
        if len(flat) < pixels:
            flat = np.pad(flat, (0, pixels - len(flat)))
        stored: Stored = flat.reshape(self.rows, self.columns)
        return stored


def pixels_of(ds: Dataset) -> SegmentPixels | Unusable:
    """The pixels of a SEG, with a reason where they are none that can be measured.

    Source: PS3.3 C.8.20.2 (Segmentation Image), PS3.5 8.1.1 (1 bit, the first pixel in the lowest bit).
    """
    rows, columns, bits = (integer_of(ds, name) or 0 for name in ("Rows", "Columns", "BitsAllocated"))
    frames = integer_of(ds, "NumberOfFrames") or 1
    refused = _refused(ds, rows, columns, bits, frames)
    if refused is not None:
        return refused
    data = value_of(ds, "PixelData")
    if not isinstance(data, bytes) or not data:
        return Unusable("no_pixels", "the segmentation has no pixels")
    syntax, threshold, size, pixels = _syntax(ds), _threshold(ds), (rows, columns), rows * columns
    if syntax in NATIVE:
        big_endian = syntax == uid.ExplicitVRBigEndian
        if big_endian and bits == 1 and ds["PixelData"].VR == "OW":
            data = np.frombuffer(data[: len(data) // 2 * 2], "<u2").byteswap().tobytes()
        held = min(frames, -(-len(data) * 8 // (pixels * bits)))
        return SegmentPixels(_native(memoryview(data), pixels * bits), held, size, bits, threshold, big_endian)
    try:
        encoded = list(generate_frames(data, number_of_frames=frames))[:frames]
    except (RuntimeError, *UNREADABLE):
        return Unusable("bad_pixels", "the compressed frames cannot be told apart")
    if syntax == uid.RLELossless and sum(map(len, encoded)) > MAX_RLE_BYTES:
        return Unusable("too_large", f"over {MAX_RLE_BYTES} bytes of RLE are not undone; send it uncompressed")
    undo = (
        partial(undo_rle, pixels=pixels, samples=bits // 8)
        if syntax == uid.RLELossless
        else partial(_inflated, size=(pixels * bits + 7) // 8)
    )
    return SegmentPixels(
        lambda frame: (undo(encoded[frame]), 0), len(encoded), size, bits, threshold, most=MAX_COMPRESSED_PIXELS
    )


def _native(data: memoryview, frame_bits: int) -> Raw:
    """Frames follow each other without a gap, even where one ends inside a byte."""

    def raw(frame: int) -> tuple[memoryview, int]:
        first = frame * frame_bits
        return data[first // 8 : (first + frame_bits + 7) // 8], first % 8

    return raw


def _refused(ds: Dataset, rows: int, columns: int, bits: int, frames: int) -> Unusable | None:
    if text_of(ds, "DimensionOrganizationType").upper().startswith("TILED") or value_of(ds, "TotalPixelMatrixColumns"):
        return Unusable("tiled_segments", "a tiled segmentation is one of a microscopic slide, not of slices")
    if (integer_of(ds, "SamplesPerPixel") or 1) != 1:
        return Unusable("color_segments", "a segmentation in colour tells no segments apart")
    if rows <= 0 or columns <= 0 or rows * columns > MAX_FRAME_PIXELS or frames <= 0:
        return Unusable("bad_size", "rows, columns and frames of the segmentation are no size of an image")
    if bits not in (1, 8, 16):
        return Unusable("bad_pixels", f"{bits} bits a pixel are not those of a segmentation")
    syntax = _syntax(ds)
    if syntax not in NATIVE and syntax not in (uid.RLELossless, DEFLATED_IMAGE_FRAME):
        return Unusable("compressed_pixels", "pixels of this transfer syntax are not decoded; send it uncompressed")
    if syntax == uid.RLELossless and bits == 1:
        return Unusable("bad_pixels", "single bits cannot be compressed by RLE")
    return None


def _syntax(ds: Dataset) -> str:
    """The transfer syntax; of a data set that never was a file, the one that it would be written in."""
    meta = getattr(ds, "file_meta", None)
    stated = first_of(meta, "TransferSyntaxUID") if isinstance(meta, Dataset) else None
    return str(stated or uid.ExplicitVRLittleEndian)


def _threshold(ds: Dataset) -> int | None:
    """A pixel belongs to a fractional segment from half of Maximum Fractional Value on (PS3.3 C.8.20.2.3)."""
    kind = text_of(ds, "SegmentationType").upper()
    if kind == "LABELMAP":
        return None
    if kind == "FRACTIONAL":
        highest = number_of(ds, "MaximumFractionalValue")
        return max(int(-(-(255.0 if highest is None else highest) // 2)), 1)
    return 1


def _inflated(compressed: bytes, size: int) -> bytes:
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(compressed, size)
    except zlib.error:
        return b""


def undo_rle(compressed: bytes, pixels: int, samples: int) -> bytes:
    """A frame of RLE segments, one for each byte of a pixel, the highest first → little endian pixels (PS3.5 G)."""
    header = np.frombuffer(compressed[:64].ljust(64, b"\0"), "<u4")
    starts = [int(start) for start in header[1 : 1 + min(int(header[0]), 15)]]
    planes = np.zeros((pixels, samples), np.uint8)
    for place, start in enumerate(starts[:samples]):
        end = starts[place + 1] if place + 1 < len(starts) else len(compressed)
        plane = np.frombuffer(_unpacked(compressed[start:end], pixels), np.uint8)
        planes[: len(plane), samples - 1 - place] = plane
    return planes.tobytes()


def _unpacked(packed: bytes, size: int) -> bytes:
    """PackBits: a count below 128 of bytes as they are, or one byte repeated."""
    out = bytearray()
    at, end = 0, len(packed)
    while at < end - 1 and len(out) < size:
        count = packed[at]
        if count < 128:
            out += packed[at + 1 : at + 2 + count]
            at += count + 2
        else:
            if count > 128:
                out += packed[at + 1 : at + 2] * (257 - count)
            at += 2 if count > 128 else 1
    return bytes(out[:size])
