"""The graphics of one image → lesions and places. Pure.

Two lines that cross are one lesion's diameters; a line with a head is an arrow, and points at something; ticks and
handles belong to a line; a region around two diameters is the same lesion.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field

from db.geometry import Axis, PixelSpacing, PointPx, length_mm
from mining.drawings import Unusable, is_outline_of, recist_pairs
from mining.readers.gsps_graphics import Drawn, Layer
from mining.readers.gsps_texts import Text
from mining.recist import axes_cross

SAME_PLACE_PX = 2.0
"""Two ends that lie so near to each other were drawn as one."""

TICK_SHARE = 0.25
"""A tick is at most this long, in lengths of the line that it stands on."""

TICK_ANGLE_DEG = 60.0

HEAD_SHARE = 0.5
"""The strokes of an arrow's head are at most this long, in lengths of its shaft."""

TICKS_NEAR_BY = 8
"""So many lines before and after a line are looked at for its ticks; writers put them next to it."""


@dataclass(frozen=True, slots=True)
class Graphic:
    """One drawn thing; `annotation` counts from 1, the ids are None or empty where the object gives none."""

    path: str
    drawn: Drawn
    annotation: int
    layer: Layer
    group: int | None = None
    compound: int | None = None
    tracking_id: str = ""
    tracking_uid: str = ""

    @property
    def is_line(self) -> bool:
        return self.drawn.shape is not None and self.drawn.shape.is_line

    @property
    def named(self) -> Hashable:
        """What it shares with all drawings of its lesion, if the object says so."""
        return self.tracking_uid or self.group


@dataclass(slots=True)
class Lesion:
    """One line, two that cross, one region, or a place (`at`); with the texts about it."""

    graphics: tuple[Graphic, ...]
    at: PointPx | None = None
    texts: list[Text] = field(default_factory=list)

    @property
    def ends(self) -> list[PointPx]:
        """Points that a text about it may stand beside."""
        if self.at is not None:
            return [self.at]
        shapes = [graphic.drawn.shape for graphic in self.graphics if graphic.drawn.shape is not None]
        axes = [axis for s in shapes for axis in (s.long_axis, s.short_axis) if axis is not None]
        return [point for axis in axes for point in axis.points]

    @property
    def has_two_axes(self) -> bool:
        first = self.graphics[0].drawn.shape
        return len(self.graphics) == 2 or (first is not None and first.short_axis is not None)

    def long_mm(self, spacing: PixelSpacing) -> float:
        """Its long axis; 0 for a place."""
        ends = iter(self.ends if self.at is None else [])
        return max((length_mm(a, b, spacing) for a, b in zip(ends, ends, strict=True)), default=0.0)

    @property
    def measured(self) -> bool:
        """Whether a text says what was measured."""
        return any(text.measures for text in self.texts)

    @property
    def sampled_at(self) -> PointPx | None:
        """The middle of a region that only samples the image's values, and is no outline of what it lies in."""
        shape = self.graphics[0].drawn.shape if self.graphics else None
        if shape is None or shape.outline is None or not any(text.samples for text in self.texts):
            return None
        is_named = self.graphics[0].tracking_uid or any(text.stated or text.name for text in self.texts)
        return None if is_named else shape.outline.centre

    @property
    def is_no_lesion(self) -> bool:
        return any(text.of_no_lesion for text in self.texts) and not any(text.stated for text in self.texts)


Refused = list[tuple[Graphic, Unusable]]


def lesions_of(graphics: Sequence[Graphic], spacing: PixelSpacing | None) -> tuple[list[Lesion], Refused]:
    """The lesions and places of one image, and the graphics that are none."""
    arrows, rest, refused = _arrows(graphics)
    lines, ticks = _without_ticks([graphic for graphic in rest if graphic.is_line])
    lesions = _of_lines(lines, spacing)
    regions, around = _regions([graphic for graphic in rest if graphic.drawn.shape and not graphic.is_line], lesions)
    places, handles = _places([graphic for graphic in rest if graphic.drawn.at is not None], lines)
    return [*lesions, *regions, *arrows, *places], [*refused, *ticks, *around, *handles]


# --- lines, arrows, ticks ---------------------------------------------------------------------------------------


def _arrows(graphics: Sequence[Graphic]) -> tuple[list[Lesion], list[Graphic], Refused]:
    """Arrows, all other graphics, and what is left of arrows and of open strokes."""
    heads = Nearby([(tip, graphic) for graphic in graphics for tip in _tips(graphic)])
    arrows: list[Lesion] = []
    used: set[str] = set()
    for line in graphics:
        if not line.is_line:
            continue
        head, tip = next(_heads_of(line, heads, used), (None, None))
        if head is not None:
            used.update((line.path, head.path))
            arrows.append(Lesion((line,), at=tip))
        elif line.layer.is_of_arrows:
            used.add(line.path)
            arrows.append(Lesion((line,), at=line.drawn.points[0]))
    rest, refused = [], Refused()
    for graphic in graphics:
        if graphic.path in used:
            continue
        if graphic.drawn.shape is None and graphic.drawn.at is None:
            refused.append((graphic, Unusable("open_polyline", "an open line of 3 points is no diameter, no outline")))
        elif graphic.layer.is_of_arrows and graphic.drawn.at is None:
            refused.append((graphic, Unusable("not_a_measurement", "a part of an arrow measures nothing")))
        else:
            rest.append(graphic)
    return arrows, rest, refused


