"""What a report says of each of its lesions, as the rows they become. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import TypedDict

from db.codes import Code
from db.measurement import Measurement, Source, WeakLabel
from mining.content_tree import ContentItem
from mining.readers.sr_context import Surroundings
from mining.readers.sr_graphics import Graphic, Spot
from mining.readers.sr_lesions import Lesion
from mining.readers.sr_numbers import length_above, stated_lengths
from mining.readers.sr_segments import with_segment
from mining.readers.sr_texts import LesionText, LesionTexts, without_placeholders
from mining.recist import ordered


class _Said(TypedDict):
    """What measurements and places have in common."""

    finding: Code | None
    site: Code | None
    tracking_id: str
    tracking_uid: str
    reader: str
    measured_at: datetime | None
    comment: str
    by_algorithm: str


class Attributes:
    """Answers for the lesions and places of one document."""

    def __init__(
        self, uid: str, kind: str, around: Surroundings, lesions: Sequence[Lesion], spots: Sequence[Spot]
    ) -> None:
        self._uid = uid
        self._kind = kind
        self._around = around
        self._texts = LesionTexts()
        self._homes: dict[str, set[str]] = defaultdict(set)
        """By the path of each item: the homes of the lesions below it. What stands above several is about none."""
        self._places: dict[str, dict[str, int]] = defaultdict(dict)
        """By the path of each home: which of its lesions is the first, the second …, by the path of its drawing."""
        heads: list[Graphic | Spot] = [*(lesion[0] for lesion in lesions), *spots]
        for head in sorted(heads, key=lambda head: head.item.position):
            places = self._places[head.home.path]
            places.setdefault(head.item.path, len(places))
        drawn: list[Graphic | Spot] = [*chain.from_iterable(lesions), *spots]
        for one in drawn:
            for item in (one.home, *one.home.ancestors()):
                self._homes[item.path].add(one.home.path)

    def measurement(self, lesion: Lesion) -> Measurement:
        first = lesion[0]
        long_axis, short_axis = first.shape.long_axis, first.shape.short_axis
        stated = stated_lengths(first.numbers)
        if len(lesion) == 2:
            long_axis, short_axis = ordered(long_axis, lesion[1].shape.long_axis, first.spacing)
            values = [next((v for v in stated_lengths(line.numbers) if v is not None), None) for line in lesion]
            stated = (values[0], values[1]) if long_axis is first.shape.long_axis else (values[1], values[0])
        parts = list(dict.fromkeys(self._parts(lesion)))
        text = self._text(first, parts)
        if stated == (None, None) and len(lesion) == 1 and first.shape.is_line:
            stated = length_above(first.item), None
        if stated == (None, None):
            stated = (text.long_mm, text.short_mm if short_axis is not None else None)
        measurement = Measurement(
            source=Source(self._uid, first.item.path, self._kind),
            image=first.image,
            long_axis=long_axis,
            short_axis=short_axis,
            derived=not first.shape.is_line,
            outline=first.shape.outline,
            stated_long_axis_mm=stated[0],
            stated_short_axis_mm=stated[1],
            **self._said(lesion, parts, text),
        )
        return with_segment(measurement, first.segment)

    def weak_label(self, spot: Spot) -> WeakLabel:
        parts = list(dict.fromkeys(self._parts((spot,))))
        said = self._said((spot,), parts, self._text(spot, parts))
        return WeakLabel(
            source=Source(self._uid, spot.item.path, self._kind), image=spot.image, point=spot.point, **said
        )

    def _text(self, head: Graphic | Spot, parts: Sequence[ContentItem]) -> LesionText:
        places = self._places[head.home.path]
        return self._texts.about(parts, places.get(head.item.path, 0), max(len(places), 1))

    def _said(self, drawn: Sequence[Graphic | Spot], parts: list[ContentItem], text: LesionText) -> _Said:
        around = self._around
        near = [*parts, *self._alone_above(drawn[0].home)]
        above = list(dict.fromkeys(chain.from_iterable((one.item, *one.item.ancestors()) for one in drawn)))
        reader, device = around.observer(above)
        return _Said(
            finding=around.code(near, "finding"),
            site=around.code(near, "site"),
            tracking_id=around.text(near, "tracking_id"),
            tracking_uid=around.text(near, "tracking_uid"),
            reader=reader,
            measured_at=around.measured_at(above),
            comment=around.text(near, "comment") or text.text or without_placeholders(around.text(near, "label")),
            by_algorithm=around.algorithm([*near, *above]) or device,
        )

    def _parts(self, drawn: Sequence[Graphic | Spot]) -> Iterator[ContentItem]:
        """Where its attributes may stand: its group, its drawings and numbers, and what lies between."""
        home = drawn[0].home
        yield home
        numbers = chain.from_iterable(one.numbers for one in drawn if isinstance(one, Graphic))
        for item in chain((one.item for one in drawn), numbers):
            if item is home:
                continue
            yield item
            for ancestor in item.ancestors():
                if ancestor is home:
                    break
                yield ancestor

    def _alone_above(self, home: ContentItem) -> Iterator[ContentItem]:
        """What stands above a lesion, as far up as it is the only one below."""
        for ancestor in home.ancestors():
            if len(self._homes.get(ancestor.path, ())) > 1:
                return
            yield ancestor
