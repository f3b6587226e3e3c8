"""Graphics of a presentation state → lines, regions and places, and why all others are none. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from db.geometry import Axis, PixelSpacing, PointPx
from mining.drawings import Shape, Unusable, shape_of
from mining.elements import number_of, numbers_of, text_of
from mining.readers.gsps_coordinates import Pair
from mining.recist import axes_of_rectangle, extent

MAX_POINTS = 20_000
"""Of one graphic; the longest contour seen has a few thousand."""

_OF_NO_LESION = re.compile(
    r"calibra|kalibr|étalonn|scale ?bar|(?:cut|reference|slice|localizer|scout)[ -]?(?:line|position)"
    r"|(?<![a-zäöü])(?:angle|cobb|winkel|[áa]ngulo|angolo)s?(?![a-z])|cross ?hair|shutter"
    r"|(?:spine|vertebra\w*|rib) ?label|角度|校正",
    re.IGNORECASE,
)
_ARROWS = re.compile(r"(?<![a-zäöü])(?:arrow|pfeil|fl[èe]che|flecha|freccia|pijl)|矢印|箭头", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Layer:
    """A graphic layer (PS3.3 C.10.7): its name, and what the writer says of it."""

    name: str = ""
    description: str = ""

    @property
    def said(self) -> str:
        return f"{self.name} {self.description}".replace("_", " ")

    @property
    def is_of_no_lesion(self) -> bool:
        """Rulers of the image, lines of other planes, angles."""
        return _OF_NO_LESION.search(self.said) is not None

    @property
    def is_of_arrows(self) -> bool:
        return _ARROWS.search(self.said) is not None

    @property
    def marks_middles(self) -> bool:
        """The tool `Line` of Agfa IMPAX sets a tick at the middle of each line."""
        return self.description.casefold() == "line"


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one graphic shows: a shape, or else a place (`at`); an open stroke of three points has neither.

    points: in pixels, as they were drawn.
    """

    points: tuple[PointPx, ...]
    shape: Shape | None = None
    at: PointPx | None = None


ToPixels = Callable[[Sequence[Pair], str], list[PointPx] | Unusable]
Turn = Callable[[Sequence[PointPx], float, PointPx], list[PointPx]]


def read_simple(
    item: Dataset, to_pixels: ToPixels, turn: Turn, spacing: PixelSpacing | None, most_points: int = MAX_POINTS
) -> Drawn | Unusable:
    """An item of the Graphic Object Sequence (PS3.3 C.10.5.1.2)."""
    units, kind = text_of(item, "GraphicAnnotationUnits").upper(), text_of(item, "GraphicType").upper()
    points = _points(item, units, to_pixels)
    if isinstance(points, Unusable):
        return points
    if kind == "CIRCLE" and units == "DISPLAY" and len(points) == 2:
        # Round on the display, where a pixel has its shape in the patient.
        kind, points = "ELLIPSE", tuple(turn(points, angle, points[0])[1] for angle in (0.0, 180.0, 90.0, 270.0))
    if kind in ("POINT", "MULTIPOINT") and points:
        return Drawn(points, at=_middle(points))
    if len(points) > most_points:
        return Unusable("too_many_points", "the outlines of the presentation state have too many points to be read on")
    shape = shape_of(kind, points, spacing, encloses=text_of(item, "GraphicFilled").upper() == "Y")
    if isinstance(shape, Shape):
        return Drawn(points, shape)
    return Drawn(points) if shape.reason_code == "open_polyline" and len(points) == 3 else shape


