"""Which rows of what was only pointed at are shown: each place once, none of a replaced document. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from db.geometry import PointPx
from db.measurement import ImageReference
from mining.copies import NEVER, SAME_POINT_PX, Verdict, superseded_documents


@dataclass(frozen=True, slots=True)
class Place:
    """A point or a key image as it is compared with others; it is never truth, `excluded_because` says why."""

    lesion_id: str
    source_sop_instance_uid: str
    image: ImageReference
    point: PointPx | None
    excluded_because: str
    tracking_uid: str = ""
    reader: str = ""
    content_at: datetime | None = None

    @property
    def age(self) -> tuple[datetime, str, str]:
        """As `mining.copies.Harvested.age`."""
        return (self.content_at or NEVER, self.source_sop_instance_uid, self.lesion_id)


def judge_places(places: Sequence[Place], predecessors: Mapping[str, Sequence[str]]) -> dict[str, Verdict]:
    """A verdict for each place, by lesion_id; the same for any order. What was saved again is shown by the oldest."""
    replaced = superseded_documents(predecessors)
    standing = [place for place in places if place.source_sop_instance_uid not in replaced]
    originals = _originals(sorted(standing, key=lambda place: place.age))
    by_id = {place.lesion_id: place for place in places}
    verdicts = {}
    for place in places:
        shown = by_id[originals.get(place.lesion_id, place.lesion_id)]
        verdicts[place.lesion_id] = Verdict(
            place.excluded_because,
            shown.tracking_uid or shown.lesion_id,
            originals.get(place.lesion_id),
            replaced.get(place.source_sop_instance_uid),
        )
    return verdicts


def _originals(standing: Sequence[Place]) -> dict[str, str]:
    """copy → original: the same point, or the same whole image, by one reader or under one tracking UID."""
    originals: dict[str, str] = {}
    near: dict[tuple[object, ...], list[Place]] = {}
    for place in standing:  # the oldest first
        whose = [("reader", place.reader), *([("uid", place.tracking_uid)] if place.tracking_uid else [])]
        cells = _cells(place.point)
        found = (
            other
            for who in whose
            for cell in cells
            for other in near.get((place.image, *who, cell), ())
            if _same_point(place.point, other.point)
        )
        original = next(found, None)
        if original is not None:
            originals[place.lesion_id] = original.lesion_id
            continue
        for who in whose:
            near.setdefault((place.image, *who, cells[0]), []).append(place)
    return originals


def _cells(point: PointPx | None) -> list[tuple[int, int] | None]:
    """The tenth of a pixel that a point lies in, then those around it."""
    if point is None:
        return [None]
    col, line = round(point.col * 10), round(point.row * 10)
    return [(col + x, line + y) for x in (0, -1, 1) for y in (0, -1, 1)]


def _same_point(a: PointPx | None, b: PointPx | None) -> bool:
    return a is b if a is None or b is None else a.distance_px(b) <= SAME_POINT_PX
