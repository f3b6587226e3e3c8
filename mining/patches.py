"""A lesion's surroundings as a square of fixed millimetres, and the lesion's own place in it. Pure.

Fixed millimetres, because context tells more than the lesion alone: on real key slices a crop of twice the long axis
finds the right type about half as often as 96 mm do. The size goes into the features as a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, sqrt

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, map_coordinates

from db.geometry import Axis, BoxPx, PixelSpacing, PointPx
from mining.pixels import AIR_HU, Hu, window

PATCH_MM = 96.0
PATCH_PX = 128
STEP_MM = PATCH_MM / PATCH_PX
WINDOWS_HU = ((-175.0, 275.0), (-1500.0, 500.0), (-534.0, 1425.0))
"""Soft tissue, lung and bone: the three channels that a network sees."""
RING_MM = (2.0, 8.0)
"""The ring around a lesion begins and ends this far outside its outline."""
RATIO_WITHOUT_SHORT_AXIS = 0.75
"""Short to long axis of the ellipse of a lesion whose reader drew one line only."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class LesionPatch:
    """hu: (128, 128), axis order row, column; the lesion's centre lies in its middle. inside, ring: the same shape.

    short_axis_mm is None where only one line was drawn.
    """

    hu: Hu
    inside: Mask
    ring: Mask
    long_axis_mm: float
    short_axis_mm: float | None


def lesion_patch(
    hu: Hu, spacing: PixelSpacing, long_axis: Axis, short_axis: Axis | None, size_px: int = PATCH_PX
) -> LesionPatch:
    """The patch of a lesion on its image (H, W); what lies beyond the image's border is air."""
    centre = lesion_centre(long_axis, short_axis)
    distance_mm = _outline_distance_mm(long_axis, short_axis, centre, spacing, size_px)
    inside = distance_mm <= 0.0
    inside[size_px // 2, size_px // 2] = True  # a lesion smaller than a pixel still has one
    return LesionPatch(
        hu=crop_mm(hu, spacing, centre, size_px),
        inside=inside,
        ring=(distance_mm >= RING_MM[0]) & (distance_mm <= RING_MM[1]),
        long_axis_mm=long_axis.length_mm(spacing),
        short_axis_mm=None if short_axis is None else short_axis.length_mm(spacing),
    )


def lesion_centre(long_axis: Axis, short_axis: Axis | None) -> PointPx:
    """The middle of the extent of all axis ends, as in DeepLesion's boxes."""
    points = long_axis.points if short_axis is None else long_axis.points + short_axis.points
    return BoxPx.around(points).centre


def crop_mm(hu: Hu, spacing: PixelSpacing, centre: PointPx, size_px: int = PATCH_PX, side_mm: float = PATCH_MM) -> Hu:
    """A square of side_mm around a point, resampled to (size_px, size_px) by bilinear interpolation.

    Where the image is finer than the square it is smoothed first, so that nothing aliases.
    """
    step_mm = side_mm / size_px
    offsets = offsets_mm(size_px, step_mm)
    rows, cols = centre.row + offsets / spacing.row_mm, centre.col + offsets / spacing.col_mm
    sigmas = (_smoothing_px(step_mm / spacing.row_mm), _smoothing_px(step_mm / spacing.col_mm))
    margin = int(4 * max(sigmas)) + 2
    top, left = max(int(rows[0]) - margin, 0), max(int(cols[0]) - margin, 0)
    part = hu[top : max(int(rows[-1]) + margin + 1, 0), left : max(int(cols[-1]) + margin + 1, 0)]
    if part.size == 0:
        return np.full((size_px, size_px), AIR_HU, np.int16)
    smooth = gaussian_filter(part.astype(np.float32), sigmas, mode="nearest") if max(sigmas) > 0 else part
    grid = np.meshgrid(rows - top, cols - left, indexing="ij")
    values = map_coordinates(smooth.astype(np.float32), grid, order=1, mode="constant", cval=AIR_HU)
    square: Hu = np.rint(values).astype(np.int16)
    return square


def offsets_mm(size_px: int = PATCH_PX, step_mm: float = STEP_MM) -> npt.NDArray[np.float64]:
    """Distance of the centres of a patch's pixels from its middle, (size_px,)."""
    return (np.arange(size_px, dtype=np.float64) - (size_px - 1) / 2.0) * step_mm


def grey_windows(hu: Hu) -> npt.NDArray[np.float32]:
    """The three windows of a patch as channels, (3, H, W), 0 to 1."""
    return np.stack([window(hu, low, high) for low, high in WINDOWS_HU]).astype(np.float32) / np.float32(255.0)


def _smoothing_px(step_px: float) -> float:
    """Sigma of the Gaussian that takes an image to a sampling of step_px pixels; 0 where it is not finer."""
    return 0.5 * sqrt(step_px**2 - 1.0) if step_px > 1.2 else 0.0


def _outline_distance_mm(
    long_axis: Axis, short_axis: Axis | None, centre: PointPx, spacing: PixelSpacing, size_px: int
) -> npt.NDArray[np.float64]:
    """Distance of each pixel of the patch from the lesion's ellipse, along the ray from its middle; < 0 inside."""
    dx = (long_axis.b.col - long_axis.a.col) * spacing.col_mm
    dy = (long_axis.b.row - long_axis.a.row) * spacing.row_mm
    length = hypot(dx, dy)
    u, v = (dx / length, dy / length) if length > 0 else (1.0, 0.0)
    half_long = max(length / 2.0, STEP_MM / 2.0)
    ratio = RATIO_WITHOUT_SHORT_AXIS if short_axis is None or length == 0 else short_axis.length_mm(spacing) / length
    half_short = max(half_long * min(ratio, 1.0), STEP_MM / 2.0)
    middle = long_axis.middle
    offsets = offsets_mm(size_px)
    y = (offsets - (middle.row - centre.row) * spacing.row_mm)[:, None]
    x = (offsets - (middle.col - centre.col) * spacing.col_mm)[None, :]
    along, across = (x * u + y * v) / half_long, (y * u - x * v) / half_short
    scaled = np.sqrt(along**2 + across**2)
    radius_mm = np.sqrt(x**2 + y**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        outline_mm = np.where(scaled > 0, radius_mm / scaled, half_short)
    distance: npt.NDArray[np.float64] = radius_mm - outline_mm
    return distance
