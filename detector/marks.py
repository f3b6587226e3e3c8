"""What readers marked on a scan, and what a detector found there besides: plain facts in the network's frame."""

from __future__ import annotations

from dataclasses import dataclass

from detector.prepare import Box, Scan
from detector.targets import IGNORED


@dataclass(frozen=True, slots=True)
class Mark:
    """A lesion on its key slice, in the network's frame. label: 1 and more, or IGNORED where the mark is doubtful.

    radius_mm: half of its long axis, > 0.

    margin_px: what the box has around the lesion, in pixels of the network.
    """

    z: int
    box: Box
    label: int
    radius_mm: float
    margin_px: float


@dataclass(frozen=True, slots=True)
class Found:
    """What an earlier round found on one slice without a mark there. label: of the class it looks like, or IGNORED."""

    z: int
    box: Box
    label: int = IGNORED


@dataclass(frozen=True, slots=True, eq=False)
class TrainingScan:
    """A series, what readers marked on it, and what earlier rounds of training found besides."""

    scan: Scan
    marks: tuple[Mark, ...]
    found: tuple[Found, ...] = ()
    suspicious: tuple[Found, ...] = ()
    """Where a round found something too weak to be a lesion: the background worth showing again."""
    rejected: tuple[Found, ...] = ()
    """What a model had reported and people rejected: background for certain."""

    @property
    def sure(self) -> tuple[Mark, ...]:
        """The marks to learn from."""
        return tuple(mark for mark in self.marks if mark.label != IGNORED)
