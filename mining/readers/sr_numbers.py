"""Which NUM belongs to which drawing of a content tree, and which are left over. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from mining.content_tree import ContentItem, ContentTree
from mining.drawings import Unusable
from mining.readers.sr_concepts import MILLIMETRES
from mining.readers.sr_context import Surroundings, role_of_number, stated_mm, unit_of_number
from mining.readers.sr_graphics import COORDINATES, Graphic, Spot
from mining.readers.sr_segments import names_segment

Leftover = tuple[ContentItem, Unusable]


def give_numbers(tree: ContentTree, around: Surroundings, graphics: Sequence[Graphic]) -> None:
    """Add to each drawing the numbers that are about it.

    A drawing below a NUM has that one. One that a NUM names by reference has that one. Any other gets those NUMs
    with which it shares the nearest common ancestor, but none from outside its lesion's group; `home` moves up to
    that ancestor.
    """
    _follow_references(tree, graphics)
    free = _free_numbers(tree, graphics)
    sharing: dict[str, list[Graphic]] = defaultdict(list)
    for graphic in graphics:
        if graphic.numbers and (graphic.role is not None or not around.is_lesion(graphic.home)):
            continue  # an area below which a lesion is drawn leaves its lengths to the numbers beside it
        ancestor = _nearest_with_numbers(graphic, free, around)
        if ancestor is not None:
            sharing[ancestor.path].append(graphic)
            if len(ancestor.path) < len(graphic.home.path):
                graphic.home = ancestor
    for path, sharers in sharing.items():
        _share(sharers, free[path])


def stated_lengths(numbers: Sequence[ContentItem]) -> tuple[float | None, float | None]:
    """Long and short axis in mm, as the numbers of one drawing state them."""
    long_mm: float | None = None
    short_mm: float | None = None
    sides: list[float] = []
    for number in numbers:
        role = role_of_number(number)
        if role == "side":
            side = stated_mm(number)
            sides += [] if side is None else [side]
        elif role == "short":
            short_mm = stated_mm(number) if short_mm is None else short_mm
        elif role is not None:
            long_mm = stated_mm(number) if long_mm is None else long_mm
    if long_mm is None and short_mm is None and sides:
        return max(sides), min(sides) if len(sides) > 1 else None
    return long_mm, short_mm


def length_above(drawing: ContentItem) -> float | None:
    """What a number right above a line states of it in mm, whatever its own concept calls it."""
    number = drawing.parent
    return stated_mm(number) if number is not None and number.value_type == "NUM" else None


def leftovers(tree: ContentTree, drawn_or_pointed: Sequence[Graphic | Spot]) -> Iterator[Leftover]:
    """Numbers without a drawing, other coordinates; or that there was nothing at all.

    A number that stands in one lesion with a drawing or a segment (an area, a mean) is one of its attributes and no
    leftover.
    """
    with_drawing = {one.home.path for one in drawn_or_pointed}
    segments = {item.path: item.parent for item in tree.items if names_segment(item)}
    with_drawing |= {parent.path for parent in segments.values() if parent is not None}
    used = {number.path for one in drawn_or_pointed if isinstance(one, Graphic) for number in one.numbers}
    used |= {a.path for item in tree.items if item.value_type in COORDINATES for a in item.ancestors()}
    nothing = True
    for item in tree.items:
        if item.value_type in COORDINATES:
            nothing = False
        elif item.value_type == "TCOORD":
            nothing = False
            yield item, Unusable("temporal_coordinates", "coordinates in time are no drawing")
        elif item.path in segments:
            nothing = False
        elif item.value_type == "NUM":
            nothing = False
            if item.path in used or any(
                a.path in with_drawing or a.value_type in COORDINATES for a in item.ancestors()
            ):
                continue
            yield item, _number_alone(item)
    if nothing:
        yield tree.root, Unusable("no_measurement", "the document holds neither a drawing nor a number")


def _number_alone(item: ContentItem) -> Unusable:
    if unit_of_number(item) in MILLIMETRES:
        return Unusable("no_coordinates", "a length without a drawing: it is not known where it was measured")
    return Unusable("not_a_length", "a number without a drawing; its unit is no length")


def _follow_references(tree: ContentTree, graphics: Sequence[Graphic]) -> None:
    by_path = {graphic.item.path: graphic for graphic in graphics}
    for item in tree.items:
        if item.target is not None and item.parent is not None and item.parent.value_type == "NUM":
            graphic = by_path.get(item.target.path)
            if graphic is not None:
                graphic.numbers.append(item.parent)


def _free_numbers(tree: ContentTree, graphics: Sequence[Graphic]) -> dict[str, list[ContentItem]]:
    """By the path of each item: the numbers below it that no drawing has yet."""
    drawn = {ancestor.path for graphic in graphics for ancestor in graphic.item.ancestors()}
    taken = {number.path for graphic in graphics for number in graphic.numbers}
    free: dict[str, list[ContentItem]] = defaultdict(list)
    for item in tree.items:
        if item.value_type == "NUM" and item.path not in drawn and item.path not in taken:
            for ancestor in item.ancestors():
                free[ancestor.path].append(item)
    return free


def _nearest_with_numbers(
    graphic: Graphic, free: dict[str, list[ContentItem]], around: Surroundings
) -> ContentItem | None:
    for ancestor in (graphic.item, *graphic.item.ancestors()):
        if free.get(ancestor.path):
            return ancestor
        if (ancestor is not graphic.item or ancestor is graphic.home) and around.is_lesion(ancestor):
            return None
    return None


def _share(graphics: Sequence[Graphic], numbers: Sequence[ContentItem]) -> None:
    """All numbers to the only drawing; one each, in document order, if there are as many lengths as drawings."""
    if len(graphics) == 1:
        graphics[0].numbers.extend(numbers)
        return
    lengths = [number for number in numbers if role_of_number(number) or unit_of_number(number) in MILLIMETRES]
    if len(lengths) == len(graphics):
        for graphic, number in zip(graphics, lengths, strict=True):
            graphic.numbers.append(number)
