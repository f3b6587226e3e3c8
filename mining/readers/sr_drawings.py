"""All drawings and places of one document. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from mining.content_tree import ContentTree
from mining.drawings import Unusable
from mining.known_images import KnownImages
from mining.readers.sr_context import Surroundings
from mining.readers.sr_graphics import COORDINATES, Graphic, Spot, read_graphic
from mining.readers.sr_images import NamedImages
from mining.readers.sr_numbers import Leftover, give_numbers
from mining.readers.sr_segments import Segments, names_segment

MAX_DRAWINGS = 5_000
"""Drawings and places in one document; a large report has a few hundred."""

MAX_TRIED = 10_000
"""Coordinates and segments that are looked at for them."""


@dataclass(slots=True)
class Drawings:
    """In document order, each once, with their numbers; and the coordinates that are neither."""

    graphics: list[Graphic] = field(default_factory=list)
    spots: list[Spot] = field(default_factory=list)
    unusable: list[Leftover] = field(default_factory=list)

    @property
    def drawn(self) -> list[Graphic | Spot]:
        return [*self.graphics, *self.spots]


def read_drawings(tree: ContentTree, around: Surroundings, images: KnownImages) -> Drawings:
    """What is drawn in a document, read with all that is known of its images."""
    named = NamedImages(tree)
    found = Drawings()
    segments = Segments(around, images)
    drawn: dict[tuple[object, ...], Graphic] = {}
    pointed: set[tuple[object, ...]] = set()
    tried = 0
    for item in tree.items:
        if item.value_type not in COORDINATES and not names_segment(item):
            continue
        tried += 1
        if len(drawn) + len(pointed) >= MAX_DRAWINGS or tried > MAX_TRIED:
            reason = f"a document of over {MAX_DRAWINGS} drawings is not read on"
            found.unusable.append((item, Unusable("too_many_drawings", reason)))
            break
        is_drawn = item.value_type in COORDINATES
        one = read_graphic(item, named, images, around) if is_drawn else segments.drawing(item)
        if isinstance(one, Unusable):
            found.unusable.append((item, one))
        elif isinstance(one, Spot):
            place = (one.home.path, one.image, one.point)
            if place not in pointed:
                pointed.add(place)
                found.spots.append(one)
        else:
            same = drawn.setdefault((one.home.path, one.image, one.points), one)
            if same is one:
                found.graphics.append(one)
            else:  # viewers repeat a group's outline below its first number
                same.numbers.extend(one.numbers)
    give_numbers(tree, around, found.graphics)
    _let_go(found)
    return found


def _let_go(found: Drawings) -> None:
    """Two loose points that no number measures are a place, not a line."""
    loose = {id(graphic): graphic for graphic in found.graphics if graphic.is_loose and graphic.role is None}
    if loose:
        spots = [*found.spots, *(line.spot for line in loose.values())]
        found.graphics = [graphic for graphic in found.graphics if id(graphic) not in loose]
        found.spots = sorted(spots, key=lambda spot: spot.item.position)
