"""The body's wall and skeleton: skin, fat, muscles, spine, ribs, sternum, pelvis and hips. Pure."""

from __future__ import annotations

import numpy as np

from dicom_node.phantom.canvas import Canvas, Field, Tissue, Window
from dicom_node.phantom.physique import Outline, Physique

VERTEBRA_MM = 31.0
DISC_MM = 7.0
RIB_STEP_MM = 27.0
RIB_FALL_MM = 62.0
"""How much lower a rib's front end lies than its back end."""


def paint_wall(canvas: Canvas, physique: Physique, outline: Outline) -> None:
    _, _, z = canvas.grid.axes_mm()
    canvas.paint(outline.skin_mm, 15, Tissue.SKIN)
    canvas.paint(outline.skin_mm - 2.2, -105, Tissue.SUBCUTANEOUS)
    wall = outline.cavity_mm + physique.wall_mm
    canvas.paint(wall, physique.hu["muscle"], Tissue.MUSCLE)
    fat = outline.cavity_mm + canvas.warp * np.float32(1.5)
    canvas.paint(np.minimum(fat, 25 - z), -98, Tissue.VISCERAL_FAT)
    canvas.paint(np.minimum(outline.cavity_mm, z - 20), -90, Tissue.MEDIASTINUM)
    _paint_back_muscles(canvas, physique)


def _paint_back_muscles(canvas: Canvas, physique: Physique) -> None:
    rng = physique.rng("back muscles")
    spine, muscle = physique.spine_y_mm, physique.hu["muscle"]
    for side in (-1, 1):
        width = float(rng.uniform(24, 30)) * physique.size
        canvas.tube(
            [(side * 34, spine + 36, -420), (side * 36, spine + 36, 300)], [width * 0.8, width * 0.72],
            muscle, Tissue.MUSCLE,
            only=(Tissue.SUBCUTANEOUS, Tissue.VISCERAL_FAT, Tissue.MEDIASTINUM),
        )  # fmt: skip
        psoas = float(rng.uniform(17, 24)) * physique.size
        canvas.tube(
            [(side * 30, spine + 2, -70), (side * 42, spine - 4, -180), (side * 66, spine - 48, -330)],
            [psoas * 0.5, psoas, psoas], muscle, Tissue.MUSCLE,
        )  # fmt: skip
        canvas.ellipsoid((side * 82, spine + 40, -330), (58, 34, 105), muscle, Tissue.MUSCLE, side * -20,
                         only=(Tissue.SUBCUTANEOUS, Tissue.VISCERAL_FAT))  # fmt: skip


def paint_skeleton(canvas: Canvas, physique: Physique, outline: Outline) -> None:
    density = float(physique.rng("bone density").uniform(0.75, 1.2))
    _paint_spine(canvas, physique, density)
    if canvas.grid.z_last_mm > -110:
        _paint_ribs(canvas, physique, outline, density)
        _paint_sternum(canvas, physique, outline, density)
    if canvas.grid.z_first_mm < -180:
        _paint_pelvis(canvas, physique, density)


def _bone(canvas: Canvas, depth: Field, window: Window | None, density: float, rind_mm: float) -> None:
    """A cortical rind round marrow."""
    canvas.paint(depth, 620 * density, Tissue.BONE, window)
    canvas.paint(depth - np.float32(rind_mm), 190 * density, Tissue.MARROW, window)


def _paint_spine(canvas: Canvas, physique: Physique, density: float) -> None:
    y0 = physique.spine_y_mm
    window = canvas.grid.window((-60, y0 - 30, -330), (60, y0 + 75, 400))
    if window is None:
        return
    x, y, z = canvas.grid.axes_mm(window)
    shift = float(physique.rng("spine").uniform(0, VERTEBRA_MM))
    height = np.mod(z + shift, VERTEBRA_MM)
    half_body = (VERTEBRA_MM - DISC_MM) / 2
    to_plates = half_body - np.abs(height - VERTEBRA_MM / 2)  # > 0 within a vertebral body, < 0 in a disc
    wide = np.float32(1) + np.clip(-z, 0, 250) / np.float32(900)
    dents = canvas.warp[window] * np.float32(0.8)
    rho = np.sqrt((x / (19.5 * wide)) ** 2 + ((y - y0) / (14.5 * wide)) ** 2)
    column = ((1 - rho) * 15 + dents).astype(np.float32)
    canvas.paint(column, 85, Tissue.CARTILAGE, window)
    _bone(canvas, np.minimum(column, to_plates.astype(np.float32)), window, density, 1.8)
    ring = np.sqrt((x / 1.15) ** 2 + (y - y0 - 25) ** 2)
    arch = np.float32(4.5) - np.abs(ring - 13) - 4 * np.clip(1 - np.abs(height - 12) / 14, -1, 0)
    spinous = np.minimum(3.5 - np.abs(x), 16 - np.abs(y - y0 - 50)) + 0 * z
    spinous = np.minimum(spinous, 8 - np.abs(height - 10))
    transverse = np.minimum(np.minimum(4.5 - np.abs(y - y0 - 22 - np.abs(x) * 0.15), 36 - np.abs(x)), np.abs(x) - 10)
    transverse = np.minimum(transverse, 6 - np.abs(height - 15))
    _bone(canvas, np.maximum(np.maximum(arch, spinous), transverse).astype(np.float32), window, density, 2.2)
    canvas.paint((10.5 - ring + 0 * z).astype(np.float32), 25, Tissue.FLUID, window)


