"""Which lesion_id a measurement has when its document is read again, maybe by a newer reader. Pure.

The id of a row is made of the document and the place in it. A newer reader may find the same drawing at another
place; then the drawing decides, and the id that people, categories and training sets already know stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from uuid import uuid5

from db.geometry import Axis, BoxPx, PointPx
from db.measurement import LESION_NAMESPACE, ImageReference, Measurement, WeakLabel
from mining.copies import SAME_POINT_PX, same_axis, same_box
from mining.drawing_grid import cells_near, edges_of


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
    those with the same drawing, then those of the same region, then those at the same place, however a newer reader
    sees the drawing there; all others get the id of their place.
    """
    ids: list[str | None] = [None] * len(found)
    rows = _Rows(known)
    for near, fits in ((_at, _same_drawing), (_drawn, _same_drawing), (_around, _same_region), (_at, _any)):
        for position, one in enumerate(found):
            if ids[position] is None:
                ids[position] = rows.take(one, near, fits)
    taken = {lesion_id for lesion_id in ids if lesion_id is not None}
    return [lesion_id or _new_id(one, taken) for lesion_id, one in zip(ids, found, strict=True)]


Mark = Known | Measurement | WeakLabel
Fits = Callable[[Known, Measurement | WeakLabel], bool]
Near = Callable[[Mark, float], Iterator[Hashable]]
"""Where a row is kept, if nothing is allowed for, and where to look for those that are no farther off than that."""


class _Rows:
    """The rows of a document by their place, their drawing and their region, each given away once."""

    def __init__(self, known: Sequence[Known]) -> None:
        self._kept: dict[Hashable, dict[str, Known]] = defaultdict(dict)
        for row in known:
            for key in _keys(row):
                self._kept[key][row.lesion_id] = row

    def take(self, one: Measurement | WeakLabel, near: Near, fits: Fits) -> str | None:
        for key in near(one, SAME_POINT_PX):
            for row in self._kept.get(key, {}).values():
                if fits(row, one):
                    for place in _keys(row):
                        self._kept[place].pop(row.lesion_id)
                    return row.lesion_id
        return None


def _keys(row: Known) -> set[Hashable]:
    return {*_at(row, 0.0), *_drawn(row, 0.0), *_around(row, 0.0)}


def _at(one: Mark, off_px: float) -> Iterator[Hashable]:
    yield ("at", one.item if isinstance(one, Known) else one.source.item)


def _drawn(one: Mark, off_px: float) -> Iterator[Hashable]:
    long_axis, short_axis = (None, None) if isinstance(one, WeakLabel) else (one.long_axis, one.short_axis)
    if long_axis is not None:
        # Which of two axes is the longer one may have changed with the image's spacing: one of the two orders is kept.
        orders = (
            ((long_axis, short_axis), (short_axis, long_axis)) if off_px and short_axis else ((long_axis, short_axis),)
        )
        for order in orders:
            yield from (("drawn", one.image, cell) for cell in cells_near(edges_of(*order), off_px))
        return
    point = None if isinstance(one, Measurement) else one.point
    ends = () if point is None else (point.col, point.row)
    yield from (("pointed at", one.image, cell) for cell in cells_near(ends, off_px))


def _around(one: Mark, off_px: float) -> Iterator[Hashable]:
    outline = None if isinstance(one, WeakLabel) else one.outline
    if outline is not None:
        yield from (("around", one.image, cell) for cell in cells_near(edges_of(outline), off_px))


def _new_id(one: Measurement | WeakLabel, taken: set[str]) -> str:
    """The id of its place; if another drawing of the document keeps that one, the next that follows from it."""
    lesion_id = one.lesion_id
    while lesion_id in taken:
        lesion_id = str(uuid5(LESION_NAMESPACE, lesion_id))
    taken.add(lesion_id)
    return lesion_id


def _any(row: Known, one: Measurement | WeakLabel) -> bool:
    return True


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
