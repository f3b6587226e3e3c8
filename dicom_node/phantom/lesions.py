"""Lesions: the kinds, where they grow, and painting them. Pure.

A lesion is a dented ellipsoid in the interior of its organ, painted last, so that nothing hides it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from dicom_node.phantom.canvas import Canvas, Field, Place, Tissue, Window
from dicom_node.phantom.physique import Phase
from dicom_node.phantom.settings import Visit

GROWTH = (1.15, 1.6)
"""By how much a lesion's diameter grows until the follow-up."""

LEAST_CONTRAST_HU = 18.0
"""What most of a lesion's surroundings must differ by; else it is not painted, for nobody could find it."""

_GAP_MM = 14.0
"""Least distance between the borders of two lesions."""


@dataclass(frozen=True, slots=True)
class LesionKind:
    """One row of the table of kinds.

    depth: how deep the centre lies in the organ, as a share of the lesion's radius. hu: absolute, or relative to
    the organ round about where `relative`. core_hu: what a dead core adds in lesions over 18 mm.
    """

    name: str
    organ: str
    hosts: tuple[Tissue, ...]
    long_mm: tuple[float, float]
    hu: tuple[float, float]
    relative: bool
    depth: float
    weight: float
    core_hu: float = 0.0
    roundness: tuple[float, float] = (0.6, 0.95)
    rough: float = 0.05
    z_mm: tuple[float, float] = (-1000.0, 1000.0)
    phases: tuple[Phase, ...] = tuple(Phase)


KINDS = (
    LesionKind("lung nodule", "lung", (Tissue.LUNG,), (5, 30), (15, 60), False, 1.05, 3.0, rough=0.07),
    LesionKind("ground-glass nodule", "lung", (Tissue.LUNG,), (7, 26), (-600, -420), False, 1.05, 0.9, rough=0.07),
    LesionKind("liver metastasis", "liver", (Tissue.LIVER,), (6, 45), (-75, -20), True, 0.85, 2.2, core_hu=-18),
    LesionKind("hypervascular liver lesion", "liver", (Tissue.LIVER,), (7, 30), (20, 70), True, 0.85, 1.0,
               phases=(Phase.ARTERIAL,)),
    LesionKind("splenic lesion", "spleen", (Tissue.SPLEEN,), (7, 24), (-70, -22), True, 0.85, 0.7),
    LesionKind("renal cyst", "kidney", (Tissue.KIDNEY,), (5, 36), (0, 14), False, 0.35, 1.2,
               roundness=(0.85, 1), rough=0.01),
    LesionKind("renal mass", "kidney", (Tissue.KIDNEY,), (10, 45), (-80, -30), True, 0.6, 0.8, core_hu=-20),
    LesionKind("mediastinal lymph node", "mediastinum", (Tissue.MEDIASTINUM,), (6, 28), (45, 95), False, 0.85, 2.0,
               roundness=(0.55, 0.9)),
    LesionKind("abdominal lymph node", "abdomen", (Tissue.VISCERAL_FAT,), (6, 32), (50, 100), False, 1.0, 1.6,
               roundness=(0.55, 0.9), z_mm=(-230, 30)),
    LesionKind("pelvic mass", "pelvis", (Tissue.VISCERAL_FAT,), (14, 45), (40, 90), False, 1.0, 2.2, core_hu=-28,
               z_mm=(-460, -230)),
    LesionKind("sclerotic bone lesion", "bone", (Tissue.MARROW,), (5, 24), (330, 560), True, 0.75, 1.0),
    LesionKind("lytic bone lesion", "bone", (Tissue.MARROW,), (6, 28), (25, 70), False, 0.75, 1.0),
    LesionKind("muscle metastasis", "muscle", (Tissue.MUSCLE,), (8, 30), (22, 75), True, 0.7, 1.0, core_hu=-25),
    LesionKind("subcutaneous nodule", "subcutaneous fat", (Tissue.SUBCUTANEOUS,), (5, 22), (25, 80), False, 0.85, 0.8),
)  # fmt: skip
"""Contrast to the surroundings: about 850 HU in lung, 140 in fat, 150 or more in bone, 20 to 80 in solid organs.

From 5 mm and 20 HU on, where the faintest and smallest are hard to see in the noise, for a reader too."""


