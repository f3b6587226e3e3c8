"""HU volume → what the network sees: one pixel size, three slices 2 mm apart, several windows. Pure.

Boxes of the network count from the outer edge of the first pixel, as torchvision's do; `BoxPx` counts pixel centres.
Only `Frame` leads from one to the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch.nn import functional

from db.geometry import BoxPx, PixelSpacing

AIR_HU = -1024
BODY_ABOVE_HU = -768
"""The paper's border between room and body (section 1.5)."""

Box = tuple[float, float, float, float]
"""(x1, y1, x2, y2) in pixels of the network, from the outer edge."""


@dataclass(frozen=True, slots=True)
class InputSettings:
    """What is done to every image before the network; part of a model, and kept in its card."""

    pixel_mm: float = 0.8
    """Every slice is brought to this pixel size (the paper's 0.8 mm)."""
    neighbour_mm: float = 2.0
    """Distance of the two outer slices from the middle one."""
    windows_hu: tuple[tuple[float, float], ...] = ((-175.0, 275.0), (-1500.0, 500.0), (-534.0, 1425.0))
    """Each is spread over 0 to 1 and becomes three channels; the windows of MVP-Net."""
    max_side_px: int = 768

    @property
    def channels(self) -> int:
        return 3 * len(self.windows_hu)


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the network's image lies in the native image: the crop's first pixel, then the scale."""

    first_row: int
    first_col: int
    row_scale: float
    col_scale: float

    def to_network(self, box: BoxPx) -> Box:
        return (
            (box.x1 + 0.5 - self.first_col) * self.col_scale,
            (box.y1 + 0.5 - self.first_row) * self.row_scale,
            (box.x2 + 0.5 - self.first_col) * self.col_scale,
            (box.y2 + 0.5 - self.first_row) * self.row_scale,
        )

    def to_native(self, box: Box) -> BoxPx:
        return BoxPx(
            box[0] / self.col_scale - 0.5 + self.first_col,
            box[1] / self.row_scale - 0.5 + self.first_row,
            box[2] / self.col_scale - 0.5 + self.first_col,
            box[3] / self.row_scale - 0.5 + self.first_row,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One series at the network's pixel size.

    voxels: (S, H, W) int16 HU. positions_mm: (S,) along the normal, rising.
    """

    voxels: npt.NDArray[np.int16]
    positions_mm: npt.NDArray[np.float64]
    frame: Frame

    @property
    def slices(self) -> int:
        return int(self.voxels.shape[0])


def body_extent(voxels: npt.NDArray[np.int16]) -> tuple[slice, slice]:
    """Rows and columns that hold the body on any slice; the whole image where nothing is above air."""
    rows = np.zeros(voxels.shape[1], bool)
    cols = np.zeros(voxels.shape[2], bool)
    for plane in voxels[:: max(1, len(voxels) // 16)]:
        body = ndimage.binary_opening(plane > BODY_ABOVE_HU, np.ones((7, 7)))
        rows |= body.any(axis=1)
        cols |= body.any(axis=0)
    if not rows.any():
        return slice(0, voxels.shape[1]), slice(0, voxels.shape[2])
    row, col = np.flatnonzero(rows), np.flatnonzero(cols)
    return slice(int(row[0]), int(row[-1]) + 1), slice(int(col[0]), int(col[-1]) + 1)


def prepare_scan(
    voxels: npt.NDArray[np.int16],
    positions_mm: npt.NDArray[np.float64],
    spacing: PixelSpacing,
    settings: InputSettings,
) -> Scan:
    """A series cut to the body and brought to the network's pixel size.

    voxels: (S, H, W) HU; positions_mm: (S,), rising.
    """
    rows, cols = body_extent(voxels)
    height, width = rows.stop - rows.start, cols.stop - cols.start
    scale = min(1.0, settings.max_side_px * settings.pixel_mm / max(height * spacing.row_mm, width * spacing.col_mm))
    out_height = max(1, round(height * spacing.row_mm / settings.pixel_mm * scale))
    out_width = max(1, round(width * spacing.col_mm / settings.pixel_mm * scale))
    resized = np.empty((len(voxels), out_height, out_width), np.int16)
    for index, plane in enumerate(voxels):
        image = torch.from_numpy(plane[rows, cols].astype(np.float32))[None, None]
        small = functional.interpolate(image, (out_height, out_width), mode="bilinear", antialias=True)
        resized[index] = small[0, 0].round().clamp(-32768, 32767).numpy().astype(np.int16)
    frame = Frame(rows.start, cols.start, out_height / height, out_width / width)
    return Scan(resized, np.asarray(positions_mm, np.float64), frame)


def neighbours(positions_mm: npt.NDArray[np.float64], z: int, offset_mm: float) -> tuple[int, int, float]:
    """The two slices around a place `offset_mm` from slice z, and the weight of the second.

    Computed for every slice from its own position (the reference code computes the weights once, paper section 1.5).
    Outside the series the first or last slice is repeated.
    """
    place = min(max(positions_mm[z] + offset_mm, positions_mm[0]), positions_mm[-1])
    upper = int(np.searchsorted(positions_mm, place))
    if positions_mm[upper] == place:
        return upper, upper, 0.0
    lower = upper - 1
    return lower, upper, float((place - positions_mm[lower]) / (positions_mm[upper] - positions_mm[lower]))


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of the network's image, in whole pixels; may reach beyond the image, where there is air."""

    row: int
    col: int
    height: int
    width: int


def three_slices(scan: Scan, z: int, crop: Crop, settings: InputSettings) -> npt.NDArray[np.float32]:
    """HU below, at and above slice z: (3, height, width)."""
    out = np.full((3, crop.height, crop.width), AIR_HU, np.float32)
    rows = slice(max(crop.row, 0), max(min(crop.row + crop.height, scan.voxels.shape[1]), 0))
    cols = slice(max(crop.col, 0), max(min(crop.col + crop.width, scan.voxels.shape[2]), 0))
    target = out[
        :, rows.start - crop.row : max(rows.stop - crop.row, 0), cols.start - crop.col : max(cols.stop - crop.col, 0)
    ]
    for channel, offset_mm in enumerate((-settings.neighbour_mm, 0.0, settings.neighbour_mm)):
        lower, upper, weight = neighbours(scan.positions_mm, z, offset_mm)
        target[channel] = scan.voxels[lower, rows, cols]
        if weight:
            target[channel] += weight * (scan.voxels[upper, rows, cols] - target[channel])
    return out


def windowed(hu: torch.Tensor, settings: InputSettings) -> torch.Tensor:
    """(…, 3, H, W) HU → (…, 3 × windows, H, W) in 0 to 1, window by window."""
    parts = [((hu - low) / (high - low)).clamp(0.0, 1.0) for low, high in settings.windows_hu]
    return torch.cat(parts, dim=-3)


def whole(scan: Scan, multiple: int = 32) -> Crop:
    """The whole image, padded at its end to a multiple that every stride of the network divides."""
    height, width = scan.voxels.shape[1:]
    return Crop(0, 0, -(-height // multiple) * multiple, -(-width // multiple) * multiple)
