"""What looks like a lesion on one slice and is none: vessels end-on, bowel loops, scars, granules. Pure.

All can be told from a lesion on three slices: vessels and bowel go on through them at the same width, scars are
flat, granules are calcified and smaller than the smallest lesion. Costal cartilage and the normal vessels, airways
and loops of the body look alike too, but are not listed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dicom_node.phantom.canvas import Canvas, Place, Tissue
from dicom_node.phantom.physique import Physique
from dicom_node.phantom.settings import Visit

_FAT = (Tissue.VISCERAL_FAT, Tissue.MEDIASTINUM)


@dataclass(frozen=True, slots=True)
class PlacedLookalike:
    kind: str
    centre: Place


def add_lookalikes(canvas: Canvas, physique: Physique, visit: Visit) -> list[PlacedLookalike]:
    """Paint some of each kind where its organ lies in the window; the same in both studies of a patient."""
    placed = []
    for kind, (hosts, most, paint) in _KINDS.items():
        rng = visit.patient_rng(f"look-alike {kind}")
        inside = np.argwhere(np.isin(canvas.tissue[2:-2:2, ::4, ::4], [int(t) for t in hosts]))
        for _ in range(int(rng.integers(1, most + 1)) if len(inside) else 0):
            s, row, col = inside[rng.integers(len(inside))]
            centre = canvas.grid.place_of(float(2 + 2 * s), float(4 * row), float(4 * col))
            paint(canvas, physique, centre, rng)
            placed.append(PlacedLookalike(kind, centre))
    return placed


def _vessel_end_on(canvas: Canvas, physique: Physique, centre: Place, rng: np.random.Generator) -> None:
    """A lung vessel that runs along z over at least five slices, leaning a little."""
    half = max(22.0, 2.6 * canvas.grid.interval_mm)
    lean = rng.uniform(-0.45, 0.45, size=2) * half
    radius = float(rng.uniform(1.8, 3.4))
    ends = [(centre[0] + f * lean[0], centre[1] + f * lean[1], centre[2] + f * half) for f in (-1, 0, 1)]
    blood = max(physique.hu["heart"] * 0.8, 45)
    canvas.tube(ends, [radius * 1.25, radius, radius * 0.8], blood, Tissue.VESSEL, only=(Tissue.LUNG,))


def _bowel_loop(canvas: Canvas, physique: Physique, centre: Place, rng: np.random.Generator) -> None:
    """An unfilled loop in the fat, as bright as a node, which goes on for 50 mm or more."""
    del physique
    half = max(26.0, 3.0 * canvas.grid.interval_mm)
    turn = float(rng.uniform(0, 2 * np.pi))
    ends: list[Place] = []
    for f in (-1.0, -0.35, 0.35, 1.0):
        bend = 16 * np.cos(2.4 * f)
        ends.append((centre[0] + bend * np.cos(turn) + 10 * f, centre[1] + bend * np.sin(turn), centre[2] + f * half))
    radius = float(rng.uniform(6, 9))
    canvas.tube(ends, [radius] * 4, 62, Tissue.BOWEL, only=_FAT)
    canvas.tube(
        ends, [radius - 3.4] * 4, float(rng.choice([22.0, 22.0, -400.0])), Tissue.FLUID, only=(*_FAT, Tissue.BOWEL)
    )


def _vein_in_fat(canvas: Canvas, physique: Physique, centre: Place, rng: np.random.Generator) -> None:
    half = max(25.0, 3.0 * canvas.grid.interval_mm)
    lean = rng.uniform(-0.6, 0.6, size=2) * half
    ends = [(centre[0] + f * lean[0], centre[1] + f * lean[1], centre[2] + f * half) for f in (-1, 1)]
    radius = float(rng.uniform(2.2, 3.8))
    canvas.tube(ends, [radius, radius * 0.85], physique.hu["vein"], Tissue.VESSEL, only=_FAT)


def _scar(canvas: Canvas, physique: Physique, centre: Place, rng: np.random.Generator) -> None:
    """A flat band, 2 to 3 mm thick and 20 to 40 mm long, through several slices; bright in lung, dark in liver."""
    found = canvas.ellipsoid_depth(
        centre,
        (float(rng.uniform(11, 21)), float(rng.uniform(1.2, 1.7)), max(9.0, 1.6 * canvas.grid.interval_mm)),
        float(rng.uniform(0, 180)),
    )
    if found is not None:
        canvas.paint(found[0], 5, Tissue.LOOKALIKE, found[1], only=(Tissue.LUNG,))
        canvas.paint(found[0], physique.hu["liver"] - 45, Tissue.LOOKALIKE, found[1], only=(Tissue.LIVER,))


def _granule(canvas: Canvas, physique: Physique, centre: Place, rng: np.random.Generator) -> None:
    """Less than 4 mm across and calcified."""
    del physique
    radius = float(rng.uniform(1.1, 1.9))
    canvas.ellipsoid(
        centre, (radius, radius, radius + canvas.grid.interval_mm / 4), float(rng.uniform(700, 1100)), Tissue.LOOKALIKE
    )


_Brush = Callable[[Canvas, Physique, Place, np.random.Generator], None]
_KINDS: dict[str, tuple[tuple[Tissue, ...], int, _Brush]] = {
    "vessel end-on": ((Tissue.LUNG,), 5, _vessel_end_on),
    "bowel loop": ((Tissue.VISCERAL_FAT,), 3, _bowel_loop),
    "vein in fat": (_FAT, 4, _vein_in_fat),
    "scar": ((Tissue.LUNG, Tissue.LIVER), 2, _scar),
    "granule": ((Tissue.LUNG, Tissue.LIVER, Tissue.SPLEEN, Tissue.MUSCLE), 3, _granule),
}
"""Where each kind lies, how many there are at most, and its brush."""
