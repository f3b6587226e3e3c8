"""A lesion's boxes and the HU around them → its mask and its two axes. Pure.

No network draws the outline: inside the box the lesion differs from its ring, so the border is half way between the
two, and the mask is the connected part of the inside around the middle. Where that gives nothing sensible, the mask
is the ellipse that fits into the box; both keep to the box.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from db.detection import Mask
from db.geometry import DEEPLESION_MARGIN_PX, Axis, BoxPx, PixelSpacing, PointPx
from detector.merge import Track
from mining.recist import axes_of_mask

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SegmentSettings:
    """What is accepted as an outline."""

    least_contrast_hu: float = 15.0
    """Less difference between middle and ring gives no border."""
    least_share: float = 0.25
    """Of the ellipse in the box; a smaller part is taken for a wrong border."""
    most_share: float = 1.35
    """Of the same ellipse; a larger part is taken for a border that leaked."""
    smooth_px: float = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class Outlined:
    """Mask of the whole lesion, and its axes on the key slice; the long axis is the longer in mm."""

    mask: Mask
    long_axis: Axis
    short_axis: Axis


def outline(voxels: npt.NDArray[np.int16], track: Track, spacing: PixelSpacing, settings: SegmentSettings) -> Outlined:
    """The outline of a lesion. voxels: (S, H, W) HU, native; the track's boxes are clipped to the image."""
    rows, columns = voxels.shape[1:]
    boxes = {z: box for z in range(track.z_first, track.z_last + 1) if (box := track.box_on(z)) is not None}
    flags = {z: lesion_on_slice(voxels[z], box, settings) for z, box in boxes.items()}
    key = track.key.z
    linked = {z: flag for z, flag in flags.items() if z == key or (flag & _grown(flags[key])).any()}
    every = np.any(list(linked.values()), axis=0)
    (top, bottom), (left, right) = (_range(every.any(axis=axis)) for axis in (1, 0))
    first, last = _around(linked, key)
    cropped = np.stack([linked[z][top:bottom, left:right] for z in range(first, last + 1)])
    long_axis, short_axis = axes_on(flags[key], boxes[key].clipped(rows, columns), spacing)
    return Outlined(Mask(first, top, left, cropped), long_axis, short_axis)


def lesion_on_slice(plane: npt.NDArray[np.int16], box: BoxPx, settings: SegmentSettings) -> Flags:
    """The lesion's pixels on one slice (H, W); at least one, all within the box and the image."""
    rows, columns = plane.shape
    core = _without_margin(box).clipped(rows, columns)
    ellipse = _ellipse(core, rows, columns)
    ring_box = box.clipped(rows, columns)
    top, bottom = int(ring_box.y1), int(np.ceil(ring_box.y2)) + 1
    left, right = int(ring_box.x1), int(np.ceil(ring_box.x2)) + 1
    hu = ndimage.gaussian_filter(plane[top:bottom, left:right].astype(np.float32), settings.smooth_px)
    shape = ellipse[top:bottom, left:right]
    middle = _ellipse(_scaled(core, 0.5), rows, columns)[top:bottom, left:right]
    ring = ~ndimage.binary_dilation(shape, iterations=2)
    found = _half_way(hu, middle, ring if ring.any() else ~shape, shape, settings)
    if found is None:
        return ellipse
    whole = np.zeros((rows, columns), np.bool_)
    whole[top:bottom, left:right] = found
    return whole


def _half_way(
    hu: npt.NDArray[np.float32], middle: Flags, ring: Flags, ellipse: Flags, settings: SegmentSettings
) -> Flags | None:
    """The connected part around the middle on its side of the border; None where that is no outline."""
    if not ring.any():
        return None
    inside, outside = float(np.median(hu[middle])), float(np.median(hu[ring]))
    if abs(inside - outside) < settings.least_contrast_hu:
        return None
    border = (inside + outside) / 2
    side = hu > border if inside > outside else hu < border
    side = ndimage.binary_opening(side & ndimage.binary_dilation(ellipse, iterations=2)) | (side & middle)
    parts, count = ndimage.label(side)
    if not count:
        return None
    common = np.bincount(parts[middle], minlength=count + 1)
    common[0] = 0
    if not common.any():
        return None
    part = ndimage.binary_fill_holes(parts == common.argmax())
    share = part.sum() / ellipse.sum()
    return part if settings.least_share <= share <= settings.most_share else None


def axes_on(flags: Flags, box: BoxPx, spacing: PixelSpacing) -> tuple[Axis, Axis]:
    """Long and short axis of a mask, ordered by their length in mm; within the box where the mask has no breadth."""
    found = axes_of_mask(flags, spacing)
    if found is None:  # nothing to measure: the box's own middle lines
        core = _without_margin(box)
        level = Axis(PointPx(core.x1, core.centre.row), PointPx(core.x2, core.centre.row))
        upright = Axis(PointPx(core.centre.col, core.y1), PointPx(core.centre.col, core.y2))
        pair = (level, upright)
    else:
        long_axis, short_axis = found
        pair = (long_axis, short_axis or _one_pixel_across(long_axis))
    longer, shorter = sorted(pair, key=lambda axis: -axis.length_mm(spacing))
    return longer, shorter


def _one_pixel_across(axis: Axis) -> Axis:
    """A line of one pixel through the middle, at a right angle."""
    length = axis.length_px or 1.0
    col, row = (axis.b.row - axis.a.row) / length / 2, (axis.a.col - axis.b.col) / length / 2
    middle = axis.middle
    return Axis(PointPx(middle.col - col, middle.row - row), PointPx(middle.col + col, middle.row + row))


def _without_margin(box: BoxPx) -> BoxPx:
    """The lesion's own extent: boxes have 5 px around it; a box too small for that keeps its middle third."""
    x = min(DEEPLESION_MARGIN_PX, box.width_px / 3)
    y = min(DEEPLESION_MARGIN_PX, box.height_px / 3)
    return BoxPx(box.x1 + x, box.y1 + y, box.x2 - x, box.y2 - y)


def _scaled(box: BoxPx, factor: float) -> BoxPx:
    half_width, half_height, middle = box.width_px / 2 * factor, box.height_px / 2 * factor, box.centre
    return BoxPx(middle.col - half_width, middle.row - half_height, middle.col + half_width, middle.row + half_height)


def _ellipse(box: BoxPx, rows: int, columns: int) -> Flags:
    """The ellipse in a box, and always the pixel of its middle."""
    row, col = np.ogrid[:rows, :columns]
    middle = box.centre
    reach_x, reach_y = max(box.width_px / 2, 0.5), max(box.height_px / 2, 0.5)
    flags: Flags = ((col - middle.col) / reach_x) ** 2 + ((row - middle.row) / reach_y) ** 2 <= 1.0
    flags[min(max(round(middle.row), 0), rows - 1), min(max(round(middle.col), 0), columns - 1)] = True
    return flags


def _grown(flags: Flags) -> Flags:
    return ndimage.binary_dilation(flags, iterations=3)


def _range(flags: npt.NDArray[np.bool_]) -> tuple[int, int]:
    places = np.flatnonzero(flags)
    return int(places[0]), int(places[-1]) + 1


def _around(linked: dict[int, Flags], key: int) -> tuple[int, int]:
    """First and last of the unbroken run of slices with the key slice in it."""
    first = last = key
    while first - 1 in linked:
        first -= 1
    while last + 1 in linked:
        last += 1
    return first, last
