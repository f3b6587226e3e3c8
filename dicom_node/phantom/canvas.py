"""The voxels a body is painted on, and the brushes. Pure.

The torso's frame: x to the patient's left, y to the back, z to the head, in mm; z = 0 is the top of the left
diaphragm. Arrays are (S, H, W): slices towards the head, rows towards the back, columns to the left.
A brush asks for the signed depth of each voxel under a surface, in mm and positive inside, and paints a soft edge.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from db.geometry import PixelSpacing

Field = npt.NDArray[np.float32]
Window = tuple[slice, slice, slice]
Place = tuple[float, float, float]

EDGE_MM = 1.6
"""Width of an organ's border, about one pixel."""


class Tissue(IntEnum):
    """What a voxel belongs to, in the order it is painted."""

    AIR = 0
    SKIN = 1
    SUBCUTANEOUS = 2
    MUSCLE = 3
    VISCERAL_FAT = 4
    MEDIASTINUM = 5
    LUNG = 6
    BONE = 7
    MARROW = 8
    CARTILAGE = 9
    HEART = 10
    LIVER = 11
    SPLEEN = 12
    KIDNEY = 13
    PANCREAS = 14
    BOWEL = 15
    BLADDER = 16
    GENITAL = 17
    VESSEL = 18
    AIRWAY = 19
    FLUID = 20
    LESION = 21
    LOOKALIKE = 22


@dataclass(frozen=True, slots=True)
class Grid:
    """Which part of the torso the voxels cover; x = y = 0 lies in the middle of the image."""

    slices: int
    rows: int
    columns: int
    spacing: PixelSpacing
    interval_mm: float
    z_first_mm: float

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.slices, self.rows, self.columns

    @property
    def steps_mm(self) -> tuple[float, float, float]:
        return self.interval_mm, self.spacing.row_mm, self.spacing.col_mm

    @property
    def starts_mm(self) -> tuple[float, float, float]:
        """z, y and x of the first voxel's centre."""
        return (
            self.z_first_mm,
            -(self.rows - 1) / 2 * self.spacing.row_mm,
            -(self.columns - 1) / 2 * self.spacing.col_mm,
        )

    @property
    def z_last_mm(self) -> float:
        return self.z_first_mm + (self.slices - 1) * self.interval_mm

    def window(self, low: Sequence[float], high: Sequence[float]) -> Window | None:
        """The voxels between two corners given as (x, y, z) mm; None if there are none."""
        spans = []
        for start, step, size, a, b in zip(
            self.starts_mm, self.steps_mm, self.shape, reversed(low), reversed(high), strict=True
        ):
            first, last = int(np.ceil((a - start) / step)), int(np.floor((b - start) / step))
            span = slice(max(first, 0), min(last, size - 1) + 1)
            if span.start >= span.stop:
                return None
            spans.append(span)
        return spans[0], spans[1], spans[2]

    def axes_mm(self, window: Window | None = None) -> tuple[Field, Field, Field]:
        """x (1, 1, W), y (1, H, 1) and z (S, 1, 1) of the window's voxels."""
        spans = window or tuple(slice(0, size) for size in self.shape)
        z, y, x = (
            (start + step * np.arange(span.start, span.stop)).astype(np.float32)
            for start, step, span in zip(self.starts_mm, self.steps_mm, spans, strict=True)
        )
        return x[None, None, :], y[None, :, None], z[:, None, None]

    def place_of(self, s: float, row: float, col: float) -> Place:
        z, y, x = (
            start + step * at for start, step, at in zip(self.starts_mm, self.steps_mm, (s, row, col), strict=True)
        )
        return x, y, z


def smooth_field(rng: np.random.Generator, grid: Grid, cell_mm: float) -> Field:
    """A random field (S, H, W) of mean about 0 and deviation about 1, smooth over `cell_mm`."""
    weights = []
    for size, step in zip(grid.shape, grid.steps_mm, strict=True):
        at = np.arange(size) * step
        knots = np.arange(-1.5 * cell_mm, at[-1] + 1.6 * cell_mm, cell_mm)
        bumps = np.exp(-0.5 * ((at[:, None] - knots[None, :]) / (0.6 * cell_mm)) ** 2)
        weights.append((bumps / np.sqrt((bumps**2).sum(axis=1, keepdims=True))).astype(np.float32))
    z, y, x = weights
    coarse = rng.standard_normal((z.shape[1], y.shape[1], x.shape[1]), dtype=np.float32)
    field = np.tensordot(z, coarse, axes=(1, 0))  # (S, b, c)
    return np.asarray(np.matmul(np.matmul(y, field), x.T), dtype=np.float32)  # (S, H, W)


