"""What makes a measurement doubtful: how it was drawn, and the pixels in its box. Pure.

Nothing is dropped for it: the row says why, and what it marks is learnt neither as a lesion nor as background. After
the filter of DeepLesion (the journal paper, 2.2.1), which names the features and no thresholds: the defaults here are
wide, by the published extremes and 200 rows of DL_info.csv. Lengths compare in mm where the spacing is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, ceil, degrees, floor

import numpy as np
import numpy.typing as npt

from db.geometry import Axis, BoxPx, PixelSpacing, PointPx
from db.measurement import Measurement
from mining.recist import axes_cross


@dataclass(frozen=True, slots=True)
class NoiseLimits:
    """Beyond which a measurement is doubtful. Boxes are meant without DeepLesion's margin but where it is said."""

    max_off_perpendicular_deg: float = 10.0
    """RECIST 1.1 wants the short axis perpendicular to the long one; 98 % of the 200 rows are this near."""
    slip_px: float = 1.0
    """How far the short axis' ends may have slipped, which turns a short line more than a long one; with it all of the
    200 rows are near enough."""
    min_long_axis_px: float = 1.0
    """Shorter than a pixel: a click, not a line."""
    max_long_axis_px: float = 2000.0
    """The longest diameter of DeepLesion at its finest pixel, 0.18 mm."""
    min_long_axis_mm: float = 0.4
    """The shortest diameter in DeepLesion is 0.42 mm."""
    max_long_axis_mm: float = 400.0
    """The longest is 342.5 mm."""
    min_short_axis_px: float = 0.5
    """A short axis of no length; DeepLesion's shortest is about 1 px."""
    max_long_over_short: float = 8.0
    """Twice the largest of the 200 rows, 4.0; the median is 1.3."""
    min_box_area_px: float = 1.0
    max_box_area_mm2: float = 100_000.0
    """Longest times longest short diameter of DeepLesion is 72,700 mm²."""
    max_box_ratio: float = 6.0
    """Of the box's longer side to the other; twice the largest of the 200 rows, 3.05."""
    outside_px: float = 1.0
    """How far an end may lie beyond the image's edge: some viewers let it slip by a pixel."""
    read_pixels: bool = True
    """Whether the three limits below are looked at; an image in CT without compression is read for it."""
    min_mean_hu: float = -950.0
    """The mean in the box with its margin: darker is air outside the body, and lungs are about -850."""
    min_sd_hu: float = 2.0
    """The standard deviation in the same box: the noise of any scan is more."""
    min_range_hu: float = 10.0
    """From the darkest to the brightest pixel of the same box."""

    def __post_init__(self) -> None:
        """Raises ValueError for limits that no measurement can keep."""
        for low, high in (("min_long_axis_px", "max_long_axis_px"), ("min_long_axis_mm", "max_long_axis_mm")):
            if not getattr(self, low) <= getattr(self, high):
                raise ValueError(f"{low} must be at most {high}, got {getattr(self, low)} and {getattr(self, high)}")
        for name in ("max_long_over_short", "max_box_ratio"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("max_off_perpendicular_deg", "slip_px", "outside_px"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")


DEFAULT_NOISE_LIMITS = NoiseLimits()


def noisy_because(
    measured: Measurement,
    spacing: PixelSpacing | None,
    size: tuple[int, int] | None,
    limits: NoiseLimits = DEFAULT_NOISE_LIMITS,
) -> str | None:
    """All that is doubtful about how a measurement was drawn, or None.

    spacing and size (rows, columns) are the image's. Without a spacing ratios are those in pixels, and no angle and no
    length in mm raises doubt; without a size nothing lies outside.
    """
    reasons = _of_lengths(measured.long_axis, measured.short_axis, spacing, limits)
    if measured.short_axis is not None and not measured.derived:  # else a region's are as its shape makes them
        reasons += _of_crossing(measured.long_axis, measured.short_axis, spacing, limits)
    reasons += _of_box(measured, spacing, limits)
    if size is not None and not _inside(_drawn(measured), size, limits.outside_px):
        reasons.append("it lies outside the image")
    return joined(reasons)


def pixels_doubt(hu: npt.NDArray[np.int16], box: BoxPx, limits: NoiseLimits = DEFAULT_NOISE_LIMITS) -> str | None:
    """All that is doubtful about the pixels in a measurement's box, or None.

    hu: (H, W), the whole image. box: with its margin; only the part inside the image is looked at, and a box without
    one raises no doubt here, for `noisy_because` says that it lies outside.
    """
    rows, columns = hu.shape
    first_row, last_row = ceil(max(box.y1, 0.0)), floor(min(box.y2, rows - 1.0))
    first_col, last_col = ceil(max(box.x1, 0.0)), floor(min(box.x2, columns - 1.0))
    if first_row > last_row or first_col > last_col:
        return None
    part = hu[first_row : last_row + 1, first_col : last_col + 1]
    mean, sd, span = float(part.mean()), float(part.std()), int(part.max()) - int(part.min())
    reasons = []
    if mean < limits.min_mean_hu:
        reasons.append(f"its pixels are dark as air, {mean:.0f} HU on average")
    if sd < limits.min_sd_hu:
        reasons.append(f"its pixels are flat, their standard deviation is {sd:.1f} HU")
    if span < limits.min_range_hu:
        reasons.append(f"its pixels are all within {span} HU")
    return joined(reasons)


def joined(reasons: list[str]) -> str | None:
    return "; ".join(reasons) or None


def _of_lengths(
    long_axis: Axis, short_axis: Axis | None, spacing: PixelSpacing | None, limits: NoiseLimits
) -> list[str]:
    reasons = []
    if long_axis.length_px < limits.min_long_axis_px:
        reasons.append(f"the long axis is under {limits.min_long_axis_px:g} px")
    if long_axis.length_px > limits.max_long_axis_px:
        reasons.append(f"the long axis is over {limits.max_long_axis_px:g} px")
    if spacing is not None and long_axis.length_mm(spacing) < limits.min_long_axis_mm:
        reasons.append(f"the long axis is under {limits.min_long_axis_mm:g} mm")
    if spacing is not None and long_axis.length_mm(spacing) > limits.max_long_axis_mm:
        reasons.append(f"the long axis is over {limits.max_long_axis_mm:g} mm")
    if short_axis is None:
        return reasons
    if short_axis.length_px < limits.min_short_axis_px:
        return [*reasons, f"the short axis is under {limits.min_short_axis_px:g} px"]
    units = spacing or PixelSpacing(1.0, 1.0)
    if long_axis.length_mm(units) > limits.max_long_over_short * short_axis.length_mm(units):
        reasons.append(f"the long axis is over {limits.max_long_over_short:g} times the short one")
    return reasons


def _of_crossing(long_axis: Axis, short_axis: Axis, spacing: PixelSpacing | None, limits: NoiseLimits) -> list[str]:
    reasons = []
    if not axes_cross(long_axis, short_axis, limits.slip_px):
        reasons.append("the axes do not cross")
    if spacing is None:
        return reasons
    off = 90.0 - long_axis.angle_to_deg(short_axis, spacing)
    slip_deg = degrees(atan2(limits.slip_px, short_axis.length_px))
    if off > limits.max_off_perpendicular_deg + slip_deg:
        reasons.append(f"the axes are {off:.0f} degrees off perpendicular")
    return reasons


def _of_box(measured: Measurement, spacing: PixelSpacing | None, limits: NoiseLimits) -> list[str]:
    """Of the extent of what was drawn; a line alone has no box to speak of."""
    if measured.short_axis is None and measured.outline is None:
        return []
    reasons, box, units = [], BoxPx.around(_drawn(measured), margin_px=0.0), spacing or PixelSpacing(1.0, 1.0)
    if box.area_px < limits.min_box_area_px:
        return [f"the box is under {limits.min_box_area_px:g} square px"]
    width, height = box.width_px * units.col_mm, box.height_px * units.row_mm
    if spacing is not None and width * height > limits.max_box_area_mm2:
        reasons.append(f"the box is over {limits.max_box_area_mm2:g} square mm")
    if max(width, height) > limits.max_box_ratio * min(width, height):
        reasons.append(f"the box is over {limits.max_box_ratio:g} times as long as wide")
    return reasons


def _drawn(measured: Measurement) -> tuple[PointPx, ...]:
    """The ends of the axes; of a region, the corners of its extent."""
    return measured.points if measured.outline is None else measured.outline.corners


def _inside(points: tuple[PointPx, ...], size: tuple[int, int], margin_px: float) -> bool:
    rows, columns = size
    edge = 0.5 + margin_px  # the first pixel's outer edge is at -0.5
    return all(-edge <= p.col <= columns - 1 + edge and -edge <= p.row <= rows - 1 + edge for p in points)
