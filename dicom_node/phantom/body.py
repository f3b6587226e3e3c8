"""A whole body on a grid: every organ painted, then what the scanner adds: texture, blur and noise. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from dicom_node.phantom.abdomen import paint_abdomen
from dicom_node.phantom.canvas import Canvas, Field, Grid, Tissue, smooth_field
from dicom_node.phantom.chest import paint_chest
from dicom_node.phantom.physique import Physique, outline_of
from dicom_node.phantom.torso import paint_skeleton, paint_wall

_TEXTURE_HU = {
    Tissue.SUBCUTANEOUS: 6, Tissue.MUSCLE: 9, Tissue.VISCERAL_FAT: 7, Tissue.MEDIASTINUM: 8, Tissue.LUNG: 22,
    Tissue.BONE: 60, Tissue.MARROW: 38, Tissue.CARTILAGE: 14, Tissue.HEART: 8, Tissue.LIVER: 6, Tissue.SPLEEN: 7,
    Tissue.KIDNEY: 9, Tissue.PANCREAS: 12, Tissue.BOWEL: 12, Tissue.FLUID: 5, Tissue.GENITAL: 12, Tissue.LESION: 7,
}  # fmt: skip
"""How much each tissue varies by itself, one standard deviation in HU."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """How the scanner turns raw data into pixels; blur in px, noise as one standard deviation in HU."""

    name: str
    blur_px: float
    noise_hu: float
    noise_grain_px: float


KERNELS = (
    Kernel("B20s", 0.75, 9.0, 0.9),
    Kernel("B30f", 0.60, 12.0, 0.75),
    Kernel("B40f", 0.50, 15.0, 0.6),
    Kernel("B60f", 0.35, 21.0, 0.4),
)
"""From smooth to sharp, as one maker names them."""


def paint_body(grid: Grid, physique: Physique) -> Canvas:
    canvas = Canvas(grid, physique.rng("warp"))
    outline = outline_of(canvas, physique)
    paint_wall(canvas, physique, outline)
    paint_chest(canvas, physique, outline)
    paint_abdomen(canvas, physique, outline)
    paint_skeleton(canvas, physique, outline)
    _paint_table(canvas, physique)
    return canvas


def _paint_table(canvas: Canvas, physique: Physique) -> None:
    x, y, z = canvas.grid.axes_mm()
    top = float(physique.half_depth_mm(-100)) * 1.06 + 6
    bend = top - (x / 240) ** 2 * 30 + 0 * z
    canvas.paint((2.0 - np.abs(y - bend)).astype(np.float32), -250, Tissue.AIR, only=(Tissue.AIR,))


def scan(canvas: Canvas, kernel: Kernel, rng: np.random.Generator) -> Field:
    """The painted body as the scanner shows it, (S, H, W) float32 HU, -1024 to 3071."""
    scale = np.zeros(256, dtype=np.float32)
    for tissue, deviation in _TEXTURE_HU.items():
        scale[int(tissue)] = deviation
    hu = canvas.hu + scale[canvas.tissue] * smooth_field(rng, canvas.grid, 5.0)
    blurred = ndimage.gaussian_filter(hu, (0.35, kernel.blur_px, kernel.blur_px), truncate=3.0, mode="nearest")
    noise = rng.standard_normal(canvas.grid.shape, dtype=np.float32)
    noise = ndimage.gaussian_filter(noise, (0, kernel.noise_grain_px, kernel.noise_grain_px), truncate=2.5)
    noise *= np.float32(kernel.noise_hu) / noise.std()
    return np.asarray(np.clip(blurred + noise, -1024, 3071), dtype=np.float32)
