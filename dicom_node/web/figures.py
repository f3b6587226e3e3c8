"""A lesion as a small picture: what part of its image is shown, and what is drawn over it. Pure.

The overlay is SVG in pixels of the whole image, where the centre of the first pixel is (0.5, 0.5), as in SCOORD
(PS3.3 C.18.6.1), so that the PNG beneath needs no knowledge of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
import numpy.typing as npt

from db.errors import RequestError
from db.geometry import Axis, BoxPx, PixelSpacing, PointPx
from db.harvested import long_axis_of, short_axis_of
from db.lesions import box_of
from db.measurement import ImageReference
from db.models import LesionRow
from db.outcomes import DetectionRow

LEAST_MM = 60.0
"""A picture shows at least this much, so that one sees where in the body it is."""
SURROUNDINGS = 2.2
"""How many times the box a picture shows."""

WINDOWS_HU = {"soft tissue": (-160.0, 240.0), "lung": (-1350.0, 150.0), "bone": (-450.0, 1350.0)}
"""Low and high end of what is grey."""


@dataclass(frozen=True, slots=True)
class Crop:
    """Whole pixels: columns x to x + width, rows y to y + height, the ends exclusive."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is drawn on one image: by a reader, or by the detector."""

    key: str
    """lesion_id or detection_id."""
    kind: str
    """lesion or detection: it decides colour and address."""
    image: ImageReference
    box: BoxPx
    long_axis: Axis
    short_axis: Axis | None


@dataclass(frozen=True, slots=True)
class Figure:
    """A crop with what is drawn on it, at `px_per_mm` of the screen."""

    drawn: Drawn
    crop: Crop
    spacing: PixelSpacing
    view_width: float
    """On the screen, in CSS pixels."""

    @property
    def view_height(self) -> float:
        """So that a millimetre is as long in both directions."""
        ratio = (self.crop.height * self.spacing.row_mm) / (self.crop.width * self.spacing.col_mm)
        return self.view_width * ratio

    @property
    def axes(self) -> tuple[Axis, ...]:
        return (self.drawn.long_axis, self.drawn.short_axis) if self.drawn.short_axis else (self.drawn.long_axis,)


def drawn_lesion(row: LesionRow) -> Drawn:
    """RequestError for what was only pointed at."""
    long_axis = long_axis_of(row)
    if long_axis is None:
        raise RequestError("this was only pointed at, so there is nothing to draw", lesion_id=row.lesion_id)
    image = ImageReference(row.sop_instance_uid, row.frame_number)
    return Drawn(row.lesion_id, "lesion", image, box_of(row), long_axis, short_axis_of(row))


def drawn_detection(row: DetectionRow) -> Drawn:
    return Drawn(
        row.detection_id,
        "detection",
        ImageReference(row.sop_instance_uid, row.frame_number),
        BoxPx(row.box_x1, row.box_y1, row.box_x2, row.box_y2),
        Axis(PointPx(row.long_x1, row.long_y1), PointPx(row.long_x2, row.long_y2)),
        Axis(PointPx(row.short_x1, row.short_y1), PointPx(row.short_x2, row.short_y2)),
    )


def crop_around(box: BoxPx, rows: int, columns: int, spacing: PixelSpacing) -> Crop:
    """The part of an image to show for a box: square in the patient where the image reaches, never empty."""
    longest_mm = max(box.width_px * spacing.col_mm, box.height_px * spacing.row_mm)
    side_mm = max(SURROUNDINGS * longest_mm, LEAST_MM)
    x, width = _span(box.centre.col + 0.5, side_mm / spacing.col_mm, columns)
    y, height = _span(box.centre.row + 0.5, side_mm / spacing.row_mm, rows)
    return Crop(x, y, width, height)


def _span(centre: float, wanted: float, available: int) -> tuple[int, int]:
    """First pixel and number of pixels of a stretch that is moved, and only then cut, to lie inside the image."""
    size = min(max(ceil(wanted), 1), available)
    first = floor(centre - size / 2)
    return min(max(first, 0), available - size), size


def window_hu(voxels: npt.NDArray[np.int16]) -> tuple[float, float]:
    """The window in which something is seen on a crop (H, W) HU: lung where half of it is air, bone where hard."""
    median = float(np.median(voxels)) if voxels.size else 0.0
    if median < -350:
        return WINDOWS_HU["lung"]
    return WINDOWS_HU["bone"] if median > 250 else WINDOWS_HU["soft tissue"]
