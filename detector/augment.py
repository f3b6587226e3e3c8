"""What may be changed in a training image without changing what a reader would mark. Pure but for the generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class AugmentSettings:
    """How far images are changed."""

    scale: float = 1.25
    """Largest factor of size, either way."""
    flip: bool = True
    """Whether left and right, and above and below along the normal, may be exchanged."""
    shift_hu: float = 12.0
    stretch: float = 0.06
    """Largest relative change of HU around water."""


@dataclass(frozen=True, slots=True)
class Change:
    """One drawn change."""

    scale: float
    mirror: bool
    upside_down: bool
    shift_hu: float
    stretch: float


def draw_change(settings: AugmentSettings, rng: np.random.Generator) -> Change:
    limit = np.log(settings.scale)
    return Change(
        scale=float(np.exp(rng.uniform(-limit, limit))),
        mirror=settings.flip and bool(rng.random() < 0.5),
        upside_down=settings.flip and bool(rng.random() < 0.5),
        shift_hu=float(rng.uniform(-settings.shift_hu, settings.shift_hu)),
        stretch=float(1 + rng.uniform(-settings.stretch, settings.stretch)),
    )


def changed(hu: Tensor, boxes: Tensor, change: Change, side_px: int) -> tuple[Tensor, Tensor]:
    """Slices (3, H, W) in HU brought to (3, side, side), and their boxes (N, 4) with them."""
    factors = (side_px / hu.shape[2], side_px / hu.shape[1])
    if hu.shape[1:] != (side_px, side_px):
        hu = functional.interpolate(hu[None], (side_px, side_px), mode="bilinear", antialias=False)[0]
    boxes = boxes * boxes.new_tensor((*factors, *factors))
    if change.mirror:
        hu = hu.flip(2)
        boxes = torch.stack((side_px - boxes[:, 2], boxes[:, 1], side_px - boxes[:, 0], boxes[:, 3]), dim=1)
    if change.upside_down:
        hu = hu.flip(0)
    return hu * change.stretch + change.shift_hu, boxes
