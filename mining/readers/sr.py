"""Any SR document → measurements, and a reason for all that is none. Pure.

One walk finds drawings and numbers by concept, wherever they stand; nothing depends on a template. Then:
- a number belongs to the drawing below it, else to the drawing with which it shares the nearest common ancestor;
- two lines of one lesion and image, named long and short or crossing near their middles, are one measurement;
- a region gives derived axes, unless the axes of the same lesion are drawn too;
- everything left over is rejected with a reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from pydicom.dataset import Dataset

from db.measurement import Measurement, Rejected, Source
from mining.content_tree import ContentItem, ContentTree, read_tree
from mining.drawings import Unusable
from mining.elements import text_of
from mining.known_images import NO_IMAGES, KnownImages
from mining.readers.sr_context import Surroundings
from mining.readers.sr_graphics import Graphic, only_image, read_graphic
from mining.readers.sr_lesions import Lesion, lesions_of
from mining.readers.sr_numbers import Leftover, give_numbers, leftovers, stated_lengths
from mining.recist import ordered

MAX_DRAWINGS = 5_000
"""In one document; a large report has a few hundred."""


def read_sr(ds: Dataset, images: KnownImages = NO_IMAGES) -> Iterator[Measurement | Rejected]:
    """All measurements of a document in document order, then the rejections.

    images: what is known of the images it refers to. Their spacing decides which axis is the longer one; without a
    plane, coordinates in mm (SCOORD3D) are rejected.
    """
    uid = text_of(ds, "SOPInstanceUID")
    tree = read_tree(ds)
    around = Surroundings(tree.root)
    graphics, unusable = _read_graphics(tree, images)
    give_numbers(tree, around, graphics)
    lesions, merged = lesions_of(graphics, around)
    attributes = _Attributes(around, graphics)
    for lesion in lesions:
        yield attributes.measurement(uid, lesion)
    for cut in tree.cuts:
        yield Rejected(uid, cut.path, cut.reason_code, cut.reason)
    for item, reason in chain(unusable, merged, leftovers(tree, graphics)):
        yield Rejected(uid, item.path, reason.reason_code, reason.reason)


def _read_graphics(tree: ContentTree, images: KnownImages) -> tuple[list[Graphic], list[Leftover]]:
    default = only_image(tree)
    graphics: list[Graphic] = []
    unusable: list[Leftover] = []
    drawn: dict[tuple[object, ...], Graphic] = {}
    for item in tree.items:
        if item.value_type not in ("SCOORD", "SCOORD3D"):
            continue
        if len(graphics) >= MAX_DRAWINGS:
            reason = f"a document of over {MAX_DRAWINGS} drawings is not read on"
            unusable.append((item, Unusable("too_many_drawings", reason)))
            break
        graphic = read_graphic(item, default, images)
        if isinstance(graphic, Unusable):
            unusable.append((item, graphic))
            continue
        same = drawn.setdefault((graphic.home.path, graphic.image, graphic.points), graphic)
        if same is graphic:
            graphics.append(graphic)
        else:  # viewers repeat a group's outline below its first number
            same.numbers.extend(graphic.numbers)
    return graphics, unusable


class _Attributes:
    """What a document says about each of its lesions."""

    def __init__(self, around: Surroundings, graphics: list[Graphic]) -> None:
        self._around = around
        self._homes: dict[str, set[str]] = {}
        """By the path of each item: the homes of the lesions below it. What stands above several is about none."""
        for graphic in graphics:
            for ancestor in (graphic.home, *graphic.home.ancestors()):
                self._homes.setdefault(ancestor.path, set()).add(graphic.home.path)

    def measurement(self, uid: str, lesion: Lesion) -> Measurement:
        first = lesion[0]
        long_axis, short_axis = first.shape.long_axis, first.shape.short_axis
        stated = stated_lengths(first.numbers)
        if len(lesion) == 2:
            long_axis, short_axis = ordered(long_axis, lesion[1].shape.long_axis, first.spacing)
            values = [next((v for v in stated_lengths(line.numbers) if v is not None), None) for line in lesion]
            stated = (values[0], values[1]) if long_axis is first.shape.long_axis else (values[1], values[0])
        near = list(dict.fromkeys(self._near(lesion)))
        above = list(dict.fromkeys(chain.from_iterable((g.item, *g.item.ancestors()) for g in lesion)))
        around = self._around
        reader, device = around.observer(above)
        return Measurement(
            source=Source(uid, first.item.path, "SR"),
            image=first.image,
            long_axis=long_axis,
            short_axis=short_axis,
            derived=not first.shape.is_line,
            outline=first.shape.outline,
            stated_long_axis_mm=stated[0],
            stated_short_axis_mm=stated[1],
            finding=around.code(near, "finding"),
            site=around.code(near, "site"),
            tracking_id=around.text(near, "tracking_id"),
            tracking_uid=around.text(near, "tracking_uid"),
            reader=reader,
            measured_at=around.measured_at(above),
            comment=around.text(near, "comment"),
            by_algorithm=around.algorithm([*near, *above]) or device,
        )

    def _near(self, lesion: Lesion) -> Iterator[ContentItem]:
        """Where its attributes may stand: its group, its drawings and numbers, then above as far as it is alone."""
        home = lesion[0].home
        yield home
        for item in chain.from_iterable((graphic.item, *graphic.numbers) for graphic in lesion):
            yield item
            for ancestor in item.ancestors():
                if ancestor is home:
                    break
                yield ancestor
        for ancestor in home.ancestors():
            if len(self._homes.get(ancestor.path, ())) > 1:
                return
            yield ancestor