def _tips(graphic: Graphic) -> tuple[PointPx, ...]:
    """Where the tip of an arrow would be, if that graphic were its head: of an open stroke, or of a triangle."""
    points, shape = graphic.drawn.points, graphic.drawn.shape
    if len(points) == 3 and graphic.drawn.at is None:
        return points[1:2] if shape is None else points
    return points[:3] if len(points) == 4 and points[0] == points[3] else ()


def _heads_of(line: Graphic, heads: Nearby, used: set[str]) -> Iterator[tuple[Graphic, PointPx]]:
    whole = line.drawn.points[0].distance_px(line.drawn.points[1])
    for end in line.drawn.points[:2]:
        for head in heads.around(end):
            size = max(end.distance_px(point) for point in head.drawn.points)
            if head.path not in used and head.annotation == line.annotation and size <= HEAD_SHARE * whole:
                yield head, end


def _without_ticks(lines: Sequence[Graphic]) -> tuple[list[Graphic], Refused]:
    """Lines without the short ones across an end of their neighbour, or across its middle where the tool sets such."""
    kept, ticks = [], Refused()
    for n, line in enumerate(lines):
        near_by = [*lines[max(n - TICKS_NEAR_BY, 0) : n], *lines[n + 1 : n + 1 + TICKS_NEAR_BY]]
        bearer = next((other for other in near_by if _is_tick(line, other)), None)
        if bearer is None:
            kept.append(line)
        else:
            ticks.append((line, Unusable("not_a_measurement", f"a tick of the line at {bearer.path}")))
    return kept, ticks


def _is_tick(line: Graphic, of: Graphic) -> bool:
    short, long = line.drawn.shape, of.drawn.shape
    if short is None or long is None or line.annotation != of.annotation:
        return False
    tick, axis = short.long_axis, long.long_axis
    if tick.length_px > TICK_SHARE * axis.length_px:
        return False
    at = [*axis.points, axis.middle] if line.layer.marks_middles else axis.points
    stands_on = any(tick.middle.distance_px(point) <= SAME_PLACE_PX for point in at)
    return stands_on and tick.angle_to_deg(axis, PixelSpacing(1.0, 1.0)) >= TICK_ANGLE_DEG


def _of_lines(lines: Sequence[Graphic], spacing: PixelSpacing | None) -> list[Lesion]:
    """Pairs, then the lines that are left; only lines of one name, or without one, are a pair."""
    by_name: dict[Hashable, list[Graphic]] = defaultdict(list)
    for line in lines:
        by_name[line.named].append(line)
    lesions = []
    for name, group in by_name.items():
        axes = [line.drawn.shape.long_axis for line in group if line.drawn.shape is not None]
        if name and len(axes) == 2 and axes_cross(axes[0], axes[1], SAME_PLACE_PX):
            pairs = [(0, 1)]
        else:
            pairs = recist_pairs(axes, spacing)
        paired = {position for pair in pairs for position in pair}
        lesions += [Lesion((group[a], group[b])) for a, b in pairs]
        lesions += [Lesion((line,)) for position, line in enumerate(group) if position not in paired]
    return lesions


# --- regions and places -----------------------------------------------------------------------------------------


def _regions(regions: Sequence[Graphic], lesions: Sequence[Lesion]) -> tuple[list[Lesion], Refused]:
    kept, around = [], Refused()
    pairs = [(lesion.graphics[0].path, *_axes(lesion)) for lesion in lesions if len(lesion.graphics) == 2]
    for region in regions:
        outline = region.drawn.shape.outline if region.drawn.shape is not None else None
        drawn = next((path for path, a, b in pairs if outline is not None and is_outline_of(outline, a, b)), None)
        if drawn is None:
            kept.append(Lesion((region,)))
        else:
            around.append((region, Unusable("axes_are_drawn", f"the axes of the same lesion are drawn at {drawn}")))
    return kept, around


def _axes(pair: Lesion) -> tuple[Axis, Axis]:
    first, second = (Axis(*graphic.drawn.points[:2]) for graphic in pair.graphics)
    return first, second


def _places(points: Sequence[Graphic], lines: Sequence[Graphic]) -> tuple[list[Lesion], Refused]:
    """Points, but for those that a viewer sets at the ends of its lines."""
    ends = Nearby([(end, line) for line in lines for end in line.drawn.points[:2]])
    places, handles = [], Refused()
    for point in points:
        at = point.drawn.at
        line = next(iter(ends.around(at)), None) if at is not None and len(point.drawn.points) == 1 else None
        if line is None:
            places.append(Lesion((point,), at=at))
        else:
            handles.append((point, Unusable("axes_are_drawn", f"it marks an end of the line at {line.path}")))
    return places, handles


class Nearby:
    """Graphics by a point of theirs."""

    def __init__(self, placed: Sequence[tuple[PointPx, Graphic]]) -> None:
        self._cells: dict[tuple[int, int], list[tuple[PointPx, Graphic]]] = defaultdict(list)
        for point, graphic in placed:
            self._cells[_cell(point)].append((point, graphic))

    def around(self, point: PointPx) -> Iterator[Graphic]:
        col, row = _cell(point)
        for cell in ((col + a, row + b) for a in (-1, 0, 1) for b in (-1, 0, 1)):
            for other, graphic in self._cells.get(cell, ())[:TICKS_NEAR_BY]:
                if other.distance_px(point) <= SAME_PLACE_PX:
                    yield graphic


def _cell(point: PointPx) -> tuple[int, int]:
    return int(point.col // SAME_PLACE_PX), int(point.row // SAME_PLACE_PX)
