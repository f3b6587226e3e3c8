"""The closed contours of one slice → its longest piece with the axes. Pure.

A contour inside another one is a hole, one inside a hole is an island (even-odd). Contours that lie beside each other
are pieces of their own: two lesions have no common diameter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from db.geometry import BoxPx, PixelSpacing
from mining.drawings import Shape, Unusable
from mining.masks import ANOTHER_PIECE
from mining.recist import axes_of_rings, length
from mining.region_slices import Outlined

Floats = npt.NDArray[np.float64]

MAX_RINGS = 100
"""Contours of one slice; a region of more is noise."""


def longest_of_rings(rings: Sequence[Floats], spacing: PixelSpacing | None) -> Outlined | Unusable:
    """The piece with the longest axis. rings: of (N, 2), col and row."""
    if len(rings) > MAX_RINGS:
        return Unusable("too_many_contours", f"a slice of over {MAX_RINGS} contours is not read")
    shapes: list[Shape] = []
    for piece in pieces_of(rings):
        axes = axes_of_rings(piece, spacing)
        if axes is not None:
            (x1, y1), (x2, y2) = piece[0].min(axis=0).tolist(), piece[0].max(axis=0).tolist()
            shapes.append(Shape(axes[0], axes[1], BoxPx(x1, y1, x2, y2)))
    if not shapes:
        return Unusable("zero_length", "an outline without extent")
    lengths = [length(shape.long_axis, spacing) for shape in shapes]
    longest = int(np.argmax(lengths))
    like = sum(one >= ANOTHER_PIECE * lengths[longest] for one in lengths)
    return Outlined(shapes[longest], others=like - 1)


def pieces_of(rings: Sequence[Floats]) -> list[list[Floats]]:
    """The rings of each piece, the outer one first; a ring that is there twice counts once."""
    boxes = [(*ring.min(axis=0), *ring.max(axis=0)) for ring in rings]
    order = sorted(range(len(rings)), key=lambda n: -(boxes[n][2] - boxes[n][0]) * (boxes[n][3] - boxes[n][1]))
    pieces: list[list[Floats]] = []
    for n in order:
        around = next((piece for piece in pieces if _holds(piece[0], rings[n])), None)
        if around is None:
            pieces.append([rings[n]])
        elif not any(np.array_equal(ring, rings[n]) for ring in around):
            around.append(rings[n])
    return pieces


def _holds(outer: Floats, inner: Floats) -> bool:
    """Whether a ring lies inside another one, or is the same: by its extent, then by most of a few of its points."""
    if (inner.min(axis=0) < outer.min(axis=0)).any() or (inner.max(axis=0) > outer.max(axis=0)).any():
        return False
    if np.array_equal(outer, inner):
        return True
    some = inner[:: max(1, len(inner) // 3)][:3]
    return sum(_inside(outer, col, row) for col, row in some.tolist()) * 2 > len(some)


def _inside(ring: Floats, col: float, row: float) -> bool:
    """Even-odd rule."""
    x, y = ring[:, 0], ring[:, 1]
    x_next, y_next = np.roll(x, -1), np.roll(y, -1)
    crosses = (y > row) != (y_next > row)
    if not crosses.any():
        return False
    x0, y0, x1, y1 = x[crosses], y[crosses], x_next[crosses], y_next[crosses]
    return bool((col < x0 + (row - y0) / (y1 - y0) * (x1 - x0)).sum() % 2)
