"""What lies above the diaphragm: lungs with vessels and airways, heart, great vessels. Pure."""

from __future__ import annotations

import numpy as np

from dicom_node.phantom.canvas import Canvas, Field, Place, Tissue
from dicom_node.phantom.physique import Outline, Physique

HILUM_Z_MM = 98.0


def dome_mm(canvas: Canvas, physique: Physique) -> Field:
    """Height of the diaphragm over each column of voxels, (1, H, W) mm; the right dome is the higher one."""
    x, y, _ = canvas.grid.axes_mm()
    right, left = physique.rng("diaphragm").uniform((14, -4), (26, 6))
    side = left + (right - left) / (1 + np.exp(x / 14))
    away = (np.abs(x) / physique.size - 78) / 78
    fall = np.where(away > 0, 55, 24) * away**2  # steep to the flanks, flat under the heart
    return np.asarray(side - fall - 45 * (y / (95 * physique.size) + 0.1) ** 2, dtype=np.float32)


def paint_chest(canvas: Canvas, physique: Physique, outline: Outline) -> None:
    if canvas.grid.z_last_mm < -70:
        return
    _paint_lungs(canvas, physique, outline)
    _paint_heart(canvas, physique)
    _paint_great_vessels(canvas, physique)
    _paint_airways(canvas)
    for side in (-1, 1):
        _grow_vessels(canvas, physique, side)


def _paint_lungs(canvas: Canvas, physique: Physique, outline: Outline) -> None:
    x, y, z = canvas.grid.axes_mm()
    air = -860 + float(physique.rng("lung").uniform(-30, 45))
    half = 25 + 15 * np.exp(-(((y - physique.spine_y_mm) / 24) ** 2)) + 10 * np.exp(-(((z - HILUM_Z_MM) / 45) ** 2))
    depth = np.minimum(outline.cavity_mm - 1.5, np.abs(x) - half + canvas.warp * np.float32(3))
    depth = np.minimum(depth, z - dome_mm(canvas, physique))
    depth = np.minimum(depth, (215 - z) * np.float32(0.8))
    # The back lies below: its lung is denser by some 60 HU.
    canvas.paint(depth.astype(np.float32), (air + 0.35 * y + 0 * z + 0 * x).astype(np.float32), Tissue.LUNG)


def _paint_heart(canvas: Canvas, physique: Physique) -> None:
    rng, size = physique.rng("heart"), physique.size
    reach = float(rng.uniform(0.9, 1.15)) * size
    muscle, blood = 0.55 * physique.hu["heart"] + 30, physique.hu["heart"]
    canvas.ellipsoid((20, -32 * size, 46), (62 * reach, 50 * reach, 52 * reach), -95, Tissue.MEDIASTINUM, 25, 0.05)
    canvas.ellipsoid((20, -31 * size, 46), (56 * reach, 44 * reach, 48 * reach), muscle, Tissue.HEART, 25, 0.05)
    canvas.ellipsoid((38, -25 * size, 38), (26 * reach, 19 * reach, 30 * reach), blood, Tissue.VESSEL, 35, 0.08)
    canvas.ellipsoid((2, -50 * size, 42), (26 * reach, 16 * reach, 32 * reach), blood * 0.9, Tissue.VESSEL, 20, 0.08)
    canvas.ellipsoid((-24, -28 * size, 52), (20 * reach, 20 * reach, 28 * reach), blood * 0.85, Tissue.VESSEL, 0, 0.08)
    canvas.ellipsoid((10, 2, 66), (28 * reach, 15 * reach, 20 * reach), blood, Tissue.VESSEL, 0, 0.08)


