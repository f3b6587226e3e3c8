"""RECIST geometry: long and short axis of lines and outlines. Pure.

Lengths compare in millimetres where the image's spacing is known, else in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

import numpy as np
import numpy.typing as npt

from db.geometry import Axis, BoxPx, PixelSpacing, PointPx

Points = npt.NDArray[np.float64]

NEAR_MIDDLES = 0.1
"""Two lines are one lesion's diameters if each is crossed inside 10 % to 90 % of its length: in 200 rows of DL_info.csv
the crossing lies between 15 % and 81 %."""

PAIR_MIN_ANGLE_DEG = 60.0
"""… and under at least this angle: the same rows have 78 degrees and more."""


def length(axis: Axis, spacing: PixelSpacing | None) -> float:
    """Length in mm, or in pixels where there is no spacing."""
    return axis.length_px if spacing is None else axis.length_mm(spacing)


def ordered(first: Axis, second: Axis, spacing: PixelSpacing | None) -> tuple[Axis, Axis]:
    """The longer axis and the shorter one; the first of two equal ones is the long axis."""
    return (first, second) if length(first, spacing) >= length(second, spacing) else (second, first)


def crossing(first: Axis, second: Axis) -> tuple[float, float] | None:
    """Where the two infinite lines meet, as a fraction of each axis: 0 is its start, 1 its end. None if parallel."""
    ux, uy = first.b.col - first.a.col, first.b.row - first.a.row
    vx, vy = second.b.col - second.a.col, second.b.row - second.a.row
    wx, wy = second.a.col - first.a.col, second.a.row - first.a.row
    cross = ux * vy - uy * vx
    if abs(cross) <= 1e-9 * first.length_px * second.length_px:
        return None
    return (wx * vy - wy * vx) / cross, (wx * uy - wy * ux) / cross


def axes_cross(first: Axis, second: Axis, slip_px: float = 0.0) -> bool:
    """Whether the two segments meet, or would if they were that much longer at each end."""
    where = crossing(first, second)
    if where is None:
        return False
    return all(
        -slip_px - 1e-6 * axis.length_px <= fraction * axis.length_px <= (1 + 1e-6) * axis.length_px + slip_px
        for fraction, axis in zip(where, (first, second), strict=True)
    )


def is_recist_pair(first: Axis, second: Axis, spacing: PixelSpacing | None = None) -> bool:
    """Whether two lines that nobody named are the two diameters of one lesion: by place and angle alone."""
    where = crossing(first, second)
    if where is None or not all(NEAR_MIDDLES <= fraction <= 1 - NEAR_MIDDLES for fraction in where):
        return False
    return first.angle_to_deg(second, spacing or PixelSpacing(1.0, 1.0)) >= PAIR_MIN_ANGLE_DEG


# --- axes of regions --------------------------------------------------------------------------------------------


def axes_of_outline(outline: Sequence[PointPx], spacing: PixelSpacing | None = None) -> tuple[Axis, Axis | None] | None:
    """Longest diameter of a closed outline, and the longest chord of the region perpendicular to it.

    Both in the patient where the spacing is known. None for an outline without extent; no short axis for a region
    without an inside. The outline is closed by itself; its first point may be repeated at the end.
    """
    return axes_of_rings([np.array([(p.col, p.row) for p in outline], dtype=np.float64).reshape(-1, 2)], spacing)


def axes_of_rings(rings: Sequence[Points], spacing: PixelSpacing | None = None) -> tuple[Axis, Axis | None] | None:
    """The same for a region with holes: what lies inside an even number of rings is no part of it.

    rings: one or more of (N, 2), col and row; each is closed by itself.
    """
    scale = np.array([1.0, 1.0] if spacing is None else [spacing.col_mm, spacing.row_mm])
    scaled = [_opened(ring) * scale for ring in rings]
    ends = _farthest_pair(np.concatenate(scaled))
    if ends is None:
        return None
    a, b = ends
    chord = _longest_perpendicular_chord(scaled, a, b)
    long_axis = _axis(a / scale, b / scale)
    return long_axis, None if chord is None else _axis(chord[0] / scale, chord[1] / scale)


def _opened(ring: Points) -> Points:
    """Without a last point that repeats the first."""
    return ring[:-1] if len(ring) > 1 and np.array_equal(ring[0], ring[-1]) else ring


EQUAL = 1e-6
"""Lengths that differ by a smaller share are equal, and then the first one counts."""

_PIXEL_EDGES = np.array([(0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.0, -0.5)])


def axes_of_mask(mask: npt.NDArray[np.bool_], spacing: PixelSpacing | None = None) -> tuple[Axis, Axis | None] | None:
    """Longest diameter of a mask (H, W) and the longest perpendicular to it, between the pixels' edges.

    An end lies half a pixel beyond the centre of an edge pixel, where marching squares would put the outline; one
    pixel alone is one pixel long. None for an empty mask.
    """
    rows, cols = np.nonzero(mask)
    if len(rows) == 0:
        return None
    scale = np.array([1.0, 1.0] if spacing is None else [spacing.col_mm, spacing.row_mm])
    centres = np.column_stack([cols, rows]).astype(np.float64)
    points = (centres[:, None, :] + _PIXEL_EDGES).reshape(-1, 2) * scale  # (4 x pixels, 2)
    begins = np.append(True, rows[1:] != rows[:-1])
    outer = begins | np.append(begins[1:], True)  # the first and the last pixel of each row: no other is a corner
    ends = _farthest_pair((centres[outer][:, None, :] + _PIXEL_EDGES).reshape(-1, 2) * scale)
    if ends is None:
        return None
    a, b = ends
    along = (b - a) / np.hypot(*(b - a))
    across = np.array([-along[1], along[0]])
    chord = _widest_band((points - a) @ along, (points - a) @ across, width=float(scale.min()))
    ends_of_chord = (
        None if chord is None else (a + chord[0] * along + chord[1] * across, a + chord[0] * along + chord[2] * across)
    )
    short = None if ends_of_chord is None else _axis(ends_of_chord[0] / scale, ends_of_chord[1] / scale)
    return _axis(a / scale, b / scale), short


def axes_of_rectangle(corners: Sequence[PointPx], spacing: PixelSpacing | None = None) -> tuple[Axis, Axis]:
    """The lines between the middles of opposite sides, the longer one first. corners: four, in ring order.

    Not the diagonal: a rectangle is drawn around a lesion and touches it at its sides.
    """
    middles = [Axis(corners[n], corners[(n + 1) % 4]).middle for n in range(4)]
    return ordered(Axis(middles[0], middles[2]), Axis(middles[1], middles[3]), spacing)


def rectangle_corners(points: Sequence[PointPx], tolerance_px: float = 0.5) -> tuple[PointPx, ...] | None:
    """The four corners of a rectangle in ring order, or None if the points are no rectangle.

    points: 4, or 5 of which the last repeats the first; in any order, for some viewers write them row by row.
    Rotated rectangles count too.
    """
    if len(points) == 5 and points[0].distance_px(points[4]) <= 1e-3:
        points = points[:4]
    if len(points) != 4:
        return None
    for order in ((0, 1, 2, 3), (0, 1, 3, 2), (0, 2, 1, 3)):
        ring = tuple(points[n] for n in order)
        first, second = Axis(ring[0], ring[2]), Axis(ring[1], ring[3])
        sides = min(ring[0].distance_px(ring[1]), ring[1].distance_px(ring[2]))
        same_middle = first.middle.distance_px(second.middle) <= tolerance_px
        if same_middle and abs(first.length_px - second.length_px) <= tolerance_px and sides > tolerance_px:
            return ring
    return None


def extent(points: Sequence[PointPx]) -> BoxPx:
    """The box of an outline, without a margin."""
    return BoxPx.around(points, margin_px=0.0)


def ellipse_extent(major: Axis, minor: Axis) -> BoxPx:
    """The box of an ellipse that is given by the ends of its two perpendicular axes."""
    centre = major.middle
    half_width = hypot(major.b.col - major.a.col, minor.b.col - minor.a.col) / 2
    half_height = hypot(major.b.row - major.a.row, minor.b.row - minor.a.row) / 2
    return BoxPx(centre.col - half_width, centre.row - half_height, centre.col + half_width, centre.row + half_height)


def _axis(a: Points, b: Points) -> Axis:
    return Axis(PointPx(float(a[0]), float(a[1])), PointPx(float(b[0]), float(b[1])))


MANY_CORNERS = 256
"""Of a hull; from here on comparing all pairs takes longer than being clever."""


def _farthest_pair(points: Points) -> tuple[Points, Points] | None:
    """The two points that lie farthest apart, of (N, 2); None if all are one point."""
    if len(points) < 2:
        return None
    hull = _convex_hull(points)
    if len(hull) > MANY_CORNERS:
        return _farthest_of_many(hull)
    best, pair = 0.0, None
    for a in hull:  # a hull of n pixels' corners has far fewer than n corners
        distances = np.hypot(*(hull - a).T)
        n = int(distances.argmax())
        if distances[n] > best * (1 + 1e-12):
            best, pair = float(distances[n]), (a, hull[n])
    return pair


def _farthest_of_many(hull: Points) -> tuple[Points, Points]:
    """The same for many corners, without comparing all pairs: the two are supports in opposite directions.

    hull: (N, 2), counter-clockwise. Each edge is compared with the corner that lies farthest beyond it.
    """
    edges = np.roll(hull, -1, axis=0) - hull
    angles = np.unwrap(np.arctan2(edges[:, 1], edges[:, 0]))
    opposite = np.searchsorted(np.append(angles, angles + 2 * np.pi), angles + np.pi)
    count = len(hull)
    firsts = np.repeat(np.arange(count), 6)
    pairs = np.column_stack(
        [firsts + np.tile([0, 0, 0, 1, 1, 1], count), opposite.repeat(6) + np.tile([-1, 0, 1] * 2, count)]
    )
    pairs = np.sort(pairs % count, axis=1)
    distances = np.hypot(*(hull[pairs[:, 0]] - hull[pairs[:, 1]]).T)
    longest = pairs[distances >= distances.max() * (1 - 1e-12)]
    a, b = longest[np.lexsort((longest[:, 1], longest[:, 0]))[0]]
    return hull[a], hull[b]


def _convex_hull(points: Points) -> Points:
    """Andrew's monotone chain; corners only."""
    unique = np.unique(points, axis=0)
    if len(unique) < 3:
        return unique
    halves = []
    for side in (unique.tolist(), unique[::-1].tolist()):
        chain: list[list[float]] = []
        for p in side:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], p) <= 0:
                chain.pop()
            chain.append(p)
        halves.extend(chain[:-1])
    return np.array(halves)


