"""What lies below the diaphragm: solid organs, great vessels, bowel, bladder and the genital organs. Pure."""

from __future__ import annotations

import numpy as np

from dicom_node.phantom.canvas import Canvas, Place, Tissue
from dicom_node.phantom.chest import dome_mm
from dicom_node.phantom.physique import Outline, Phase, Physique

FAT = (Tissue.VISCERAL_FAT, Tissue.MEDIASTINUM)


def paint_abdomen(canvas: Canvas, physique: Physique, outline: Outline) -> None:
    if canvas.grid.z_first_mm > 30:
        return
    _paint_vessels(canvas, physique)
    _paint_kidneys(canvas, physique)
    _paint_upper_organs(canvas, physique, outline)
    _paint_bowel(canvas, physique, outline)
    if canvas.grid.z_first_mm < -230:
        _paint_pelvic_organs(canvas, physique)


def _paint_upper_organs(canvas: Canvas, physique: Physique, outline: Outline) -> None:
    rng, size, hu = physique.rng("upper organs"), physique.size, physique.hu
    width, depth = physique.inner_half_width_mm, physique.inner_half_depth_mm
    stretch = float(rng.uniform(0.85, 1.15))
    _, _, z = canvas.grid.axes_mm()
    under_dome = (dome_mm(canvas, physique) - z - 2.5).astype(np.float32)
    jobs = [
        ((width - 26, 22, -38), (30 * stretch, 50, 52 * stretch), hu["spleen"], Tissue.SPLEEN, 25, 0.08),
        ((46 * size, -depth * 0.35, -40), (40 * stretch, 34, 52), 48, Tissue.BOWEL, -20, 0.10),
        ((46 * size, -depth * 0.35, -40), (36 * stretch, 30, 48), float(rng.uniform(5, 30)), Tissue.FLUID, -20, 0.10),
        (
            (-width * 0.50, -4, -45 * stretch),
            (width * 0.62, depth * 1.05, 88 * stretch),
            hu["liver"],
            Tissue.LIVER,
            8,
            0.08,
        ),
        ((8, -depth * 0.52, -28), (58 * stretch, 36 * size, 42), hu["liver"], Tissue.LIVER, 12, 0.10),
    ]
    for centre, radii, value, tissue, turn, rough in jobs:
        found = canvas.ellipsoid_depth(centre, radii, turn, rough)
        if found is None:
            continue
        inside = np.minimum(
            found[0],
            np.minimum(outline.cavity_mm[found[1]] - 2, np.broadcast_to(under_dome, canvas.grid.shape)[found[1]]),
        )
        over = (
            (*FAT, Tissue.VESSEL, Tissue.BOWEL, Tissue.FLUID)
            if tissue != Tissue.LIVER
            else (*FAT, Tissue.BOWEL, Tissue.FLUID, Tissue.KIDNEY)
        )
        canvas.paint(inside, value, tissue, found[1], only=over)
    gas = canvas.ellipsoid_depth((46 * size, -depth * 0.35, -40), (35 * stretch, 29, 47), -20, 0.10)
    if gas is not None:
        _, y, _ = canvas.grid.axes_mm(gas[1])
        level = -depth * 0.35 - float(rng.uniform(5, 20))  # gas rises to the front of a patient on the back
        canvas.paint(
            np.minimum(gas[0], (level - y).astype(np.float32)), -940, Tissue.AIRWAY, gas[1], only=(Tissue.FLUID,)
        )
    canvas.ellipsoid((-width * 0.42, -depth * 0.62, -92), (16, 18, 30), 9, Tissue.FLUID, 30, 0.05)
    path: list[Place] = [(-34, -22, -112), (-10, -20, -98), (26, -8, -86), (64, 12, -66)]
    canvas.tube(path, [13, 10, 10, 8], 45 + 0.35 * hu["liver"], Tissue.PANCREAS, only=FAT)
    _paint_liver_vessels(canvas, physique)


