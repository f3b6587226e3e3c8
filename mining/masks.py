"""The mask of one slice → its longest connected piece with the axes. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import hypot

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from db.geometry import Axis, PixelSpacing, PointPx
from mining.recist import axes_of_mask, length

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

TOUCHING = np.ones((3, 3), dtype=np.bool_)
"""Pixels that share a corner belong together."""

ANOTHER_PIECE = 0.5
"""A piece whose extent is at least this share of the longest one's is another lesion, not a splinter of it."""

MAX_PIECES = 1_000
"""A mask of more is noise."""

_EDGES = np.array([(0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.0, -0.5)])


@dataclass(frozen=True, slots=True)
class Piece:
    """Axes in pixels of the mask, ordered by length in the patient; edges (N, 2): col, row of its pixels' edges."""

    long_axis: Axis
    short_axis: Axis | None
    edges: Floats
    others: int = 0
    """How many other pieces of a like extent the mask has."""


def longest_piece(mask: Flags, spacing: PixelSpacing | None) -> Piece | None:
    """The connected piece of a mask (H, W) with the longest axis; None for an empty mask, or noise.

    Two lesions in one mask have no common diameter, so pieces are measured one by one.
    """
    labels, count = ndimage.label(mask, structure=TOUCHING)
    if count > MAX_PIECES:
        return None
    extents = [(_diagonal(box, spacing), label, box) for label, box in enumerate(ndimage.find_objects(labels), start=1)]
    extents.sort(key=lambda extent: -extent[0])
    best: Piece | None = None
    longest = 0.0
    for possible, label, box in extents:
        if possible <= longest:
            break
        part = labels[box] == label
        axes = axes_of_mask(part, spacing)
        if axes is None or length(axes[0], spacing) <= longest:
            continue
        longest = length(axes[0], spacing)
        rows, cols = np.nonzero(border_of(part))
        corner = (box[1].start, box[0].start)
        edges = ((np.column_stack([cols, rows]) + corner)[:, None, :] + _EDGES).reshape(-1, 2)
        best = Piece(_shifted(axes[0], corner), axes[1] and _shifted(axes[1], corner), edges)
    if best is None:
        return None
    like = sum(possible >= ANOTHER_PIECE * longest for possible, _, _ in extents)
    return replace(best, others=max(like - 1, 0))


def _shifted(axis: Axis, corner: tuple[int, int]) -> Axis:
    col, row = corner
    return Axis(PointPx(axis.a.col + col, axis.a.row + row), PointPx(axis.b.col + col, axis.b.row + row))


def outer_edges(mask: Flags) -> Floats:
    """The edges (N, 2), col and row, of the first and last pixel of each row of a mask; its longest axis ends there."""
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - 1 - mask[rows][:, ::-1].argmax(axis=1)
    centres = np.column_stack([np.append(first, last), np.append(rows, rows)]).astype(np.float64)
    return (centres[:, None, :] + _EDGES).reshape(-1, 2)


def _diagonal(box: tuple[slice, slice], spacing: PixelSpacing | None) -> float:
    """No axis of a piece with this extent (rows, columns) is longer; in mm, or in pixels without a spacing."""
    rows, cols = box[0].stop - box[0].start, box[1].stop - box[1].start
    return hypot(rows, cols) if spacing is None else hypot(rows * spacing.row_mm, cols * spacing.col_mm)


def border_of(part: Flags) -> Flags:
    """The pixels of a mask that touch what is outside; the extent of the mask is theirs, however it is turned."""
    return part & ~ndimage.binary_erosion(part, structure=TOUCHING)


def extent_of(mask: Flags) -> tuple[slice, slice] | None:
    """Rows and columns from the first to the last pixel of a mask (H, W); None for an empty one."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return None
    within = slice(int(rows[0]), int(rows[-1]) + 1)
    cols = np.flatnonzero(mask[within].any(axis=0))
    return within, slice(int(cols[0]), int(cols[-1]) + 1)