@dataclass(frozen=True, slots=True, eq=False)
class PlacedLesion:
    """A lesion on the canvas; `coverage` fills `window` with 0 to 1. `number` is the same in the follow-up."""

    number: int
    kind: LesionKind
    centre: Place
    window: Window
    coverage: Field
    plan: Plan


@dataclass(frozen=True, slots=True)
class Plan:
    """What a lesion is, wherever and whenever it is painted."""

    number: int
    kind: LesionKind
    long_mm: float
    growth: float
    radii: Place
    turns_deg: tuple[float, float]
    hu: float
    dents: npt.NDArray[np.float64]

    def radii_mm(self, grown: float) -> Place:
        r = self.long_mm / 2 * grown
        return r * self.radii[0], r * self.radii[1], r * self.radii[2]


def grow_lesions(canvas: Canvas, visit: Visit, phase: Phase, wanted: int) -> list[PlacedLesion]:
    """Place up to `wanted` lesions where their organs have room, of as many kinds as there are.

    Both studies of a patient give the same lesions at the same places, larger in the follow-up: a place is chosen
    with room for the grown lesion, and by draws that only depend on the patient.
    """
    rng = visit.patient_rng("lesions")
    depths = _Depths(canvas)
    kinds = [kind for kind in KINDS if phase in kind.phases and depths.has_room(kind)]
    taken: list[tuple[Place, float]] = []
    placed: list[PlacedLesion] = []
    weights = np.array([kind.weight for kind in kinds])
    for attempt in range(4 * wanted if kinds else 0):
        if len(placed) == wanted:
            break
        chosen = int(rng.choice(len(kinds), p=weights / weights.sum()))
        plan = _draw(rng, kinds[chosen], len(placed) + 1)
        place_rng = visit.patient_rng(f"place {attempt}")
        centre = depths.find(plan, taken, place_rng)
        if centre is None:
            continue
        lesion = paint_lesion(canvas, plan, centre, plan.growth if visit.number else 1.0)
        if lesion is None:
            continue
        weights[chosen] *= 0.4  # another kind is likelier next time
        taken.append((centre, plan.long_mm / 2 * plan.growth))
        placed.append(lesion)
    return placed


def _draw(rng: np.random.Generator, kind: LesionKind, number: int) -> Plan:
    low, high = kind.long_mm
    long_mm = float(np.exp(rng.uniform(np.log(low), np.log(high))))  # small ones are commoner
    # Along z at least 0.75, so that a lesion is not seen on one slice alone.
    radii = (1.0, float(rng.uniform(*kind.roundness)), float(rng.uniform(0.75, 1.0)))
    return Plan(
        number=number,
        kind=kind,
        long_mm=long_mm,
        growth=float(rng.uniform(*GROWTH)) if long_mm < 28 else float(rng.uniform(1.1, 1.25)),
        radii=radii,
        turns_deg=(float(rng.uniform(0, 180)), float(rng.uniform(-25, 25))),
        hu=float(rng.uniform(*kind.hu)),
        dents=rng.normal(scale=kind.rough, size=(3, 2)),
    )