def _paint_liver_vessels(canvas: Canvas, physique: Physique) -> None:
    rng = physique.rng("liver vessels")
    blood = physique.hu["vein"] if physique.phase is not Phase.NATIVE else physique.hu["liver"] - 16
    if abs(blood - physique.hu["liver"]) < 12:
        return
    for root, fan in (((-22.0, 18.0, 2.0), (-1.0, -0.6, -0.5)), ((-26.0, -4.0, -52.0), (-1.0, -0.2, 0.1))):
        for _ in range(6):
            way = np.array(fan) + rng.normal(scale=0.7, size=3)
            way /= np.linalg.norm(way)
            middle = np.add(root, way * 45)
            end = middle + (way + rng.normal(scale=0.35, size=3)) * 45
            canvas.tube([root, tuple(middle), tuple(end)], [5.0, 3.4, 1.6], blood, Tissue.VESSEL, only=(Tissue.LIVER,))


def _paint_vessels(canvas: Canvas, physique: Physique) -> None:
    rng, y0 = physique.rng("abdominal vessels"), physique.spine_y_mm
    artery, vein, r = physique.hu["artery"], physique.hu["vein"], float(rng.uniform(8.5, 11))
    canvas.tube(
        [(10, y0 - 25, 30), (8, y0 - 26, -120), (4, y0 - 27, -205)], [r * 1.1, r, r * 0.85], artery, Tissue.VESSEL
    )
    canvas.tube([(-20, y0 - 42, 40), (-20, y0 - 26, -60), (-16, y0 - 25, -210)], [11, 11.5, 11], vein, Tissue.VESSEL)
    for side in (-1, 1):
        for x, y, radius, hu in ((0, -26, r * 0.6, artery), (side * 4 - 10, -17, 7.5, vein)):
            canvas.tube(
                [(x + 3, y0 + y, -205), (side * 44, y0 + y - 6, -270), (side * 66, y0 + y - 32, -335),
                 (side * 74, y0 - 82, -410)],
                [radius, radius, radius * 0.95, radius * 0.9], hu, Tissue.VESSEL,
            )  # fmt: skip
        canvas.tube([(8, y0 - 28, -112), (side * 48, y0 - 16, -116)], [3.4, 2.8], artery, Tissue.VESSEL, only=FAT)
        canvas.tube([(-18, y0 - 30, -110), (side * 48, y0 - 20, -112)], [4.5, 4], vein, Tissue.VESSEL, only=FAT)
    canvas.tube(
        [(8, y0 - 36, -92), (4, y0 - 62, -130), (-8, y0 - 70, -210)], [3.8, 3.6, 2.4], artery, Tissue.VESSEL, only=FAT
    )
    canvas.tube(
        [(-12, y0 - 46, -92), (-8, y0 - 66, -130), (-18, y0 - 74, -210)], [5.8, 5.2, 3], vein, Tissue.VESSEL, only=FAT
    )


def _paint_kidneys(canvas: Canvas, physique: Physique) -> None:
    rng, y0 = physique.rng("kidneys"), physique.spine_y_mm
    for side in (-1, 1):
        size = float(rng.uniform(0.88, 1.12))
        centre = (side * 66 * physique.size, y0 - 8, -112.0 - 8 * side + float(rng.uniform(-8, 8)))
        turn = side * -28
        canvas.ellipsoid(
            centre,
            (31 * size, 25 * size, 55 * size),
            physique.hu["cortex"],
            Tissue.KIDNEY,
            turn,
            0.03,
            only=(*FAT, Tissue.MUSCLE),
        )
        canvas.ellipsoid(
            centre,
            (22 * size, 16 * size, 44 * size),
            physique.hu["kidney"],
            Tissue.KIDNEY,
            turn,
            0.10,
            only=(Tissue.KIDNEY,),
        )
        hilum = (centre[0] - side * 17 * size, centre[1] - 7, centre[2])
        canvas.ellipsoid(
            hilum, (17 * size, 11 * size, 22 * size), -85, Tissue.VISCERAL_FAT, turn, 0.08, only=(Tissue.KIDNEY,)
        )
        canvas.ellipsoid(hilum, (8, 6, 12), 12, Tissue.FLUID, turn)


