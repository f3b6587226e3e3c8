"""The cells of a grid in which drawings lie, so that thousands are compared with their likes alone. Pure.

A drawing is known by the edges of its axes or of its outline: they are the same whichever end comes first, and move no
farther than the ends do.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import floor

from db.geometry import Axis, BoxPx

CELLS_A_PX = 4
"""Along a row and along a column. Whole, half and quarter pixels, where most ends lie, are in the middle of a cell."""

Cell = tuple[int, ...]


def edges_of(*drawn: Axis | BoxPx | None) -> tuple[float, ...]:
    """Left, top, right, bottom of each in turn; nothing of None."""
    edges: list[float] = []
    for one in drawn:
        if isinstance(one, BoxPx):
            edges += (one.x1, one.y1, one.x2, one.y2)
        elif one is not None:
            a, b = one.points
            edges += (min(a.col, b.col), min(a.row, b.row), max(a.col, b.col), max(a.row, b.row))
    return tuple(edges)


def cell_of(edges: Sequence[float]) -> Cell:
    """Where a drawing is kept."""
    return tuple([floor(edge * CELLS_A_PX + 0.5) for edge in edges])


def cells_near(edges: Sequence[float], off_px: float) -> Sequence[Cell]:
    """Where to look for every drawing whose edges are no farther off than that; off_px is less than a cell."""
    low, high = cell_of([edge - off_px for edge in edges]), cell_of([edge + off_px for edge in edges])
    if low == high:
        return (low,)
    return tuple(product(*(((a, b) if a < b else (a,)) for a, b in zip(low, high, strict=True))))
