"""Drawings of a report put together to lesions: two axes, one axis, or one region; and places alone. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

from db.geometry import Axis, PointPx
from db.measurement import ImageReference
from mining.drawings import NEIGHBOURS, Unusable, is_outline_of, recist_pairs
from mining.readers.sr_context import Surroundings
from mining.readers.sr_graphics import Graphic, Spot
from mining.readers.sr_numbers import Leftover
from mining.recist import axes_cross, extent, length

Boxes = npt.NDArray[np.float64]

AXES_ARE_DRAWN = "axes_are_drawn"
"""Why a region gives no measurement of its own."""

Lesion = tuple[Graphic, ...]
"""One drawing, or the two lines of one lesion in document order."""


def lesions_of(graphics: Sequence[Graphic], around: Surroundings) -> tuple[list[Lesion], list[Leftover]]:
    """The lesions in document order, and the drawings that are none of their own."""
    keys = {id(graphic): _lesion_key(graphic, around) for graphic in graphics}
    groups: dict[tuple[str, ImageReference], list[Graphic]] = defaultdict(list)
    for graphic in graphics:
        if graphic.shape.is_line:
            groups[keys[id(graphic)], graphic.image].append(graphic)
    lines: list[Lesion] = []
    leftovers: list[Leftover] = []
    for group in groups.values():
        pairs, alone = _pair(group)
        lines.extend(pairs)
        leftovers.extend(alone)
    regions = [graphic for graphic in graphics if not graphic.shape.is_line]
    regions, smaller = _largest_slices(regions, keys, around)
    regions, repeated = _without_measured(regions, lines, keys)
    lesions = sorted([*lines, *((region,) for region in regions)], key=lambda lesion: lesion[0].item.position)
    return lesions, [*leftovers, *smaller, *repeated]


def _lesion_key(graphic: Graphic, around: Surroundings) -> str:
    """What the drawings of one lesion share: the tracking UID of its group, else the item that holds them.

    A finding of a CAD report is on one image; in another view it is another drawing, which does not replace it.
    """
    if graphic.home.value_type == "CODE" or not around.is_lesion(graphic.home):
        return graphic.home.path
    return around.text([graphic.home], "tracking_uid") or graphic.home.path


def spots_alone(
    spots: Sequence[Spot], graphics: Sequence[Graphic], around: Surroundings
) -> tuple[list[Spot], list[Leftover]]:
    """The places that stand for a finding of their own, and those that belong to a drawing.

    In one lesion a place on the same image is an attribute of what is drawn there; where all drawings of a document
    stand side by side, only a place inside one of them is.
    """
    drawn: dict[tuple[str, ImageReference], list[Graphic]] = defaultdict(list)
    for graphic in graphics if spots else ():
        drawn[graphic.home.path, graphic.image].append(graphic)
    extents = {at: _extents(beside) for at, beside in drawn.items()}
    alone: list[Spot] = []
    leftovers: list[Leftover] = []
    for spot in spots:
        boxes = extents.get((spot.home.path, spot.image))
        if boxes is None or not (around.is_lesion(spot.home) or _inside_any(spot.point, boxes)):
            alone.append(spot)
        else:
            leftovers.append((spot.item, Unusable("point_of_a_drawing", "a place in a lesion that is drawn, too")))
    return alone, leftovers


def _extents(graphics: Sequence[Graphic]) -> Boxes:
    boxes = [graphic.shape.outline or extent(graphic.shape.long_axis.points) for graphic in graphics]
    return np.array([(box.x1, box.y1, box.x2, box.y2) for box in boxes])  # (G, 4)


def _inside_any(point: PointPx, boxes: Boxes) -> bool:
    x1, y1, x2, y2 = boxes.T
    return bool(((x1 <= point.col) & (point.col <= x2) & (y1 <= point.row) & (point.row <= y2)).any())


def _pair(lines: Sequence[Graphic]) -> tuple[list[Lesion], list[Leftover]]:
    """Long and short axes by name, then unnamed lines that cross; what stays alone is a long axis, or a leftover."""
    pairs = _named_pairs(lines)
    used = {id(line) for line in chain.from_iterable(pairs)}
    rest = [line for line in lines if id(line) not in used]
    for first, second in recist_pairs([line.shape.long_axis for line in rest], lines[0].spacing):
        pairs.append((rest[first], rest[second]))
        used.update((id(rest[first]), id(rest[second])))
    alone = [line for line in rest if id(line) not in used]
    reason = Unusable("short_axis_alone", "a short axis without a long axis on the same image")
    leftovers = [(line.item, reason) for line in alone if line.role == "short"]
    return [*pairs, *((line,) for line in alone if line.role != "short")], leftovers


def _named_pairs(lines: Sequence[Graphic]) -> list[Lesion]:
    """Each long axis with the next short axis that crosses it; those that cross nothing by their order."""
    longs = [line for line in lines if line.role == "long"]
    shorts = [line for line in lines if line.role == "short"]
    pairs: list[Lesion] = []
    for line in list(longs):
        near = [short for short in shorts if abs(short.item.position - line.item.position) <= 8 * NEIGHBOURS]
        partner = next((s for s in near if axes_cross(line.shape.long_axis, s.shape.long_axis)), None)
        if partner is not None:
            pairs.append(_in_order(line, partner))
            longs.remove(line)
            shorts.remove(partner)
    if len(longs) == len(shorts):
        pairs.extend(_in_order(line, short) for line, short in zip(longs, shorts, strict=True))
    return pairs


def _in_order(first: Graphic, second: Graphic) -> Lesion:
    return (first, second) if first.item.position < second.item.position else (second, first)


def _largest_slices(
    regions: Sequence[Graphic], keys: dict[int, str], around: Surroundings
) -> tuple[list[Graphic], list[Leftover]]:
    """Of one lesion outlined on several images only the image with the longest axis, which is RECIST's slice."""
    by_lesion: dict[str, list[Graphic]] = defaultdict(list)
    for region in regions:
        one_lesion = around.is_lesion(region.home)
        by_lesion[keys[id(region)] if one_lesion else f"drawing {region.item.path}"].append(region)
    kept: list[Graphic] = []
    leftovers: list[Leftover] = []
    for outlines in by_lesion.values():
        largest = max(outlines, key=lambda region: length(region.shape.long_axis, region.spacing))
        reason = Unusable("smaller_slice", f"the same lesion is longer on the image of {largest.item.path}")
        kept.extend(region for region in outlines if region.image == largest.image)
        leftovers.extend((region.item, reason) for region in outlines if region.image != largest.image)
    return kept, leftovers