def _paint_bowel(canvas: Canvas, physique: Physique, outline: Outline) -> None:
    """Loops of small bowel in the middle, the colon along the flanks; each is a tube with a wall and a filling."""
    rng = physique.rng("bowel")
    width, depth, y0 = physique.inner_half_width_mm, physique.inner_half_depth_mm, physique.spine_y_mm
    filling = float(rng.choice([15.0, 30.0, 230.0], p=[0.45, 0.3, 0.25]))  # the last has drunk contrast medium
    for _ in range(16):
        at = np.array([rng.uniform(-0.6, 0.62) * width, rng.uniform(-0.78, 0.05) * depth, rng.uniform(-320, -105)])
        way, radius = rng.normal(size=3) * (1, 0.5, 0.6), float(rng.uniform(10, 14.5))
        path: list[Place] = [(float(at[0]), float(at[1]), float(at[2]))]
        for _ in range(6):
            way = way / np.linalg.norm(way) + rng.normal(scale=0.55, size=3)
            at = at + way / np.linalg.norm(way) * 24
            at[:2] = np.clip(at[:2], (-0.78 * width, -0.82 * depth), (0.78 * width, y0 - 42))
            at[2] = min(at[2], -88)
            path.append((float(at[0]), float(at[1]), float(at[2])))
        _paint_loop(canvas, path, radius, filling if rng.random() < 0.8 else -900.0)
    x, back, front = width * 0.84, y0 - 30, -depth * 0.8
    colon: tuple[tuple[list[Place], float], ...] = (
        ([(-x, back - 10, -300), (-x, back, -230), (-x * 0.98, back, -170), (-x * 0.9, back - 22, -112)], 21.0),
        ([(-x * 0.85, front * 0.68, -118), (-30, front, -135), (40, front, -128), (x * 0.8, front * 0.5, -92)], 19.0),
        ([(x, back - 5, -95), (x * 1.02, back, -170), (x, back - 4, -250), (x * 0.55, back - 14, -310)], 16.0),
        ([(x * 0.55, back - 14, -310), (24, y0 - 24, -325), (0, y0 - 14, -350), (0, y0 + 2, -425)], 16.0),
    )  # fmt: skip
    for part, radius in colon:
        _paint_loop(canvas, part, radius * float(rng.uniform(0.85, 1.15)), float(rng.choice([-250.0, 20.0, -930.0])))


def _paint_loop(canvas: Canvas, path: list[Place], radius: float, filling: float) -> None:
    swell = radius * (1 + 0.12 * np.sin(np.arange(len(path)) * 2.1))
    over = (*FAT, Tissue.BOWEL)
    canvas.tube(path, list(swell), 62, Tissue.BOWEL, only=over)
    canvas.tube(path, list(swell - 3.2), filling, Tissue.FLUID if filling > -500 else Tissue.AIRWAY, only=over)


def _paint_pelvic_organs(canvas: Canvas, physique: Physique) -> None:
    rng, y0 = physique.rng("pelvic organs"), physique.spine_y_mm
    full = float(rng.uniform(0.75, 1.15))
    over = (*FAT, Tissue.BOWEL, Tissue.FLUID, Tissue.AIRWAY, Tissue.GENITAL)
    if physique.female:
        canvas.ellipsoid(
            (float(rng.uniform(-12, 12)), y0 - 48, -338),
            (34, 22, 30),
            physique.hu["muscle"] + 35,
            Tissue.GENITAL,
            10,
            0.08,
            only=over,
        )
    else:
        canvas.ellipsoid(
            (0, y0 - 42, -408), (24, 19, 20), physique.hu["muscle"] + 15, Tissue.GENITAL, 0, 0.05, only=over
        )
    centre = (0.0, y0 - 82 if physique.female else y0 - 70, -368.0)
    canvas.ellipsoid(centre, (41 * full, 31 * full, 32 * full), 45, Tissue.BLADDER, 0, 0.05, only=over)
    urine = float(rng.choice([6.0, 240.0], p=[0.8, 0.2])) if physique.phase is Phase.VENOUS else 6.0
    canvas.ellipsoid(centre, (38 * full, 28 * full, 29 * full), urine, Tissue.FLUID, 0, 0.05, only=(Tissue.BLADDER,))
