"""Figures that take long to count on a large node, and need not be counted at every look. Pure but for its memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

TIMES = 50
"""How much longer than it took to count a figure is kept: looking again and again costs 2 % of the time."""

Value = TypeVar("Value")


class Costly(Generic[Value]):
    """One figure. What was counted at once is counted at every look, so that a small node shows what is now."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self._kept: tuple[datetime, Value] | None = None

    def get(self, count: Callable[[], Value]) -> Value:
        """The figure, counted now or not long ago. Two threads that ask at one time may both count."""
        kept, begun = self._kept, self.clock()
        if kept is not None and begun < kept[0]:
            return kept[1]
        value = count()
        ended = self.clock()
        self._kept = (ended + (ended - begun) * TIMES, value)
        return value