class _Depths:
    """How deep every voxel lies in each organ, on every second row and column; computed once an organ."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._tissue = canvas.tissue[:, ::2, ::2]
        z, y, x = canvas.grid.steps_mm
        self._steps = (z, y * 2, x * 2)
        self._known: dict[tuple[Tissue, ...], tuple[npt.NDArray[np.int64], Field]] = {}

    def has_room(self, kind: LesionKind) -> bool:
        centres, depths = self._of(kind.hosts)
        return bool(((depths > 0.5 * kind.long_mm[0] * kind.depth) & self._in_reach(kind, centres)).any())

    def _in_reach(self, kind: LesionKind, centres: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        z = self._canvas.grid.z_first_mm + centres[:, 0] * self._canvas.grid.interval_mm
        return np.asarray((z >= kind.z_mm[0]) & (z <= kind.z_mm[1]))

    def _of(self, hosts: tuple[Tissue, ...]) -> tuple[npt.NDArray[np.int64], Field]:
        """Indices (N, 3) of the organ's voxels on the thinned grid, and their depths (N,) in mm."""
        if hosts not in self._known:
            inside = np.isin(self._tissue, [int(t) for t in hosts])
            centres = np.argwhere(inside)
            if len(centres):
                low, high = centres.min(axis=0), centres.max(axis=0) + 1
                crop = inside[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
                # One layer of outside on the sides; above and below, the organ goes on.
                deep = ndimage.distance_transform_edt(np.pad(crop, ((0, 0), (1, 1), (1, 1))), self._steps)
                depths = deep[:, 1:-1, 1:-1][crop].astype(np.float32)
            else:
                depths = np.zeros(0, dtype=np.float32)
            self._known[hosts] = centres, depths
        return self._known[hosts]

    def find(self, plan: Plan, taken: Sequence[tuple[Place, float]], rng: np.random.Generator) -> Place | None:
        """A place with room for the grown lesion, clear of the others and of the first and last slice."""
        grid, kind = self._canvas.grid, plan.kind
        centres, depths = self._of(kind.hosts)
        radius = plan.long_mm / 2 * plan.growth
        edge = min(radius * max(plan.radii[2], 0.5) / grid.interval_mm + 1, grid.slices / 2 - 1)
        width = radius * (1 + plan.radii[1]) / 2
        fits = (depths >= width * kind.depth) & self._in_reach(kind, centres)
        fits &= (centres[:, 0] >= edge) & (centres[:, 0] <= grid.slices - 1 - edge)
        good = centres[fits]
        for at in good[rng.permutation(len(good))[:40]]:
            place = grid.place_of(at[0] + float(rng.uniform(-0.25, 0.25)), float(at[1] * 2), float(at[2] * 2))
            if all(np.linalg.norm(np.subtract(place, other)) > radius + r + _GAP_MM for other, r in taken):
                return place
        return None


def paint_lesion(canvas: Canvas, plan: Plan, centre: Place, grown: float) -> PlacedLesion | None:
    """None, in both studies of the patient, where the grown lesion would not stand out."""
    reach = max(plan.radii_mm(plan.growth)) * 1.5 + 2
    window = canvas.grid.window([c - reach for c in centre], [c + reach for c in centre])
    if window is None:
        return None
    there = canvas.hu[window]
    rho_grown = _distance(canvas, plan, centre, plan.radii_mm(plan.growth), window)
    hu = plan.hu + (float(np.median(there[rho_grown < 1])) if plan.kind.relative else 0.0)
    around = there[(rho_grown > 1.12) & (rho_grown < 1.45)]
    if np.mean(np.abs(around - hu) >= LEAST_CONTRAST_HU) < 0.6:
        return None
    radii = plan.radii_mm(grown)
    rho = _distance(canvas, plan, centre, radii, window)
    depth = (1 - rho) * np.float32(min(radii))
    core = np.float32(plan.kind.core_hu if plan.long_mm * grown > 18 else 0.0)
    filling = (hu + core * np.clip((0.7 - rho) / 0.3, 0, 1)).astype(np.float32)
    coverage = canvas.paint(depth, filling, Tissue.LESION, window, edge_mm=2.0)
    return PlacedLesion(plan.number, plan.kind, centre, window, coverage, plan)


def _distance(canvas: Canvas, plan: Plan, centre: Place, radii: Place, window: Window) -> Field:
    """From the centre, 1 on the surface: an ellipsoid turned about z, then tipped, then dented."""
    x, y, z = canvas.grid.axes_mm(window)
    dx, dy, dz = x - centre[0], y - centre[1], z - centre[2]
    turn, tip = np.deg2rad(plan.turns_deg)
    u, v = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
    u, w = u * np.cos(tip) + dz * np.sin(tip), dz * np.cos(tip) - u * np.sin(tip)
    rho = np.sqrt((u / radii[0]) ** 2 + (v / radii[1]) ** 2 + (w / radii[2]) ** 2)
    angle = np.arctan2(v / radii[1], u / radii[0])
    for order, (a, b) in enumerate(plan.dents, start=2):
        rho = rho * (1 + a * np.cos(order * angle) + b * np.sin(order * angle))
    return np.asarray(rho, dtype=np.float32)
