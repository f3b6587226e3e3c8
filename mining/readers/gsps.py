"""Softcopy presentation states → measurements, and a reason for all other graphics. Pure.

PACS keep what a radiologist drew as lines and texts on a presentation state: two lines that cross near their middles
are one lesion's diameters, and the value stands in a text beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset

from db.geometry import PixelSpacing, PointPx
from db.measurement import ImageReference, Measurement, Rejected, Source
from mining.drawings import Shape, Unusable, is_outline_of, recist_pairs, shape_of
from mining.elements import items_of, moment_of, number_of, numbers_of, text_of
from mining.known_images import NO_IMAGES, KnownImage, KnownImages
from mining.recist import ordered
from mining.stated_text import stated_in_text

MAX_GRAPHICS = 5_000
"""In one presentation state."""

DUPLICATES = 50
"""So many drawings before it are looked through for the same one."""


@dataclass(frozen=True, slots=True)
class _Drawing:
    path: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class _Text:
    text: str
    anchor: PointPx | None
    stated: tuple[float, ...]


def read_gsps(ds: Dataset, images: KnownImages = NO_IMAGES) -> Iterator[Measurement | Rejected]:
    """All measurements of a presentation state, then the rejections. Paths name sequences and items, from 1."""
    state = _State(ds, images)
    annotations = items_of(ds, "GraphicAnnotationSequence")
    for number, annotation in enumerate(annotations, start=1):
        yield from state.read(f"GraphicAnnotationSequence[{number}]", annotation)
    if not annotations:
        yield Rejected(state.uid, "1", "no_measurement", "the presentation state holds no graphic")
    yield from state.rejected


class _State:
    """One presentation state and what has been rejected of it."""

    def __init__(self, ds: Dataset, images: KnownImages) -> None:
        self.uid = text_of(ds, "SOPInstanceUID")
        self.rejected: list[Rejected] = []
        self._ds = ds
        self._images = images
        self._reader = text_of(ds, "ContentCreatorName")
        self._at: datetime | None = moment_of(
            ds, "PresentationCreationDate", "PresentationCreationTime", text_of(ds, "TimezoneOffsetFromUTC")
        )
        self._graphics = 0

    def reject(self, path: str, unusable: Unusable) -> None:
        self.rejected.append(Rejected(self.uid, path, unusable.reason_code, unusable.reason))

    def read(self, path: str, annotation: Dataset) -> Iterator[Measurement]:
        image = self._image_of(annotation)
        graphics = [
            *_numbered(annotation, path, "GraphicObjectSequence"),
            *_numbered(annotation, path, "CompoundGraphicSequence"),
        ]
        if isinstance(image, Unusable):
            for at, _ in graphics[:MAX_GRAPHICS]:
                self.reject(at, image)
            return
        known = self._images.find(image)
        spacing = None if known is None else known.spacing
        drawings: list[_Drawing] = []
        for at, graphic in graphics:
            self._graphics += 1
            if self._graphics > MAX_GRAPHICS:
                self.reject(at, Unusable("too_many_drawings", f"over {MAX_GRAPHICS} graphics are not read on"))
                break
            shape = self._shape(graphic, image, known)
            if isinstance(shape, Unusable):
                self.reject(at, shape)
            elif shape not in [drawing.shape for drawing in drawings[-DUPLICATES:]]:
                drawings.append(_Drawing(at, shape))  # a compound graphic is often repeated as a plain one
        texts = self._texts(annotation, image, known)
        lesions = self._lesions(drawings, spacing)
        for lesion, text in _with_texts(lesions, texts):
            yield self._measurement(lesion, text, image, spacing, text_of(annotation, "GraphicLayer"))

    # --- images and coordinates

    def _image_of(self, annotation: Dataset) -> ImageReference | Unusable:
        """The one image that an annotation, or else the whole presentation state, refers to."""
        named = _references(annotation)
        if not named:
            named = [r for series in items_of(self._ds, "ReferencedSeriesSequence") for r in _references(series)]
        if len(named) == 1:
            return named[0]
        if not named:
            return Unusable("no_image_reference", "the graphic refers to no image")
        return Unusable("ambiguous_image", f"the graphic could lie on {len(named)} images or frames")

    def _shape(self, graphic: Dataset, image: ImageReference, known: KnownImage | None) -> Shape | Unusable:
        compound = text_of(graphic, "CompoundGraphicType").upper()
        kind = _COMPOUND.get(compound) if compound else text_of(graphic, "GraphicType").upper()
        if kind is None:
            return Unusable("unknown_graphic", f"a compound graphic of type {compound[:16]!r} is no measurement")
        units = text_of(graphic, "CompoundGraphicUnits" if compound else "GraphicAnnotationUnits").upper()
        numbers = numbers_of(graphic, "GraphicData")
        if numbers is None or len(numbers) % 2 or (number_of(graphic, "GraphicDimensions") or 2) != 2:
            return Unusable("bad_coordinates", "the coordinates are not pairs of finite numbers")
        pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
        points = self._points(pairs, units, image, known)
        if isinstance(points, Unusable):
            return points
        filled = text_of(graphic, "GraphicFilled").upper() == "Y"
        return shape_of(kind, points, None if known is None else known.spacing, encloses=filled)

    def _points(
        self, pairs: Sequence[tuple[float, float]], units: str, image: ImageReference, known: KnownImage | None
    ) -> list[PointPx] | Unusable:
        """PIXEL as it stands; DISPLAY, a fraction of the displayed area, if that is the whole image (C.10.5.1.2)."""
        if units in ("PIXEL", ""):
            return [PointPx.from_scoord(x, y) for x, y in pairs]
        if units != "DISPLAY":
            return Unusable("unknown_units", f"coordinates in units of {units[:16]!r} are not read")
        size = self._whole_image(image, known)
        if isinstance(size, Unusable):
            return size
        rows, columns = size
        return [PointPx.from_scoord(x * columns, y * rows) for x, y in pairs]

    def _whole_image(self, image: ImageReference, known: KnownImage | None) -> tuple[int, int] | Unusable:
        if known is None:
            return Unusable("display_units", "it is drawn on the display, and the image's size is not known")
        if (number_of(self._ds, "ImageRotation") or 0) != 0 or text_of(self._ds, "ImageHorizontalFlip").upper() == "Y":
            return Unusable("display_units", "it is drawn on the display of a turned image")
        areas = [
            area
            for area in items_of(self._ds, "DisplayedAreaSelectionSequence")
            if not _references(area) or image in _references(area)
        ]
        whole = ((1.0, 1.0), (float(known.columns), float(known.rows)))
        shown = [
            (numbers_of(a, "DisplayedAreaTopLeftHandCorner"), numbers_of(a, "DisplayedAreaBottomRightHandCorner"))
            for a in areas
        ]
        if shown != [whole]:
            return Unusable("display_units", "it is drawn on a display that does not show just the whole image")
        return known.rows, known.columns

    def _texts(self, annotation: Dataset, image: ImageReference, known: KnownImage | None) -> list[_Text]:
        texts: list[_Text] = []
        for item in items_of(annotation, "TextObjectSequence"):
            text = " ".join(text_of(item, "UnformattedTextValue").split())
            if text:
                texts.append(_Text(text, self._anchor(item, image, known), stated_in_text(text)))
        return texts

    def _anchor(self, item: Dataset, image: ImageReference, known: KnownImage | None) -> PointPx | None:
        """Where a text points to, else where it stands."""
        for units, first, second in (
            ("AnchorPointAnnotationUnits", "AnchorPoint", "AnchorPoint"),
            ("BoundingBoxAnnotationUnits", "BoundingBoxTopLeftHandCorner", "BoundingBoxBottomRightHandCorner"),
        ):
            corners = [numbers_of(item, keyword) or () for keyword in (first, second)]
            pairs = [(corner[0], corner[1]) for corner in corners if len(corner) >= 2]
            points = self._points(pairs, text_of(item, units).upper(), image, known) if len(pairs) == 2 else None
            if isinstance(points, list):
                return PointPx((points[0].col + points[1].col) / 2, (points[0].row + points[1].row) / 2)
        return None

    # --- lesions

    def _lesions(self, drawings: Sequence[_Drawing], spacing: PixelSpacing | None) -> list[tuple[_Drawing, ...]]:
        lines = [drawing for drawing in drawings if drawing.shape.is_line]
        pairs = recist_pairs([line.shape.long_axis for line in lines], spacing)
        paired = {position for pair in pairs for position in pair}
        lesions: list[tuple[_Drawing, ...]] = [(lines[a], lines[b]) for a, b in pairs]
        lesions += [(line,) for position, line in enumerate(lines) if position not in paired]
        for region in drawings:
            outline = region.shape.outline
            if outline is None:
                continue
            around = next(
                (p for p in lesions if len(p) == 2 and is_outline_of(outline, *(d.shape.long_axis for d in p))), None
            )
            if around is None:
                lesions.append((region,))
            else:
                reason = f"the axes of the same lesion are drawn at {around[0].path}"
                self.reject(region.path, Unusable("axes_are_drawn", reason))
        return lesions

    def _measurement(
        self,
        lesion: tuple[_Drawing, ...],
        text: _Text | None,
        image: ImageReference,
        spacing: PixelSpacing | None,
        layer: str,
    ) -> Measurement:
        shape = lesion[0].shape
        long_axis, short_axis = shape.long_axis, shape.short_axis
        if len(lesion) == 2:
            long_axis, short_axis = ordered(long_axis, lesion[1].shape.long_axis, spacing)
        stated = sorted(text.stated, reverse=True) if text is not None else []
        return Measurement(
            source=Source(self.uid, lesion[0].path, "GSPS"),
            image=image,
            long_axis=long_axis,
            short_axis=short_axis,
            derived=not shape.is_line,
            outline=shape.outline,
            stated_long_axis_mm=stated[0] if stated else None,
            stated_short_axis_mm=stated[1] if len(stated) > 1 and short_axis is not None else None,
            tracking_id=layer,
            reader=self._reader,
            measured_at=self._at,
            comment="" if text is None else text.text,
        )


_COMPOUND = {"MULTILINE": "POLYLINE", "RANGELINE": "POLYLINE", "RULER": "POLYLINE"}
"""Compound graphics (PS3.3 C.10.5.1.3) that are a line between two points; arrows and cross hairs measure nothing."""


def _numbered(annotation: Dataset, path: str, keyword: str) -> list[tuple[str, Dataset]]:
    return [(f"{path}.{keyword}[{n}]", item) for n, item in enumerate(items_of(annotation, keyword), start=1)]


def _references(holder: Dataset) -> list[ImageReference]:
    """The image frames of a Referenced Image Sequence, each once."""
    found: dict[ImageReference, None] = {}
    for item in items_of(holder, "ReferencedImageSequence"):
        uid = text_of(item, "ReferencedSOPInstanceUID")
        frames = numbers_of(item, "ReferencedFrameNumber") or (1.0,)
        if uid:
            found.update(dict.fromkeys(ImageReference(uid, max(int(frame), 1)) for frame in frames))
    return list(found)


def _with_texts(
    lesions: Sequence[tuple[_Drawing, ...]], texts: Sequence[_Text]
) -> Iterator[tuple[tuple[_Drawing, ...], _Text | None]]:
    """Each lesion with its text: the only one, or the nearest that no other lesion has; those with a value first."""
    free = [text for text in texts if text.stated] or list(texts)
    if len(free) == len(lesions) and (len(free) == 1 or all(text.anchor is None for text in free)):
        yield from zip(lesions, free, strict=True)
        return
    placed = [text for text in free if text.anchor is not None]
    for lesion in lesions:
        best = min(placed, key=lambda text: _distance(lesion, text.anchor), default=None)
        if best is not None:
            placed.remove(best)
        yield lesion, best


def _distance(lesion: tuple[_Drawing, ...], anchor: PointPx | None) -> float:
    if anchor is None:
        return float("inf")
    return min(point.distance_px(anchor) for drawing in lesion for point in drawing.shape.long_axis.points)
