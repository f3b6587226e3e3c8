"""The cells of a grid in which drawings lie, so that thousands are compared with their likes alone. Pure.

A drawing is known by the edges of its axes or of its outline: they are the same whichever end comes first, and move no
farther than the ends do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import floor

from db.geometry import Axis, BoxPx

CELL_PX = 0.25
SHIFT_PX = CELL_PX / 2
"""Whole, half and quarter pixels, where most ends lie, are in the middle of a cell and so in one alone."""

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
    return tuple(_number(edge) for edge in edges)


def cells_near(edges: Sequence[float], off_px: float) -> Iterator[Cell]:
    """Where to look for every drawing whose edges are no farther off than that; off_px is less than a cell."""
    yield from product(*(sorted({_number(edge - off_px), _number(edge + off_px)}) for edge in edges))


def _number(edge: float) -> int:
    return floor((edge + SHIFT_PX) / CELL_PX)
