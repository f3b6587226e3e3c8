"""Softcopy presentation states → measurements and places, and a reason for all other graphics. Pure.

PACS keep what a radiologist drew as lines and texts on a presentation state: two lines that cross near their middles
are one lesion's diameters, and the value stands in a text beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydicom.dataset import Dataset

from db.geometry import PixelSpacing, PointPx
from db.measurement import Found, ImageReference, Measurement, Rejected, Source, WeakLabel
from mining.drawings import SAID_TO_BE_NO_LESION, Unusable
from mining.elements import MAX_TEXT, integer_of, items_of, moment_of, text_of
from mining.known_images import NO_IMAGES, KnownImage, KnownImages
from mining.readers.gsps_coordinates import Coordinates, Pair
from mining.readers.gsps_graphics import Drawn, Layer, ToPixels, Turn, read_compound, read_simple
from mining.readers.gsps_lesions import Graphic, Lesion, lesions_of
from mining.readers.gsps_pairing import give_texts, long_and_short, parts_of_angles
from mining.readers.gsps_texts import Text, read_text
from mining.recist import ordered

MAX_GRAPHICS = 2_000
"""In one presentation state; graphics that are refused count, too."""

MAX_TEXTS = 1_000

MAX_OUTLINE_POINTS = 30_000
"""Of all outlines of one presentation state, whose axes take time to find."""

DUPLICATES = 50
"""So many drawings before it are looked through for the same one."""


def read_gsps(ds: Dataset, images: KnownImages = NO_IMAGES) -> Iterator[Found]:
    """All measurements of a presentation state, then the places, then the rejections.

    Paths name sequences and items, from 1. What stands in another annotation of the same image may belong together.
    """
    state = _State(ds, images)
    for number, annotation in enumerate(items_of(ds, "GraphicAnnotationSequence"), start=1):
        if state.is_full:
            break
        state.collect(number, annotation)
    found = [one for page in state.pages.values() for one in state.found_on(page)]
    yield from sorted(found, key=lambda one: isinstance(one, WeakLabel))
    if not found and not state.rejected:
        yield Rejected(state.uid, "1", "no_measurement", "the presentation state holds no graphic of a lesion")
    yield from state.rejected


def reject_computed_views(ds: Dataset, images: KnownImages = NO_IMAGES) -> Iterator[Found]:
    """One rejection for a volumetric presentation state, which is drawn on a view that no image shows (C.11.22)."""
    reason = "it is drawn on a view computed from a volume; draw on the images themselves"
    yield Rejected(text_of(ds, "SOPInstanceUID"), "1", "computed_view", reason)


@dataclass(slots=True)
class _Page:
    """What is drawn on one image."""

    image: ImageReference
    known: KnownImage | None
    graphics: list[Graphic] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)

    @property
    def spacing(self) -> PixelSpacing | None:
        return None if self.known is None else self.known.spacing


_Read = Callable[[_Page, Dataset], list[Drawn] | Unusable]


class _State:
    """One presentation state and what has been rejected of it."""

    def __init__(self, ds: Dataset, images: KnownImages) -> None:
        self.uid = text_of(ds, "SOPInstanceUID")
        self.rejected: list[Rejected] = []
        self.pages: dict[ImageReference, _Page] = {}
        self._images = images
        self._coordinates = Coordinates(ds, images)
        self._layers = {
            text_of(item, "GraphicLayer"): text_of(item, "GraphicLayerDescription")
            for item in items_of(ds, "GraphicLayerSequence")
        }
        self._groups = {
            integer_of(item, "GraphicGroupID"): text_of(item, "GraphicGroupLabel")
            for item in items_of(ds, "GraphicGroupSequence")
        }
        self._reader = text_of(ds, "ContentCreatorName")
        self._at: datetime | None = moment_of(
            ds, "PresentationCreationDate", "PresentationCreationTime", text_of(ds, "TimezoneOffsetFromUTC")
        )
        self._graphics = self._texts = self._outline_points = 0

    @property
    def is_full(self) -> bool:
        return self._graphics > MAX_GRAPHICS

    def _reject(self, path: str, unusable: Unusable, drawn: Measurement | None = None) -> None:
        self.rejected.append(Rejected(self.uid, path, unusable.reason_code, unusable.reason, drawn=drawn))

    # --- what an annotation holds

    def collect(self, number: int, annotation: Dataset) -> None:
        """Put the graphics and texts of one annotation on the page of its image."""
        path = f"GraphicAnnotationSequence[{number}]"
        compounds = _numbered(annotation, path, "CompoundGraphicSequence")
        simple = _numbered(annotation, path, "GraphicObjectSequence")
        image, layer = self._coordinates.image_of(annotation), self._layer(annotation)
        if isinstance(image, Unusable) or layer.is_of_no_lesion:
            for at, _ in [*compounds, *simple][: MAX_GRAPHICS - self._graphics]:
                self._graphics += 1
                self._reject(at, image if isinstance(image, Unusable) else _OF_NO_LESION)
            return
        page = self.pages.get(image)
        if page is None:
            page = self.pages[image] = _Page(image, self._images.find(image))
        drawn_whole: set[int | None] = set()
        for at, item in compounds:
            if self._add(page, at, item, number, layer, self._compound):
                drawn_whole.add(integer_of(item, "CompoundGraphicInstanceID"))
        for at, item in simple:
            compound = integer_of(item, "CompoundGraphicInstanceID")
            if compound is None or compound not in drawn_whole:  # else it is there for viewers that know no compounds
                self._add(page, at, item, number, layer, self._simple)
        for at, item in _numbered(annotation, path, "TextObjectSequence")[: MAX_TEXTS - self._texts]:
            self._texts += 1
            text = read_text(item, at, number, lambda pairs, units: self._points(page, pairs, units))
            if text is not None:
                page.texts.append(text)

    def _layer(self, annotation: Dataset) -> Layer:
        name = text_of(annotation, "GraphicLayer")
        return Layer(name, self._layers.get(name, ""))

    def _points(self, page: _Page, pairs: Sequence[Pair], units: str) -> list[PointPx] | Unusable:
        return self._coordinates.points(pairs, units, page.image, page.known)

    def _simple(self, page: _Page, item: Dataset) -> list[Drawn] | Unusable:
        drawn = read_simple(item, *self._tools(page), self._room)
        return drawn if isinstance(drawn, Unusable) else [drawn]

    def _compound(self, page: _Page, item: Dataset) -> list[Drawn] | Unusable:
        return read_compound(item, *self._tools(page))

    def _tools(self, page: _Page) -> tuple[ToPixels, Turn, PixelSpacing | None]:
        """How a graphic of one image comes to its pixels, and how far these are apart."""
        return (
            lambda pairs, units: self._points(page, pairs, units),
            lambda points, angle, about: self._coordinates.turned(points, angle, about, page.image),
            page.spacing,
        )

    @property
    def _room(self) -> int:
        return MAX_OUTLINE_POINTS - self._outline_points

    def _add(self, page: _Page, path: str, item: Dataset, number: int, layer: Layer, read: _Read) -> bool:
        """Whether the graphic is understood; one that is drawn already is not added again."""
        if self.is_full:
            return False
        drawn = read(page, item)
        if isinstance(drawn, Unusable):
            if self._count(path):
                self._reject(path, drawn)
            return drawn.reason_code != "unknown_graphic"
        for n, one in enumerate(drawn, start=1):
            if not self._count(path):
                break
            self._outline_points += len(one.points)
            if any(_shows_the_same(one, other.drawn) for other in page.graphics[-DUPLICATES:]):
                continue
            graphic = Graphic(
                path=path if len(drawn) == 1 else f"{path}.{n}",
                drawn=one,
                annotation=number,
                layer=layer,
                group=integer_of(item, "GraphicGroupID"),
                compound=integer_of(item, "CompoundGraphicInstanceID"),
                tracking_id=text_of(item, "TrackingID"),
                tracking_uid=text_of(item, "TrackingUID"),
            )
            page.graphics.append(graphic)
        return True

    def _count(self, path: str) -> bool:
        """Whether there is room for one more; the first that has none is rejected."""
        self._graphics += 1
        if self.is_full:
            self._reject(path, _NO_ROOM)
        return not self.is_full

    # --- what it comes to

    def found_on(self, page: _Page) -> Iterator[Measurement | WeakLabel]:
        """The lesions of one image, and the places that were pointed at; rejects what is neither."""
        lesions, refused = lesions_of(page.graphics, page.spacing)
        for graphic, unusable in refused:
            is_region = graphic.drawn.shape is not None and not graphic.is_line
            self._reject(graphic.path, unusable, self._measurement(page, Lesion((graphic,))) if is_region else None)
        left = give_texts(lesions, page.texts, page.spacing)
        angles = parts_of_angles(lesions)
        for lesion in lesions:
            if lesion.is_no_lesion or lesion.graphics[0].path in angles:
                for graphic in lesion.graphics:
                    self._reject(graphic.path, SAID_TO_BE_NO_LESION)
            elif (at := lesion.at or lesion.sampled_at) is not None:
                yield self._place(page.image, at, lesion.graphics[0].path, lesion)
            else:
                yield self._measurement(page, lesion)
        for text in left:
            if text.at is not None and text.points and text.is_about_a_lesion:
                yield self._place(page.image, text.at, text.path, Lesion((), text.at, [text]))

    def _measurement(self, page: _Page, lesion: Lesion) -> Measurement:
        shapes = [graphic.drawn.shape for graphic in lesion.graphics if graphic.drawn.shape is not None]
        shape = shapes[0]
        long_axis, short_axis = shape.long_axis, shape.short_axis
        if len(shapes) == 2:
            long_axis, short_axis = ordered(long_axis, shapes[1].long_axis, page.spacing)
        stated = long_and_short(lesion)
        tracking_id, tracking_uid = self._tracking(lesion)
        return Measurement(
            source=Source(self.uid, lesion.graphics[0].path, "GSPS"),
            image=page.image,
            long_axis=long_axis,
            short_axis=short_axis,
            derived=not shape.is_line,
            outline=shape.outline,
            stated_long_axis_mm=stated[0] if stated else None,
            stated_short_axis_mm=stated[1] if len(stated) > 1 else None,
            tracking_id=tracking_id,
            tracking_uid=tracking_uid,
            reader=self._reader,
            measured_at=self._at,
            comment=_comment(lesion),
        )

    def _place(self, image: ImageReference, at: PointPx, path: str, lesion: Lesion) -> WeakLabel:
        tracking_id, tracking_uid = self._tracking(lesion)
        return WeakLabel(
            source=Source(self.uid, path, "GSPS"),
            image=image,
            point=at,
            tracking_id=tracking_id,
            tracking_uid=tracking_uid,
            reader=self._reader,
            measured_at=self._at,
            comment=_comment(lesion),
        )

    def _tracking(self, lesion: Lesion) -> tuple[str, str]:
        """The lesion's name: as it is tracked, as a text calls it, as its group is called, else that of its layer."""
        parts: list[Graphic | Text] = [*lesion.graphics, *lesion.texts]
        names = [
            *(part.tracking_id for part in parts),
            *(text.name for text in lesion.texts),
            *(self._groups.get(part.group, "") for part in parts if part.group is not None),
            *(graphic.layer.name for graphic in lesion.graphics),
        ]
        uids = (part.tracking_uid for part in parts)
        return next(filter(None, names), ""), next(filter(None, uids), "")


_NO_ROOM = Unusable("too_many_drawings", f"over {MAX_GRAPHICS} graphics are not read on")
_OF_NO_LESION = Unusable("not_a_measurement", "its layer holds scales, angles or lines of other planes")


def _shows_the_same(one: Drawn, other: Drawn) -> bool:
    if one.shape is None and one.at is None:
        return one.points == other.points
    return one.shape == other.shape and one.at == other.at


def _comment(lesion: Lesion) -> str:
    return "; ".join(dict.fromkeys(text.text for text in lesion.texts))[:MAX_TEXT]


def _numbered(annotation: Dataset, path: str, keyword: str) -> list[tuple[str, Dataset]]:
    items = items_of(annotation, keyword)[: MAX_GRAPHICS + 1]
    return [(f"{path}.{keyword}[{n}]", item) for n, item in enumerate(items, start=1)]
