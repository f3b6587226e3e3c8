"""How one study was scanned: region, matrix, spacing, orientation, kernel, dates. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from db.geometry import PixelSpacing, Plane, PointMm, Vector
from dicom_node.phantom.body import KERNELS, Kernel
from dicom_node.phantom.canvas import Grid
from dicom_node.phantom.physique import Physique
from dicom_node.phantom.settings import PhantomSettings, Visit


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the body that is scanned; `middle_mm` are the lowest and highest middles of the stack."""

    body_part: str
    protocol: str
    middle_mm: tuple[float, float]
    weight: float


REGIONS = (
    Region("CHEST", "Thorax routine", (85, 125), 0.3),
    Region("CHESTABDOMEN", "Thorax abdomen", (-20, 25), 0.2),
    Region("ABDOMEN", "Abdomen routine", (-120, -65), 0.3),
    Region("PELVIS", "Pelvis routine", (-365, -290), 0.2),
)
"""Body Part Examined values are of PS3.16 Annex L."""

_INTERVALS_MM = (2.5, 3.0, 4.0, 5.0)
_MATRICES = ((224, 256), (256, 320), (208, 256))
"""Non-square matrices, rows and columns for a usual matrix of 256."""


@dataclass(frozen=True, slots=True)
class Acquisition:
    """All of a study that is not anatomy. `axes`: LPS directions of the torso's x, y and z."""

    region: Region
    grid: Grid
    kernel: Kernel
    axes: tuple[Vector, Vector, Vector]
    table_mm: Vector
    oblique: bool
    feet_first_numbering: bool
    started_at: datetime

    def plane(self, s: int) -> Plane:
        """The plane of slice `s` of the grid, counted from 0 towards the head."""
        z0, y0, x0 = self.grid.starts_mm
        corner = np.array([x0, y0, z0 + s * self.grid.interval_mm]) @ np.array(self.axes) + self.table_mm
        return Plane(PointMm(*(round(float(c), 4) for c in corner)), self.axes[0], self.axes[1], self.grid.spacing)

    def instance_number(self, s: int) -> int:
        """From 1; most scanners count from the head down."""
        return s + 1 if self.feet_first_numbering else self.grid.slices - s


def draw_acquisition(visit: Visit, physique: Physique, settings: PhantomSettings) -> Acquisition:
    """A follow-up keeps region, matrix and spacing, as follow-up protocols do; kernel and table position change."""
    rng, own = visit.patient_rng("acquisition"), visit.study_rng("acquisition")
    region = REGIONS[int(rng.choice(len(REGIONS), p=[r.weight for r in REGIONS]))]
    odd = rng.random() < settings.odd_geometry_share
    anisotropic, matrix, oblique = _oddities(rng) if odd else (False, None, False)
    rows, columns = settings.rows, settings.rows
    if matrix is not None:
        rows, columns = (round(n * settings.rows / 256) for n in matrix)
    interval = float(rng.choice(_INTERVALS_MM, p=[0.35, 0.3, 0.25, 0.1]))
    slices = int(rng.integers(settings.slices[0], settings.slices[1] + 1))
    middle = float(rng.uniform(*region.middle_mm))
    grid = Grid(
        slices, rows, columns, _spacing(rng, physique, rows, columns, anisotropic), interval,
        middle - (slices - 1) / 2 * interval,
    )  # fmt: skip
    first = datetime(2024, 1, 8, tzinfo=UTC) + timedelta(
        days=int(rng.integers(0, 500)), minutes=int(rng.integers(7 * 60, 18 * 60))
    )
    later = (
        timedelta(days=int(rng.integers(60, 190)), minutes=int(rng.integers(-90, 90))) if visit.number else timedelta()
    )
    return Acquisition(
        region=region,
        grid=grid,
        kernel=KERNELS[int(own.integers(len(KERNELS)))],
        axes=_axes(rng, oblique),
        table_mm=(float(own.uniform(-8, 8)), float(own.uniform(-20, 20)), float(own.uniform(-900, -200))),
        oblique=oblique,
        feet_first_numbering=bool(rng.random() < 0.25),
        started_at=first + later,
    )


def _oddities(rng: np.random.Generator) -> tuple[bool, tuple[int, int] | None, bool]:
    """At least one of: unequal spacing, a non-square matrix, an oblique plane."""
    sure = int(rng.integers(3))
    anisotropic, shaped, oblique = (bool(rng.random() < 0.3) or sure == i for i in range(3))
    return anisotropic, _MATRICES[int(rng.integers(len(_MATRICES)))] if shaped else None, oblique


def _spacing(rng: np.random.Generator, physique: Physique, rows: int, columns: int, anisotropic: bool) -> PixelSpacing:
    """The field of view holds the body with some air around it."""
    around = float(rng.uniform(1.04, 1.14))
    across, deep = 2 * 176 * physique.size * around, 2 * 112 * physique.size * physique.depth * around
    col_mm = round(max(across / columns, deep / rows), 4)
    if not anisotropic:
        return PixelSpacing(col_mm, col_mm)
    return PixelSpacing(round(max(col_mm * float(rng.choice([0.88, 1.08, 1.14])), deep / rows), 4), col_mm)


def _axes(rng: np.random.Generator, oblique: bool) -> tuple[Vector, Vector, Vector]:
    """Where the torso's axes point; an oblique stack is tipped by 6 to 22 degrees about all three."""
    turns = np.deg2rad(rng.uniform(6, 22, size=3) * rng.choice([-1, 1], size=3) * (1.0, 0.5, 0.5))
    rotation = np.eye(3)
    if oblique:
        for axis, turn in enumerate(turns):
            i, j = [(1, 2), (2, 0), (0, 1)][axis]
            step = np.eye(3)
            step[i, i] = step[j, j] = np.cos(turn)
            step[i, j], step[j, i] = np.sin(turn), -np.sin(turn)
            rotation = rotation @ step
    x, y, z = (tuple(float(v) for v in row) for row in rotation)
    return (x[0], x[1], x[2]), (y[0], y[1], y[2]), (z[0], z[1], z[2])