def _paint_great_vessels(canvas: Canvas, physique: Physique) -> None:
    artery, vein, rng = physique.hu["artery"], physique.hu["vein"], physique.rng("great vessels")
    y0, r = physique.spine_y_mm, float(rng.uniform(11.5, 15))
    canvas.tube([(-6, -30, 75), (-14, -32, 120), (-4, -18, 148)], [r * 1.2, r * 1.15, r * 1.05], artery, Tissue.VESSEL)
    canvas.tube([(-4, -18, 148), (14, 4, 155), (24, y0 - 24, 138)], [r * 1.05] * 3, artery, Tissue.VESSEL)
    canvas.tube(
        [(24, y0 - 24, 138), (24, y0 - 22, 60), (8, y0 - 24, -30)], [r, r * 0.95, r * 0.9], artery, Tissue.VESSEL
    )
    for x, lean in ((-16, -6), (4, 3), (20, 12)):
        canvas.tube([(x * 0.6, -14, 150), (x + lean, -8, 230)], [5.5, 4.5], artery, Tissue.VESSEL)
    canvas.tube([(-32, -22, 62), (-33, -24, 150), (-26, -26, 230)], [9.5, 9, 7.5], vein * 1.1, Tissue.VESSEL)
    trunk = physique.hu["heart"]
    canvas.tube([(12, -36, 82), (18, -24, 108), (38, -2, 104)], [13, 13, 9.5], trunk, Tissue.VESSEL)
    canvas.tube([(16, -20, 106), (-12, -8, 100), (-42, -2, 96)], [11, 10.5, 9], trunk, Tissue.VESSEL)
    canvas.tube(
        [(8, y0 - 30, 230), (6, y0 - 32, 120), (18, y0 - 36, 10)],
        [7, 7, 8],
        45,
        Tissue.MUSCLE,
        only=(Tissue.MEDIASTINUM, Tissue.LUNG),
    )


def _paint_airways(canvas: Canvas) -> None:
    for hu, tissue, more in ((35, Tissue.MUSCLE, 1.8), (-985, Tissue.AIRWAY, 0.0)):
        canvas.tube([(0, 6, 230), (-1, 8, 122)], [9 + more, 9 + more], hu, tissue)
        for side, steep in ((-1, 18), (1, 12)):
            canvas.tube(
                [(-1, 8, 122), (side * 28, 12, 122 - steep * 1.3), (side * 44, 14, 84)],
                [7 + more, 6 + more, 4.2 + more],
                hu,
                tissue,
            )
            canvas.tube([(side * 40, 13, 92), (side * 62, 32, 52)], [3.6 + more * 0.6, 2 + more * 0.6], hu, tissue)
            canvas.tube([(side * 38, 12, 100), (side * 64, -18, 118)], [3.4 + more * 0.6, 1.8 + more * 0.6], hu, tissue)


def _grow_vessels(canvas: Canvas, physique: Physique, side: int) -> None:
    """Arteries and veins fan out from the hilum, each child thinner than its parent."""
    rng, hu = physique.rng(f"lung vessels {side}"), max(physique.hu["heart"] * 0.8, 45)
    root: Place = (side * 44.0, 4.0, HILUM_Z_MM)
    twigs: list[tuple[Place, np.ndarray, float, float]] = []
    for _ in range(11):
        way = rng.normal(size=3) * (0.8, 0.9, 1.1) + (side * 0.8, 0.1, -0.25)
        twigs.append((root, way / np.linalg.norm(way), float(rng.uniform(4.0, 5.5)), 34.0))
    while twigs:
        start, way, radius, length = twigs.pop()
        bend = way + rng.normal(scale=0.18, size=3)
        bend /= np.linalg.norm(bend)
        end = tuple(float(c) for c in np.add(start, bend * length))
        thinner = radius * 0.72
        canvas.tube([start, (end[0], end[1], end[2])], [radius, thinner], hu, Tissue.VESSEL, only=(Tissue.LUNG,))
        if thinner > 1.0:
            for _ in range(2):
                child = bend + rng.normal(scale=0.5, size=3)
                twigs.append(((end[0], end[1], end[2]), child / np.linalg.norm(child), thinner, length * 0.82))
