"""Marked lesions, cut out and set into other even places of the same brightness. Pure but for the generator.

A detector of lesions is limited by how few are marked. So a crop gets copies of lesions from other scans ("copy-paste",
Ghiasi et al., CVPR 2021), but not anywhere: only where the surroundings are as bright as those that the lesion came
from, and about as even. So a nodule goes from lung into lung, and a metastasis from one liver into another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from detector.marks import Mark
from detector.prepare import Box, Crop, InputSettings, Scan, three_slices

Image = npt.NDArray[np.float32]

BLENDED = (1.05, 1.45)
"""Inside the first radius all is the lesion's image, beyond the second all is the place's; the lesion's own is 1."""
SURROUNDINGS = (1.4, 2.0)
"""The ring, in radii of the lesion, that says where it came from."""
FEWEST_RING_PX = 8
PLACE = 1.6
"""So many radii around a copy its place must be like where it came from: all that is blended, and a little more."""


@dataclass(frozen=True, slots=True)
class TransplantSettings:
    """How many copies are set into crops, and where."""

    tries: int = 2
    """How often a crop may get one."""
    share: float = 0.7
    """The chance of each try. More of both made a training of minutes worse (benchmarks/results/detector.md)."""
    even_hu: float = 80.0
    """Largest range of the surroundings, from their 20th to their 80th percentile, of a lesion that is cut out."""
    like_hu: float = 25.0
    """Largest difference of a place's median from that of the lesion's own surroundings."""
    spread: float = 1.6
    """A place's range (15th to 85th percentile) may be so many times that of the lesion's own surroundings."""
    least_spread_hu: float = 60.0
    """And may always be this: noise differs from scan to scan."""
    gain: float = 0.2
    """Largest relative change of a copy's contrast, either way."""
    places: int = 40
    """How many places are looked at before a copy is given up."""


@dataclass(frozen=True, slots=True, eq=False)
class Transplant:
    """A lesion without its place.

    above_hu: (3, h, w) HU above its surroundings, on the three slices. radius: (h, w) distance from the middle in radii
    of the lesion. box: in pixels of this image, from the outer edge.
    """

    above_hu: Image
    radius: Image
    box: Box
    label: int
    surroundings_hu: float
    spread_hu: float


def cut_out(scan: Scan, mark: Mark, inputs: InputSettings, settings: TransplantSettings) -> Transplant | None:
    """The marked lesion, taken for an ellipse in its box; None where its surroundings are not even."""
    x, y = (mark.box[0] + mark.box[2]) / 2, (mark.box[1] + mark.box[3]) / 2
    across = max((mark.box[2] - mark.box[0]) / 2 - mark.margin_px, 1.2)
    down = max((mark.box[3] - mark.box[1]) / 2 - mark.margin_px, 1.2)
    half_width, half_height = (math.ceil(SURROUNDINGS[1] * radius) + 1 for radius in (across, down))
    crop = Crop(int(y) - half_height, int(x) - half_width, 2 * half_height + 1, 2 * half_width + 1)
    rows = (np.arange(crop.height) + crop.row + 0.5 - y) / down
    cols = (np.arange(crop.width) + crop.col + 0.5 - x) / across
    radius = np.sqrt(rows[:, None] ** 2 + cols[None] ** 2).astype(np.float32)
    hu = three_slices(scan, mark.z, crop, inputs)
    ring = hu[1][(radius > SURROUNDINGS[0]) & (radius < SURROUNDINGS[1])]
    if len(ring) < FEWEST_RING_PX:
        return None
    low, middle, high = (float(value) for value in np.percentile(ring, (20, 50, 80)))
    if high - low > settings.even_hu:
        return None
    box = (mark.box[0] - crop.col, mark.box[1] - crop.row, mark.box[2] - crop.col, mark.box[3] - crop.row)
    return Transplant(hu - np.float32(middle), radius, box, mark.label, middle, high - low)


def turned(one: Transplant, rng: np.random.Generator) -> Transplant:
    """It, or its mirror image, or upside down."""
    height, width = one.radius.shape
    x1, y1, x2, y2 = one.box
    if rng.random() < 0.5:
        one = replace(one, above_hu=one.above_hu[:, :, ::-1], radius=one.radius[:, ::-1])
        x1, x2 = width - x2, width - x1
    if rng.random() < 0.5:
        one = replace(one, above_hu=one.above_hu[:, ::-1], radius=one.radius[::-1])
        y1, y2 = height - y2, height - y1
    return replace(one, box=(x1, y1, x2, y2))


def set_in_some(
    hu: Image,
    transplants: Sequence[Transplant],
    taken: Sequence[Box],
    settings: TransplantSettings,
    rng: np.random.Generator,
) -> list[tuple[Box, int]]:
    """Write copies into slices (3, H, W), away from the boxes that are taken; box and label of each."""
    done: list[tuple[Box, int]] = []
    for _ in range(settings.tries if transplants else 0):
        if rng.random() < settings.share:
            one = turned(transplants[int(rng.integers(len(transplants)))], rng)
            box = set_in(hu, one, [*taken, *(box for box, _ in done)], settings, rng)
            if box is not None:
                done.append((box, one.label))
    return done


def set_in(
    hu: Image, one: Transplant, taken: Sequence[Box], settings: TransplantSettings, rng: np.random.Generator
) -> Box | None:
    """Write a copy into slices (3, H, W) somewhere like where it came from; its box there, or None without a place.

    taken: what the copy's box must not touch.
    """
    height, width = one.radius.shape
    like = np.argwhere(np.abs(hu[1] - one.surroundings_hu) < settings.like_hu)
    near = one.radius < PLACE
    widest = max(one.spread_hu * settings.spread, settings.least_spread_hu)
    for _ in range(settings.places if len(like) else 0):
        middle = like[int(rng.integers(len(like)))]
        row, col = int(middle[0]) - height // 2, int(middle[1]) - width // 2
        if row < 0 or col < 0 or row + height > hu.shape[1] or col + width > hu.shape[2]:
            continue
        box = (one.box[0] + col, one.box[1] + row, one.box[2] + col, one.box[3] + row)
        place = hu[:, row : row + height, col : col + width]
        low, median, high = np.percentile(place[1][near], (15, 50, 85))
        unlike = abs(median - one.surroundings_hu) > settings.like_hu or high - low > widest
        if unlike or any(_touch(box, other) for other in taken):
            continue
        contrast = 1 + rng.uniform(-settings.gain, settings.gain)
        own = np.clip((BLENDED[1] - one.radius) / (BLENDED[1] - BLENDED[0]), 0, 1)
        place[:] = place * (1 - own) + own * (median + contrast * one.above_hu)
        return box
    return None


def _touch(a: Box, b: Box) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])