def _turn(a: list[float], b: list[float], c: list[float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _longest_perpendicular_chord(rings: Sequence[Points], a: Points, b: Points) -> tuple[Points, Points] | None:
    """The longest piece, inside the region that the rings bound, of a line perpendicular to a-b.

    Between two corners the chord's length changes linearly, so the longest one lies at a corner, seen from just
    beside it.
    """
    long = float(np.hypot(*(b - a)))
    along = (b - a) / long
    across = np.array([-along[1], along[0]])
    points = np.concatenate(rings)
    following = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    s, t = (points - a) @ along, (points - a) @ across  # (N,) along and across the long axis
    s_next, t_next = (following - a) @ along, (following - a) @ across
    limit = max(16, 4_000_000 // len(points))
    corners = np.unique(s)
    if len(corners) > limit:
        corners = corners[np.linspace(0, len(corners) - 1, limit).astype(int)]
    beside = 1e-7 * long
    best, where = 1e-6 * long, None
    for place in np.concatenate([corners - beside, corners + beside]):
        crosses = (s <= place) != (s_next <= place)
        if not crosses.any():
            continue
        s0, t0, s1, t1 = s[crosses], t[crosses], s_next[crosses], t_next[crosses]
        cuts = np.sort(t0 + (place - s0) / (s1 - s0) * (t1 - t0))
        inside = cuts[1::2] - cuts[: len(cuts) // 2 * 2 : 2]
        n = int(inside.argmax())
        if inside[n] > best:
            best, where = float(inside[n]), (place, cuts[2 * n], cuts[2 * n + 1])
    if where is None:
        return None
    place, low, high = where
    return a + place * along + low * across, a + place * along + high * across


def _widest_band(s: Points, t: Points, width: float) -> tuple[float, float, float] | None:
    """Of points in bands of that width along s: the band with the widest t, as (its middle, t low, t high)."""
    bands = np.floor(s / width + EQUAL).astype(np.int64)  # the same bands wherever the mask lies in its image
    bands -= bands.min()
    low, high = np.full(bands.max() + 1, np.inf), np.full(bands.max() + 1, -np.inf)
    np.minimum.at(low, bands, t)
    np.maximum.at(high, bands, t)
    spans = high - low
    n = int((spans >= spans.max() * (1 - EQUAL)).argmax())
    if not high[n] > low[n]:
        return None
    return float(s[bands == n].mean()), float(low[n]), float(high[n])
