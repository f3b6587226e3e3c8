"""A series → a coarse picture of the body in patient coordinates, small enough to keep beside its analysis. Pure.

Two studies of a patient are laid over each other by these, so that no old image need be read again.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mining.volume import Volume

STEP_MM = 10.0
LOW_HU, HIGH_HU = -250.0, 350.0
"""Outside of these nothing is told apart: air from lung is not needed, nor cortical bone from metal."""
LEVELS = 31
BODY_ABOVE_HU = -180.0
ROOM_CELLS = 2
"""Cells of air that are kept around the body: its skin is an edge to hold on to."""


@dataclass(frozen=True, slots=True, eq=False)
class Overview:
    """Cells of STEP_MM along the patient's axes.

    first_mm: z, y and x (LPS) of the first cell's middle. levels: (Z, Y, X) uint8, 0 where the series does not reach,
    else 1 to LEVELS from LOW_HU to HIGH_HU.
    """

    first_mm: tuple[float, float, float]
    levels: npt.NDArray[np.uint8]


def overview_of(volume: Volume) -> Overview:
    """The overview of a series, in any orientation."""
    blocks = _blocks(volume)
    means = _means(volume.voxels, blocks)
    to_mm, first = _affine(volume)
    low, high = _extent(to_mm, first, volume.voxels.shape)
    shape = tuple(int(n) for n in np.floor((high - low) / STEP_MM) + 1)
    to_index = np.linalg.inv(to_mm) / np.array(blocks)[:, None]  # of blocks
    start = to_index @ (low - first) - (np.array(blocks) - 1) / 2 / np.array(blocks)
    hu = ndimage.affine_transform(means, to_index * STEP_MM, start, shape, order=1, mode="nearest")
    inside = _inside(to_index * STEP_MM, start, shape, means.shape)
    levels = np.rint((hu - LOW_HU) / (HIGH_HU - LOW_HU) * (LEVELS - 1)) + 1
    return _cropped(Overview((low[0], low[1], low[2]), np.where(inside, levels, 0).astype(np.uint8)), hu)


def _blocks(volume: Volume) -> tuple[int, int, int]:
    steps = (volume.slice_interval_mm, volume.spacing.row_mm, volume.spacing.col_mm)
    s, r, c = (min(max(int(STEP_MM / step), 1), n) for step, n in zip(steps, volume.voxels.shape, strict=True))
    return s, r, c


def _means(voxels: npt.NDArray[np.int16], blocks: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    """Means of whole blocks of voxels, clipped first; what is left over at the ends is left out."""
    s, r, c = (n // block for n, block in zip(voxels.shape, blocks, strict=True))
    means = np.zeros((s, r, c), np.float32)
    for z in range(s * blocks[0]):
        plane = voxels[z, : r * blocks[1], : c * blocks[2]].clip(LOW_HU, HIGH_HU).astype(np.float32)
        means[z // blocks[0]] += plane.reshape(r, blocks[1], c, blocks[2]).mean(axis=(1, 3)) / blocks[0]
    return means


def _affine(volume: Volume) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(slice, row, col) → (z, y, x) in mm: a matrix and the first voxel; a tilted gantry may shift the slices."""
    first, last = (np.array([p.origin.z, p.origin.y, p.origin.x]) for p in (volume.planes[0], volume.planes[-1]))
    plane = volume.planes[0]
    steps = (
        (last - first) / (len(volume.planes) - 1),
        np.array(plane.along_column[::-1]) * plane.spacing.row_mm,
        np.array(plane.along_row[::-1]) * plane.spacing.col_mm,
    )
    return np.stack(steps, axis=1), first


def _extent(
    to_mm: npt.NDArray[np.float64], first: npt.NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(shape) - 1)
    places = corners @ to_mm.T + first
    return places.min(axis=0), places.max(axis=0)


def _inside(
    matrix: npt.NDArray[np.float64], start: npt.NDArray[np.float64], shape: tuple[int, ...], limits: tuple[int, ...]
) -> npt.NDArray[np.bool_]:
    cells = np.indices(shape).reshape(3, -1)
    at = matrix @ cells + start[:, None]
    reached = (at >= -0.5) & (at <= np.array(limits)[:, None] - 0.5)
    return np.asarray(reached.all(axis=0).reshape(shape))


def _cropped(overview: Overview, hu: npt.NDArray[np.float32]) -> Overview:
    body = (hu > BODY_ABOVE_HU) & (overview.levels > 0)
    if not body.any():
        return overview
    spans = []
    for axis in range(3):
        there = np.flatnonzero(body.any(axis=tuple(a for a in range(3) if a != axis)))
        spans.append(slice(max(int(there[0]) - ROOM_CELLS, 0), int(there[-1]) + 1 + ROOM_CELLS))
    z, y, x = (first + span.start * STEP_MM for first, span in zip(overview.first_mm, spans, strict=True))
    return Overview((z, y, x), overview.levels[tuple(spans)])


# --- as it is kept ----------------------------------------------------------------------------------------------


def as_json(overview: Overview) -> dict[str, Any]:
    return {
        "first_mm": [round(value, 3) for value in overview.first_mm],
        "shape": list(overview.levels.shape),
        "levels": base64.b64encode(zlib.compress(overview.levels.tobytes(), 9)).decode(),
    }


def from_json(kept: dict[str, Any]) -> Overview | None:
    """None where none was kept."""
    if not kept:
        return None
    z, y, x = (float(value) for value in kept["first_mm"])
    content = zlib.decompress(base64.b64decode(kept["levels"]))
    return Overview((z, y, x), np.frombuffer(content, np.uint8).reshape(kept["shape"]))