def read_compound(
    item: Dataset, to_pixels: ToPixels, turn: Turn, spacing: PixelSpacing | None
) -> list[Drawn] | Unusable:
    """An item of the Compound Graphic Sequence (PS3.3 C.10.5.1.3): several lines of one of many."""
    kind = text_of(item, "CompoundGraphicType").upper()
    if kind in _MEASURE_NOTHING:
        return Unusable("not_a_measurement", f"a {kind} measures no lesion")
    if kind not in ("MULTILINE", "RULER", "RANGELINE", "ARROW", "CROSSHAIR", "RECTANGLE", "ELLIPSE"):
        return Unusable("unknown_graphic", "a compound graphic of a type that is not known")
    units = text_of(item, "CompoundGraphicUnits").upper()
    points = _points(item, units, to_pixels)
    if isinstance(points, Unusable):
        return points
    if len(points) < (1 if kind == "CROSSHAIR" else 2):
        return Unusable("too_few_points", f"a {kind} has more points than {len(points)}")
    if kind in ("RECTANGLE", "ELLIPSE"):
        points = _corners(points) if kind == "RECTANGLE" else _ends(points)
    points = _turned(item, points, units, to_pixels, turn)
    match kind:
        case "RECTANGLE":
            return [_rectangle(points, spacing)] if _has_extent(points) else _NO_LENGTH
        case "ELLIPSE":
            shape = shape_of("ELLIPSE", points, spacing)
            return shape if isinstance(shape, Unusable) else [Drawn(points, shape)]
        case "ARROW" | "CROSSHAIR":
            return [Drawn(points, at=points[0])]  # an arrow begins with its head (C.10.5.1.3.11)
        case _:
            return _lines(points)


_MEASURE_NOTHING = ("INFINITELINE", "CUTLINE", "AXIS")
_NO_LENGTH = Unusable("zero_length", "a compound graphic without extent")


def _lines(points: Sequence[PointPx]) -> list[Drawn] | Unusable:
    """A line for each pair of points (C.10.5.1.3.5)."""
    pairs = list(zip(points[::2], points[1::2], strict=False))
    lines = [Drawn(ends, Shape(Axis(*ends))) for ends in pairs if ends[0] != ends[1]]
    return lines or _NO_LENGTH


def _has_extent(corners: Sequence[PointPx]) -> bool:
    return min(corners[0].distance_px(corners[1]), corners[1].distance_px(corners[2])) > 0


def _rectangle(corners: tuple[PointPx, ...], spacing: PixelSpacing | None) -> Drawn:
    return Drawn(corners, Shape(*axes_of_rectangle(corners, spacing), extent(corners)))


def _corners(points: Sequence[PointPx]) -> tuple[PointPx, ...]:
    a, b = points[0], points[1]
    return a, PointPx(b.col, a.row), b, PointPx(a.col, b.row)


def _ends(points: Sequence[PointPx]) -> tuple[PointPx, ...]:
    """Of the axes of an ellipse in that rectangle: left, right, top, bottom."""
    a, b = points[0], points[1]
    col, row = (a.col + b.col) / 2, (a.row + b.row) / 2
    return PointPx(a.col, row), PointPx(b.col, row), PointPx(col, a.row), PointPx(col, b.row)


def _turned(
    item: Dataset, points: tuple[PointPx, ...], units: str, to_pixels: ToPixels, turn: Turn
) -> tuple[PointPx, ...]:
    angle, pivot = number_of(item, "RotationAngle"), numbers_of(item, "RotationPoint") or ()
    if not angle:
        return points
    about = to_pixels([(pivot[0], pivot[1])], units) if len(pivot) == 2 else [_middle(points)]
    return points if isinstance(about, Unusable) else tuple(turn(points, angle, about[0]))


def _points(item: Dataset, units: str, to_pixels: ToPixels) -> tuple[PointPx, ...] | Unusable:
    numbers = numbers_of(item, "GraphicData")
    if numbers is None or len(numbers) % 2 or (number_of(item, "GraphicDimensions") or 2) != 2:
        return Unusable("bad_coordinates", "the coordinates are not pairs of finite numbers")
    if len(numbers) > 2 * MAX_POINTS:
        return Unusable("too_many_points", f"a graphic of over {MAX_POINTS} points is no measurement")
    points = to_pixels(list(zip(numbers[::2], numbers[1::2], strict=True)), units)
    return points if isinstance(points, Unusable) else tuple(points)


def _middle(points: Sequence[PointPx]) -> PointPx:
    return PointPx(sum(p.col for p in points) / len(points), sum(p.row for p in points) / len(points))