class Canvas:
    """`hu` (S, H, W) float32 and `tissue` (S, H, W) uint8; starts as air."""

    def __init__(self, grid: Grid, rng: np.random.Generator) -> None:
        self.grid = grid
        self.hu: Field = np.full(grid.shape, -1000.0, dtype=np.float32)
        self.tissue: npt.NDArray[np.uint8] = np.zeros(grid.shape, dtype=np.uint8)
        self.warp = smooth_field(rng, grid, 24.0)

    @property
    def whole(self) -> Window:
        return slice(0, self.grid.slices), slice(0, self.grid.rows), slice(0, self.grid.columns)

    def paint(
        self,
        depth_mm: Field,
        hu: float | Field,
        tissue: Tissue,
        window: Window | None = None,
        edge_mm: float = EDGE_MM,
        only: Collection[Tissue] = (),
    ) -> Field:
        """Blend `hu` in where the depth is positive; where `only` is given, over those tissues alone.

        depth_mm and the alpha that comes back have the window's shape; alpha is 0 to 1 and 0.5 on the surface.
        """
        window = window or self.whole
        alpha = np.clip(depth_mm / np.float32(edge_mm) + np.float32(0.5), 0, 1)
        names = self.tissue[window]
        if only:
            alpha = alpha * np.isin(names, [int(t) for t in only])
        voxels = self.hu[window]
        voxels += alpha * (hu - voxels)
        names[alpha > 0.5] = int(tissue)
        return np.asarray(alpha, dtype=np.float32)

    def ellipsoid_depth(
        self, centre: Place, radii: Place, turn_deg: float = 0.0, rough: float = 0.0
    ) -> tuple[Field, Window] | None:
        """Depth under an ellipsoid turned about z; `rough` is the share of the radius by which it is dented."""
        reach = max(radii[0], radii[1]) * (1 + 2 * rough) + 2 if turn_deg else 0.0
        sizes = [reach or r * (1 + 2 * rough) + 2 for r in radii[:2]] + [radii[2] * (1 + 2 * rough) + 2]
        window = self.grid.window(
            [c - s for c, s in zip(centre, sizes, strict=True)], [c + s for c, s in zip(centre, sizes, strict=True)]
        )
        if window is None:
            return None
        x, y, z = self.grid.axes_mm(window)
        dx, dy, dz = x - np.float32(centre[0]), y - np.float32(centre[1]), z - np.float32(centre[2])
        turn = np.deg2rad(turn_deg)
        cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        u, v = (dx * cos + dy * sin) / np.float32(radii[0]), (dy * cos - dx * sin) / np.float32(radii[1])
        rho = np.sqrt(u * u + v * v + (dz / np.float32(radii[2])) ** 2)
        depth = (1 - rho) * np.float32(min(radii))
        if rough:
            depth = depth + self.warp[window] * np.float32(rough * min(radii))
        return depth, window

    def ellipsoid(
        self,
        centre: Place,
        radii: Place,
        hu: float,
        tissue: Tissue,
        turn_deg: float = 0.0,
        rough: float = 0.0,
        only: Collection[Tissue] = (),
    ) -> None:
        found = self.ellipsoid_depth(centre, radii, turn_deg, rough)
        if found is not None:
            self.paint(found[0], hu, tissue, found[1], only=only)

    def tube(
        self,
        places: Sequence[Place],
        radii: Sequence[float],
        hu: float,
        tissue: Tissue,
        only: Collection[Tissue] = (),
    ) -> None:
        """A bent tube through the places, its radius changing from one to the next."""
        for (start, end), (r0, r1) in zip(pairwise(places), pairwise(radii), strict=True):
            self._segment(start, end, r0, r1, hu, tissue, only)

    def _segment(
        self, start: Place, end: Place, r0: float, r1: float, hu: float, tissue: Tissue, only: Collection[Tissue]
    ) -> None:
        reach = max(r0, r1) + 1.5
        window = self.grid.window(
            [min(a, b) - reach for a, b in zip(start, end, strict=True)],
            [max(a, b) + reach for a, b in zip(start, end, strict=True)],
        )
        if window is None:
            return
        x, y, z = self.grid.axes_mm(window)
        way = np.subtract(end, start)
        along = max(float(way @ way), 1e-6)
        dx, dy, dz = x - start[0], y - start[1], z - start[2]
        t = np.clip((dx * way[0] + dy * way[1] + dz * way[2]) / along, 0, 1)
        away = np.sqrt((dx - t * way[0]) ** 2 + (dy - t * way[1]) ** 2 + (dz - t * way[2]) ** 2)
        depth = (r0 + (r1 - r0) * t - away).astype(np.float32)
        self.paint(depth, hu, tissue, window, only=only)
