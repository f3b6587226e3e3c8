"""Scans with marks → batches of crops for training; what is not marked is not therefore healthy. Pure but for the
generator.

A reader marks some of the lesions, each on one slice. So a crop's truth has three parts: marked lesions on (or close
to) their key slice are true; what continues them on the next slices, and what an earlier round of the model found
without a mark, is ignored; only the rest is background. And because marks are few, a crop gets copies of lesions from
elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from detector.augment import AugmentSettings, changed, draw_change
from detector.marks import Mark, TrainingScan
from detector.prepare import Box, Crop, InputSettings, three_slices, windowed
from detector.targets import IGNORED
from detector.transplant import Transplant, TransplantSettings, set_in_some


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How a batch is made."""

    crops: int = 6
    marked: int = 3
    """Crops around a mark; the others show background."""
    side_px: int = 192
    shows_radius: float = 0.6
    """A slice closer to the key slice than this part of the radius shows the lesion too, as a ball would be smaller."""
    hard_share: float = 0.5
    """The part of the background crops around what an earlier round found suspicious."""
    transplants: TransplantSettings = field(default_factory=TransplantSettings)


def truth_on(scan: TrainingScan, z: int, shows_radius: float) -> list[tuple[Box, int]]:
    """Boxes and labels of one slice; the ignored ones last."""
    true: list[tuple[Box, int]] = []
    ignored: list[tuple[Box, int]] = []
    positions = scan.scan.positions_mm
    reach = float(np.median(np.diff(positions))) if len(positions) > 1 else 0.0
    for mark in scan.marks:
        distance = abs(float(positions[z] - positions[mark.z]))
        if mark.label != IGNORED and distance <= shows_radius * mark.radius_mm:
            true.append((shrunk(mark.box, mark.margin_px, distance / mark.radius_mm), mark.label))
        elif distance <= mark.radius_mm + reach:
            ignored.append((mark.box, IGNORED))
    for found in scan.found:
        if found.z == z:
            (ignored if found.label == IGNORED else true).append((found.box, found.label))
    return true + ignored


def shrunk(box: Box, margin_px: float, height: float) -> Box:
    """The box of a ball, cut `height` radii from its middle, when the box of the middle cut is known."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    part = math.sqrt(max(1.0 - height**2, 0.0))
    width = max((box[2] - x - margin_px) * part, 0.0) + margin_px
    length = max((box[3] - y - margin_px) * part, 0.0) + margin_px
    return x - width, y - length, x + width, y + length


def draw_batch(
    scans: Sequence[TrainingScan],
    transplants: Sequence[Transplant],
    settings: BatchSettings,
    inputs: InputSettings,
    augment: AugmentSettings,
    rng: np.random.Generator,
) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """Images (C, side, side) in 0 to 1, and their targets. At least one scan must have a sure mark.

    transplants: what crops may get copies of; none is right too.
    """
    centres = [(scan, z, mark.box) for scan in scans for mark in scan.sure for z in _shown_on(scan, mark, settings)]
    centres += [(scan, found.z, found.box) for scan in scans for found in scan.found if found.label != IGNORED]
    rejected = [(scan, found.z, found.box) for scan in scans for found in scan.rejected]
    hard = rejected + [(scan, found.z, found.box) for scan in scans for found in scan.suspicious]
    # A few that people rejected are shown as often as a lesion is, or the crops would be of them alone.
    hard_share = settings.hard_share * (min(1.0, len(hard) / len(centres)) if len(hard) == len(rejected) else 1.0)
    # Where people rejected something and marked nothing, nobody said that the rest is healthy.
    healthy = [scan for scan in scans if scan.marks or not scan.rejected]
    images, targets = [], []
    for index in range(settings.crops):
        if index < settings.marked:
            scan, z, box = centres[int(rng.integers(len(centres)))]
        elif hard and rng.random() < hard_share:
            scan, z, box = hard[int(rng.integers(len(hard)))]
        else:
            scan = healthy[int(rng.integers(len(healthy)))]
            z, box = int(rng.integers(scan.scan.slices)), None
        image, target = one_crop(scan, z, box, transplants, settings, inputs, augment, rng)
        images.append(image)
        targets.append(target)
    return images, targets


def _shown_on(scan: TrainingScan, mark: Mark, settings: BatchSettings) -> list[int]:
    distance = np.abs(scan.scan.positions_mm - scan.scan.positions_mm[mark.z])
    return [int(z) for z in np.flatnonzero(distance <= settings.shows_radius * mark.radius_mm)]


def one_crop(
    scan: TrainingScan,
    z: int,
    around: Box | None,
    transplants: Sequence[Transplant],
    settings: BatchSettings,
    inputs: InputSettings,
    augment: AugmentSettings,
    rng: np.random.Generator,
) -> tuple[Tensor, dict[str, Tensor]]:
    change = draw_change(augment, rng)
    side = round(settings.side_px / change.scale)
    row, col = (_start(scan, axis, around, side, rng) for axis in (0, 1))
    crop = Crop(row, col, side, side)
    boxes: list[Box] = []
    labels: list[int] = []
    for box, label in truth_on(scan, z, settings.shows_radius):
        x1, y1, x2, y2 = (
            min(max(value - start, 0.0), float(side)) for value, start in zip(box, (col, row, col, row), strict=True)
        )
        if x2 - x1 <= 1 or y2 - y1 <= 1:
            continue
        whole_area = (box[2] - box[0]) * (box[3] - box[1])
        boxes.append((x1, y1, x2, y2))
        labels.append(label if (x2 - x1) * (y2 - y1) > 0.6 * whole_area else IGNORED)
    hu = three_slices(scan.scan, z, crop, inputs)
    for box, label in set_in_some(hu, transplants, boxes, settings.transplants, rng):
        boxes.append(box)
        labels.append(label)
    order = sorted(range(len(labels)), key=lambda index: labels[index] == IGNORED)
    box_tensor = torch.tensor([boxes[index] for index in order], dtype=torch.float32).reshape(-1, 4)
    image, box_tensor = changed(torch.from_numpy(hu), box_tensor, change, settings.side_px)
    label_tensor = torch.tensor([labels[index] for index in order], dtype=torch.int64)
    return windowed(image, inputs), {"boxes": box_tensor, "labels": label_tensor}


def _start(scan: TrainingScan, axis: int, around: Box | None, side: int, rng: np.random.Generator) -> int:
    """First row (axis 0) or column (axis 1) of a crop: anywhere, but with the box inside if there is one."""
    length = scan.scan.voxels.shape[1 + axis]
    low, high = sorted((0, length - side))
    if around is not None:
        first, last = (around[1], around[3]) if axis == 0 else (around[0], around[2])
        low, high = max(low, int(last) + 1 - side), min(high, int(first))
        if low > high:
            low = high = round((first + last - side) / 2)
    return int(rng.integers(low, high + 1))
