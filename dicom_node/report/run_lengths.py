"""A frame of label numbers → RLE (PS3.5 G). Pure.

Most rows of such a frame are background, and they are written without a look at their pixels: some ten times quicker
than an encoder for any image.
"""

from __future__ import annotations

import struct
from functools import lru_cache

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
    width = plane.shape[1]
    rows = [_run(0, width)] * len(plane)
    shown = np.flatnonzero(plane.any(axis=1))
    part = plane[shown]
    of, last = np.nonzero(part[:, 1:] != part[:, :-1])  # the last pixel of each run but the last of a row
    ends = [*zip(of.tolist(), (last + 1).tolist(), part[of, last].tolist(), strict=True)]
    ends += [(row, width, value) for row, value in enumerate(part[:, -1].tolist())]
    runs, starts = [b""] * len(shown), [0] * len(shown)
    for row, end, value in ends:  # in each row from left to right
        runs[row] += _run(value, end - starts[row])
        starts[row] = end
    for row, run in zip(shown.tolist(), runs, strict=True):
        rows[row] = run
    content = b"".join(rows)
    return content + b"\0" * (len(content) % 2)


@lru_cache(maxsize=4096)
def _run(value: int, length: int) -> bytes:
    """The same value so many times: replicated, or as it stands where it is a single one (G.3.1)."""
    whole, rest = divmod(length, LONGEST_RUN)
    content = bytes((257 - LONGEST_RUN, value)) * whole
    if rest:
        content += bytes((257 - rest, value)) if rest > 1 else bytes((0, value))
    return content
