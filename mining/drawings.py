"""One graphic as a line or a region with its axes, the same for SR and GSPS. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot

from db.geometry import Axis, BoxPx, PixelSpacing, PointPx
from mining.recist import (
    axes_of_outline,
    axes_of_rectangle,
    ellipse_extent,
    extent,
    is_recist_pair,
    ordered,
    rectangle_corners,
)

CLOSING_GAP = 0.1
"""A polyline is closed if its ends are nearer to each other than this share of its way, or than 2 px."""

SAME_LESION_IOU = 0.25
"""A region whose box overlaps the box of two drawn axes by this much, around their middle, is the same lesion."""

NEIGHBOURS = 16
"""Unnamed lines are tried as a pair only with so many that follow, which keeps a hostile document quick."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A line (`outline` is None and there is no short axis) or a region with the axes derived from it."""

    long_axis: Axis
    short_axis: Axis | None = None
    outline: BoxPx | None = None
    """The extent of a region, without a margin."""

    @property
    def is_line(self) -> bool:
        return self.outline is None


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why a graphic gives no measurement: a word, and a sentence."""

    reason_code: str
    reason: str


SAID_TO_BE_NO_LESION = Unusable(
    "not_a_measurement", "its words say that it is an angle, a scale or the size of an organ, and no lesion"
)


def shape_of(
    graphic_type: str, points: Sequence[PointPx], spacing: PixelSpacing | None, encloses: bool = False
) -> Shape | Unusable:
    """The shape of a SCOORD or GSPS graphic (PS3.3 C.18.6.1.2, C.10.5.1.2); spacing decides which axis is longer.

    encloses: the document says that an open polyline bounds an area.
    """
    reader = _READERS.get(graphic_type)
    if reader is None:
        return Unusable("unknown_graphic", "a graphic of a type that is not known")
    return reader(points, spacing, encloses)


def _no_extent(points: Sequence[PointPx], _spacing: PixelSpacing | None, _encloses: bool) -> Shape | Unusable:
    if not points:
        return Unusable("no_points", "the graphic has no points")
    return Unusable("no_extent", "a point has no extent")


def _polyline(points: Sequence[PointPx], spacing: PixelSpacing | None, encloses: bool) -> Shape | Unusable:
    points = _without_repeated(points)
    if len(points) < 2:
        return Unusable("too_few_points", f"a line needs 2 points, this one has {len(points)}")
    if len(points) == 2:
        line = Axis(points[0], points[1])
        return Shape(line) if line.length_px > 0 else Unusable("zero_length", "a line without length")
    corners = rectangle_corners(points)
    if corners is not None:
        return Shape(*axes_of_rectangle(corners, spacing), extent(corners))
    if not (encloses or _is_closed(points)):
        return Unusable("open_polyline", f"an open line of {len(points)} points is no diameter and no outline")
    return _contour(points, spacing, True)


def _without_repeated(points: Sequence[PointPx]) -> Sequence[PointPx]:
    """Without points that repeat the one before, as a double click leaves at the end of a line; two points stay two."""
    if len(points) < 3:
        return points
    kept = [*points[:1], *(b for a, b in pairwise(points) if a != b)]
    return kept if len(kept) > 1 else [*points[:2]]


def _contour(points: Sequence[PointPx], spacing: PixelSpacing | None, _encloses: bool) -> Shape | Unusable:
    axes = axes_of_outline(points, spacing) if len(points) > 2 else None
    if axes is None:
        return Unusable("zero_length", "an outline without extent")
    return Shape(axes[0], axes[1], extent(points))


def _interpolated(points: Sequence[PointPx], spacing: PixelSpacing | None, encloses: bool) -> Shape | Unusable:
    return _polyline(points, spacing, encloses)  # a smooth curve through the same points


def _circle(points: Sequence[PointPx], spacing: PixelSpacing | None, _encloses: bool) -> Shape | Unusable:
    """Centre and a point on the rim; a circle of pixels, which is an ellipse in the patient if these are not square."""
    if len(points) != 2:
        return Unusable("too_few_points", f"a circle has 2 points, this one has {len(points)}")
    centre, radius = points[0], points[0].distance_px(points[1])
    if radius == 0:
        return Unusable("zero_length", "a circle without a radius")
    across = Axis(PointPx(centre.col - radius, centre.row), PointPx(centre.col + radius, centre.row))
    down = Axis(PointPx(centre.col, centre.row - radius), PointPx(centre.col, centre.row + radius))
    return Shape(*ordered(across, down, spacing), extent(across.points + down.points))


def _ellipse(points: Sequence[PointPx], spacing: PixelSpacing | None, _encloses: bool) -> Shape | Unusable:
    """The ends of the major axis, then those of the minor one; viewers mix them up, so the length decides."""
    if len(points) != 4:
        return Unusable("too_few_points", f"an ellipse has 4 points, this one has {len(points)}")
    major, minor = Axis(points[0], points[1]), Axis(points[2], points[3])
    long_axis, short_axis = ordered(major, minor, spacing)
    if long_axis.length_px == 0:
        return Unusable("zero_length", "an ellipse without extent")
    return Shape(long_axis, short_axis if short_axis.length_px > 0 else None, ellipse_extent(major, minor))


_READERS = {
    "POINT": _no_extent,
    "MULTIPOINT": _no_extent,
    "POLYLINE": _polyline,
    "INTERPOLATED": _interpolated,
    "POLYGON": _contour,
    "CIRCLE": _circle,
    "ELLIPSE": _ellipse,
}


def _is_closed(points: Sequence[PointPx]) -> bool:
    way = sum(hypot(b.col - a.col, b.row - a.row) for a, b in pairwise(points))
    return points[0].distance_px(points[-1]) <= max(2.0, CLOSING_GAP * way)


def recist_pairs(lines: Sequence[Axis], spacing: PixelSpacing | None) -> list[tuple[int, int]]:
    """Which of the unnamed lines of one image are the two diameters of one lesion, as positions; each used once."""
    pairs: list[tuple[int, int]] = []
    used: set[int] = set()
    for first, line in enumerate(lines):
        if first in used:
            continue
        for second in range(first + 1, min(first + 1 + NEIGHBOURS, len(lines))):
            if second not in used and is_recist_pair(line, lines[second], spacing):
                pairs.append((first, second))
                used.update((first, second))
                break
    return pairs


def two_axes(points: Sequence[PointPx], spacing: PixelSpacing | None) -> Shape | Unusable:
    """The shape of two lines given by their 4 ends, one line after the other; the longer one is the long axis."""
    long_axis, short_axis = ordered(Axis(points[0], points[1]), Axis(points[2], points[3]), spacing)
    if long_axis.length_px == 0:
        return Unusable("zero_length", "two lines without length")
    return Shape(long_axis, short_axis if short_axis.length_px > 0 else None)


def is_outline_of(outline: BoxPx, long_axis: Axis, short_axis: Axis) -> bool:
    """Whether a region is drawn around the lesion whose axes are drawn too."""
    middle = long_axis.middle
    if not (outline.x1 <= middle.col <= outline.x2 and outline.y1 <= middle.row <= outline.y2):
        return False
    return outline.iou(extent(long_axis.points + short_axis.points)) >= SAME_LESION_IOU
