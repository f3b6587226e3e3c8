"""A listing in pages of at most 100 rows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

PAGE_ROWS = 100

Line = TypeVar("Line")


@dataclass(frozen=True, slots=True)
class Page(Generic[Line]):
    """Some lines of a listing and how many there are; pages count from 1."""

    lines: Sequence[Line]
    total: int
    number: int = 1
    rows: int = PAGE_ROWS

    @property
    def last(self) -> int:
        return max(1, -(-self.total // self.rows))

    @property
    def first_row(self) -> int:
        return (self.number - 1) * self.rows


def offset_of(number: int, rows: int) -> int:
    """How many rows stand before a page; a number below 1 is the first page."""
    return (max(1, number) - 1) * rows
