"""One synthetic patient's build: sizes, contrast phase, and where the body's outlines run. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from dicom_node.phantom.canvas import Canvas, Field
from dicom_node.phantom.settings import Visit

_LEVELS_MM = (-460, -385, -300, -200, -100, 0, 100, 190, 250)
_HALF_WIDTHS_MM = (168, 176, 170, 152, 152, 158, 163, 168, 172)
_HALF_DEPTHS_MM = (100, 108, 104, 92, 98, 106, 106, 98, 84)


class Phase(StrEnum):
    """When the scan followed the contrast medium."""

    NATIVE = "native"
    ARTERIAL = "arterial"
    VENOUS = "portal venous"


ENHANCED_HU: dict[Phase, dict[str, float]] = {
    Phase.NATIVE: {
        "artery": 42,
        "vein": 40,
        "liver": 58,
        "spleen": 48,
        "kidney": 34,
        "cortex": 36,
        "muscle": 52,
        "heart": 42,
    },
    Phase.ARTERIAL: {
        "artery": 270,
        "vein": 95,
        "liver": 75,
        "spleen": 125,
        "kidney": 95,
        "cortex": 190,
        "muscle": 58,
        "heart": 210,
    },
    Phase.VENOUS: {
        "artery": 150,
        "vein": 165,
        "liver": 115,
        "spleen": 122,
        "kidney": 160,
        "cortex": 185,
        "muscle": 63,
        "heart": 140,
    },
}
"""Usual HU of what takes up contrast, by phase."""


@dataclass(frozen=True, slots=True)
class Physique:
    """Draws that last a patient's life; `size` scales the outlines, 1 is a build of 325 mm across."""

    visit: Visit
    size: float
    depth: float
    fat_mm: float
    wall_mm: float
    phase: Phase
    female: bool
    hu: dict[str, float]

    def rng(self, organ: str) -> np.random.Generator:
        """Each organ draws from its own source, so that a window's place does not change the others."""
        return self.visit.patient_rng(f"organ {organ}")

    def half_width_mm(self, z: Field | float) -> Field:
        return np.asarray(np.interp(z, _LEVELS_MM, _HALF_WIDTHS_MM) * self.size, dtype=np.float32)

    def half_depth_mm(self, z: Field | float) -> Field:
        return np.asarray(np.interp(z, _LEVELS_MM, _HALF_DEPTHS_MM) * self.size * self.depth, dtype=np.float32)

    @property
    def inner_half_width_mm(self) -> float:
        """Half the width of the abdominal cavity, about."""
        return 154 * self.size - self.fat_mm - self.wall_mm

    @property
    def inner_half_depth_mm(self) -> float:
        return 100 * self.size * self.depth - self.fat_mm - self.wall_mm

    @property
    def spine_y_mm(self) -> float:
        """Middle of the vertebral bodies."""
        return 46 * self.size * self.depth


def draw_physique(visit: Visit) -> Physique:
    rng = visit.patient_rng("physique")
    phase = Phase(rng.choice([Phase.NATIVE.value, Phase.ARTERIAL.value, Phase.VENOUS.value], p=[0.2, 0.25, 0.55]))
    hu = {name: value * float(rng.normal(1, 0.05)) for name, value in ENHANCED_HU[phase].items()}
    if rng.random() < 0.2:
        hu["liver"] -= float(rng.uniform(10, 25))  # a fatty liver
    return Physique(
        visit=visit,
        size=float(rng.uniform(0.9, 1.1)),
        depth=float(rng.uniform(0.94, 1.1)),
        fat_mm=float(rng.uniform(6, 26)),
        wall_mm=float(rng.uniform(13, 19)),
        phase=phase,
        female=bool(rng.random() < 0.5),
        hu=hu,
    )


@dataclass(frozen=True, slots=True)
class Outline:
    """The torso's depths on one grid: below the skin, and of the cavity inside the muscles; (S, H, W) mm."""

    skin_mm: Field
    cavity_mm: Field


def outline_of(canvas: Canvas, physique: Physique) -> Outline:
    x, y, z = canvas.grid.axes_mm()
    a, b = physique.half_width_mm(z), physique.half_depth_mm(z)
    power = 2.3
    rho = ((np.abs(x) / a) ** power + (np.abs(y) / b) ** power) ** np.float32(1 / power)
    radius = np.sqrt(x * x + y * y)
    skin = np.where(rho > 1e-3, radius * (1 / np.maximum(rho, 1e-3) - 1), b) + canvas.warp * np.float32(1.2)
    # Fat is thickest on the belly and the flanks' back, thin over the chest.
    fat = physique.fat_mm * (0.75 + 0.45 * np.clip((0 - z) / 120, 0, 1) * (1 - 0.4 * y / b))
    return Outline(skin.astype(np.float32), (skin - fat - physique.wall_mm).astype(np.float32))