def _paint_ribs(canvas: Canvas, physique: Physique, outline: Outline, density: float) -> None:
    x, y, z = canvas.grid.axes_mm()
    # 0 at the back, 1 at the front, as the rib runs
    frontness = (np.abs(np.arctan2(x / physique.half_width_mm(0), y / physique.half_depth_mm(0))) / np.pi).astype(
        np.float32
    )
    level = z + np.float32(RIB_FALL_MM) * frontness + np.where(x < 0, np.float32(5), np.float32(0))
    beat = np.abs(np.mod(level, RIB_STEP_MM) - RIB_STEP_MM / 2)
    shell = np.float32(4.2) - np.abs(outline.cavity_mm + 5)
    ribs = np.minimum(shell, np.float32(5.5) - beat)
    ribs = np.minimum(ribs, np.minimum(level + 45, (0.8 - frontness) * 60)).astype(np.float32)
    canvas.paint(ribs, 560 * density, Tissue.BONE)
    canvas.paint(ribs - np.float32(2.2), 230 * density, Tissue.MARROW)
    cartilage = np.minimum(np.minimum(shell, np.float32(6) - beat), np.minimum(level + 25, (frontness - 0.78) * 60))
    canvas.paint(cartilage.astype(np.float32), 115, Tissue.CARTILAGE)


def _paint_sternum(canvas: Canvas, physique: Physique, outline: Outline, density: float) -> None:
    x, y, z = canvas.grid.axes_mm()
    plate = np.minimum(np.float32(5.5) - np.abs(outline.cavity_mm + 6), np.float32(19) - np.abs(x))
    plate = np.where(y < 0, np.minimum(plate, np.minimum(z - 10, 190 - z)), np.float32(-5)).astype(np.float32)
    _bone(canvas, plate, None, density * 0.8, 1.8)


def _paint_pelvis(canvas: Canvas, physique: Physique, density: float) -> None:
    rng, y0, size = physique.rng("pelvis"), physique.spine_y_mm, physique.size
    tilt = float(rng.uniform(26, 36))
    for side in (-1, 1):
        found = canvas.ellipsoid_depth(
            (side * 90 * size, y0 - 8, -265), (48 * size, 10, 78), side * tilt - side * 66, 0.02
        )
        if found:
            _bone(canvas, found[0], found[1], density, 2.4)
        socket = (side * 86 * size, y0 - 38, -372)
        found = canvas.ellipsoid_depth(socket, (34, 36, 34))
        if found:
            _bone(canvas, found[0], found[1], density, 3.0)
        head = canvas.ellipsoid_depth((side * 96 * size, y0 - 38, -374), (24.5, 24.5, 24.5))
        if head:
            canvas.paint(head[0] + np.float32(3), 60, Tissue.CARTILAGE, head[1])
            _bone(canvas, head[0], head[1], density * 1.1, 2.0)
        canvas.tube(
            [(side * 96 * size, y0 - 38, -376), (side * 138 * size, y0 - 28, -408)],
            [15, 17],
            330 * density,
            Tissue.MARROW,
        )
        canvas.tube(
            [(side * 70 * size, y0 - 66, -388), (side * 10, y0 - 92, -400)], [8, 8], 380 * density, Tissue.MARROW
        )
        canvas.tube([(side * 62, y0 + 4, -390), (side * 56, y0 + 10, -430)], [13, 15], 360 * density, Tissue.MARROW)
    found = canvas.ellipsoid_depth((0, y0 + 16, -285), (48 * size, 20, 55), 0, 0.05)
    if found:
        _bone(canvas, found[0], found[1], density * 0.85, 2.0)
