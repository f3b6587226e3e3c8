"""Which lesion_id a measurement has when its document is read again, maybe by a newer reader. Pure.

The id of a row is made of the document and the place in it. A newer reader may find the same drawing at another
place; then the drawing decides, and the id that people, categories and training sets already know stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import uuid5

from db.geometry import Axis, BoxPx, PointPx
from db.measurement import LESION_NAMESPACE, ImageReference, Measurement, WeakLabel
from mining.copies import SAME_POINT_PX, same_axis, same_box


@dataclass(frozen=True, slots=True)
class Known:
    """A row as it stands: what was drawn or pointed at, where, and the id it has."""

    lesion_id: str
    item: str
    image: ImageReference
    long_axis: Axis | None
    short_axis: Axis | None
    outline: BoxPx | None
    point: PointPx | None


def lasting_ids(known: Sequence[Known], found: Sequence[Measurement | WeakLabel]) -> list[str]:
    """The lesion_id of each of `found`, in order; no two are the same.

    known: the rows of the same document. First those with the same drawing at the same place keep their id, then
    those with the same drawing, then those of the same region; all others get the id of their place.
    """
    ids: list[str | None] = [None] * len(found)
    rows = _Rows(known)
    for fits in (_same_place, _same_drawing, _same_region):
        for position, one in enumerate(found):
            if ids[position] is None:
                ids[position] = rows.take(one, fits)
    taken = {lesion_id for lesion_id in ids if lesion_id is not None}
    return [lesion_id or _new_id(one, taken) for lesion_id, one in zip(ids, found, strict=True)]


Fits = Callable[["Known", Measurement | WeakLabel], bool]
Cell = tuple[ImageReference, int, int]


class _Rows:
    """The rows of a document by the pixel they lie on, each given away once."""

    def __init__(self, known: Sequence[Known]) -> None:
        self._by_cell: dict[Cell, list[Known]] = defaultdict(list)
        for row in known:
            self._by_cell[_cell(row.image, row.outline, row.long_axis, row.point)].append(row)

    def take(self, one: Measurement | WeakLabel, fits: Fits) -> str | None:
        if isinstance(one, WeakLabel):
            image, col, line = _cell(one.image, None, None, one.point)
        else:
            image, col, line = _cell(one.image, one.outline, one.long_axis, None)
        for cell in ((image, col + x, line + y) for x in (0, -1, 1) for y in (0, -1, 1)):
            for row in self._by_cell.get(cell, ()):
                if fits(row, one):
                    self._by_cell[cell].remove(row)
                    return row.lesion_id
        return None


def _cell(image: ImageReference, outline: BoxPx | None, long_axis: Axis | None, point: PointPx | None) -> Cell:
    middle = outline.centre if outline is not None else long_axis.middle if long_axis is not None else point
    return (image, 0, 0) if middle is None else (image, round(middle.col), round(middle.row))


def _new_id(one: Measurement | WeakLabel, taken: set[str]) -> str:
    """The id of its place; if another drawing of the document keeps that one, the next that follows from it."""
    lesion_id = one.lesion_id
    while lesion_id in taken:
        lesion_id = str(uuid5(LESION_NAMESPACE, lesion_id))
    taken.add(lesion_id)
    return lesion_id


def _same_place(row: Known, one: Measurement | WeakLabel) -> bool:
    return row.item == one.source.item and _same_drawing(row, one)


def _same_drawing(row: Known, one: Measurement | WeakLabel) -> bool:
    if isinstance(one, WeakLabel):
        if row.point is None or one.point is None:
            return row.long_axis is None and row.point is one.point
        return row.point.distance_px(one.point) <= SAME_POINT_PX
    if row.long_axis is None:
        return False
    # Which of two axes is the longer one may have changed with the image's spacing.
    axes = [axis for axis in (row.long_axis, row.short_axis) if axis is not None]
    drawn = [axis for axis in (one.long_axis, one.short_axis) if axis is not None]
    return len(axes) == len(drawn) and any(
        all(same_axis(a, b) for a, b in zip(axes, order, strict=True)) for order in (drawn, drawn[::-1])
    )


def _same_region(row: Known, one: Measurement | WeakLabel) -> bool:
    """The axes of a region are computed, and a newer reader may compute them otherwise; its extent stays."""
    if isinstance(one, WeakLabel) or one.outline is None or row.outline is None:
        return False
    return same_box(row.outline, one.outline)
