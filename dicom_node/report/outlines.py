"""A mask of one slice → its outer contours. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Corner = tuple[int, int]
"""A point between two neighbouring pixels, in half pixels: (2 col, 2 row)."""

_TOP, _RIGHT, _BOTTOM, _LEFT = (1, 0), (2, 1), (1, 2), (0, 1)
"""The middles of a cell's sides; the cell lies between four pixel centres, its upper left one is (0, 0)."""

STEPS = {
    # pixels of the cell that are inside, as upper left 8, upper right 4, lower right 2, lower left 1:
    # from where to where, the inside on the right hand. Two that share a corner only are joined: one lesion.
    1: ((_LEFT, _BOTTOM),), 2: ((_BOTTOM, _RIGHT),), 3: ((_LEFT, _RIGHT),), 4: ((_RIGHT, _TOP),),
    5: ((_LEFT, _TOP), (_RIGHT, _BOTTOM)), 6: ((_BOTTOM, _TOP),), 7: ((_LEFT, _TOP),), 8: ((_TOP, _LEFT),),
    9: ((_TOP, _BOTTOM),), 10: ((_TOP, _RIGHT), (_BOTTOM, _LEFT)), 11: ((_TOP, _RIGHT),), 12: ((_RIGHT, _LEFT),),
    13: ((_RIGHT, _BOTTOM),), 14: ((_BOTTOM, _LEFT),),
}  # fmt: skip


def outer_contours(mask: npt.NDArray[np.bool_]) -> list[Floats]:
    """The contours of a mask (H, W) between its pixels and those outside, (N, 2) as col and row, not closed.

    They go through the middle between two pixel centres, where a reader of the mask sees its edge, too. Holes are
    filled, for a structure set has no hole that all its readers understand. Empty for an empty mask.
    """
    rings = [np.array(ring, np.float64) / 2 for ring in _rings(mask)]
    outer = sorted((ring for ring in rings if _area(ring) > 0), key=_area, reverse=True)
    kept: list[Floats] = []
    for ring in outer:
        if not any(_holds(larger, ring[0]) for larger in kept):  # else an island in a hole
            kept.append(ring)
    return [_straightened(ring) for ring in kept]


def _rings(mask: npt.NDArray[np.bool_]) -> list[list[Corner]]:
    """All contours, those around holes too, by following the sides of pixels that are inside on one side only."""
    inside = np.pad(mask, 1).astype(np.uint8)
    cells = 8 * inside[:-1, :-1] + 4 * inside[:-1, 1:] + 2 * inside[1:, 1:] + inside[1:, :-1]
    following: dict[Corner, Corner] = {}
    rows, columns = np.nonzero((cells > 0) & (cells < 15))
    for row, column, cell in zip(rows.tolist(), columns.tolist(), cells[rows, columns].tolist(), strict=True):
        x, y = 2 * column - 2, 2 * row - 2  # the pad is taken off again
        for (x1, y1), (x2, y2) in STEPS[cell]:
            following[x + x1, y + y1] = x + x2, y + y2
    rings = []
    while following:
        first, at = following.popitem()
        ring = [first]
        while at != first:
            ring.append(at)
            at = following.pop(at)
        rings.append(ring)
    return rings


def _area(ring: Floats) -> float:
    """Positive around what is inside, negative around a hole."""
    x, y = ring[:, 0], ring[:, 1]
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def _holds(ring: Floats, point: Floats) -> bool:
    """Even-odd rule."""
    x, y = ring[:, 0], ring[:, 1]
    x_next, y_next = np.roll(x, -1), np.roll(y, -1)
    crosses = (y > point[1]) != (y_next > point[1])
    at = x[crosses] + (point[1] - y[crosses]) / (y_next[crosses] - y[crosses]) * (x_next[crosses] - x[crosses])
    return bool((point[0] < at).sum() % 2)


def _straightened(ring: Floats) -> Floats:
    """Without the points that lie on a straight line between their neighbours."""
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    return ring[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]