def _without_measured(
    regions: Sequence[Graphic], lines: Sequence[Lesion], keys: dict[int, str]
) -> tuple[list[Graphic], list[Leftover]]:
    """Without the regions around a lesion whose axes are drawn too: drawn axes go before derived ones."""
    drawn: dict[ImageReference, list[Lesion]] = defaultdict(list)
    for lesion in lines:
        drawn[lesion[0].image].append(lesion)
    kept: list[Graphic] = []
    leftovers: list[Leftover] = []
    for region in regions:
        around = next((lesion for lesion in drawn[region.image] if _is_around(region, lesion, keys)), None)
        if around is None:
            kept.append(region)
        else:
            reason = f"the axes of the same lesion are drawn at {around[0].item.path}"
            leftovers.append((region.item, Unusable(AXES_ARE_DRAWN, reason)))
    return kept, leftovers


def _is_around(region: Graphic, lesion: Lesion, keys: dict[int, str]) -> bool:
    """Two axes by overlap, in any group; a single one only in the region's own group, which says it is one lesion."""
    outline = region.shape.outline
    if outline is None:
        return False
    axes: list[Axis] = [graphic.shape.long_axis for graphic in lesion]
    if len(axes) == 2:
        return is_outline_of(outline, axes[0], axes[1])
    middle = axes[0].middle
    inside = outline.x1 <= middle.col <= outline.x2 and outline.y1 <= middle.row <= outline.y2
    return inside and keys[id(region)] == keys[id(lesion[0])]
