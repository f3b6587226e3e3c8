"""What a model reported beside what people marked in the same study. Pure.

Nothing here judges as the FROC of a model does, which asks for the key slice and an IoU: a person who looks at both
asks whether they mean the same lesion. They do if they lie in one series, the mark on the image of the finding or on
one of its slices, and the centre of one box lies in the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from db.geometry import BoxPx, PointPx
from db.measurement import ImageReference

ROUNDING_MM = 0.1
"""Positions are written with two decimals at times."""


@dataclass(frozen=True, slots=True)
class Found:
    """A reported detection: its box on the key image, and the slices it reaches over, as positions along the normal.

    first_mm, last_mm: None where they are not known; then only the key image counts.
    """

    key: str
    series_instance_uid: str
    image: ImageReference
    box: BoxPx
    first_mm: float | None = None
    last_mm: float | None = None


@dataclass(frozen=True, slots=True)
class Marked:
    """A drawing of a lesion by a person. key: of the lesion; several drawings of one lesion share it."""

    key: str
    series_instance_uid: str
    image: ImageReference
    box: BoxPx
    position_mm: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Counts of one study, or of several together."""

    studies: int = 0
    """With at least one marked lesion; the others say nothing."""
    agreed: int = 0
    """Findings that lie on a marked lesion."""
    alone: int = 0
    """Findings that lie on none: wrong, or never marked."""
    marked: int = 0
    """Lesions that people marked."""
    missed: int = 0
    """Of those, the ones on which no finding lies."""

    def __add__(self, other: Comparison) -> Comparison:
        return Comparison(
            self.studies + other.studies,
            self.agreed + other.agreed,
            self.alone + other.alone,
            self.marked + other.marked,
            self.missed + other.missed,
        )


def compare(found: Sequence[Found], marked: Sequence[Marked]) -> Comparison:
    """One study's findings beside its marks. Without a mark nothing is counted: nobody said that there is no lesion."""
    if not marked:
        return Comparison()
    lesions = {mark.key for mark in marked}
    pairs = [(one.key, mark.key) for one in found for mark in marked if is_same_place(one, mark)]
    agreed = {one for one, _ in pairs}
    met = {lesion for _, lesion in pairs}
    keys = {one.key for one in found}
    return Comparison(1, len(agreed), len(keys - agreed), len(lesions), len(lesions - met))


def total(comparisons: Iterable[Comparison]) -> Comparison:
    return sum(comparisons, Comparison())


def is_same_place(found: Found, mark: Marked) -> bool:
    """Whether a finding and a mark mean one lesion."""
    if not (found.image == mark.image or _is_on_a_slice_of(found, mark)):
        return False
    return _contains(found.box, mark.box.centre) or _contains(mark.box, found.box.centre)


def _is_on_a_slice_of(found: Found, mark: Marked) -> bool:
    if found.series_instance_uid != mark.series_instance_uid or mark.position_mm is None:
        return False
    if found.first_mm is None or found.last_mm is None:
        return False
    first, last = sorted((found.first_mm, found.last_mm))
    return first - ROUNDING_MM <= mark.position_mm <= last + ROUNDING_MM


def _contains(box: BoxPx, point: PointPx) -> bool:
    return box.x1 <= point.col <= box.x2 and box.y1 <= point.row <= box.y2
