"""A scan through the network: boxes on its slices, and from them lesions. No files, no clock."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from db.geometry import PixelSpacing
from detector.merge import MergeSettings, SliceBox, Track, merge
from detector.model import LesionDetector
from detector.prepare import InputSettings, Scan, three_slices, whole, windowed
from detector.views import fused, mirrored_boxes

SLICES_AT_ONCE = 4


def boxes_on_slices(
    model: LesionDetector,
    scan: Scan,
    inputs: InputSettings,
    every_mm: float = 2.0,
    device: str = "cpu",
    mirrored: bool = True,
) -> list[SliceBox]:
    """All boxes of the network on the slices, in NATIVE pixels. Slices closer than `every_mm` to the last are left out.

    mirrored: whether each slice is looked at in its mirror image too. The model is in eval mode when this returns.
    """
    model.eval()
    crop = whole(scan)
    wanted = slices_to_look_at(scan.positions_mm, every_mm)
    found: list[SliceBox] = []
    for start in range(0, len(wanted), SLICES_AT_ONCE):
        part = wanted[start : start + SLICES_AT_ONCE]
        hu = torch.from_numpy(np.stack([three_slices(scan, z, crop, inputs) for z in part])).to(device)
        for z, result in zip(part, _seen(model, windowed(hu, inputs), mirrored), strict=True):
            rows = zip(result["boxes"].tolist(), result["scores"].tolist(), result["labels"].tolist(), strict=True)
            found += [SliceBox(z, scan.frame.to_native(tuple(box)), score, label) for box, score, label in rows]
    return found


def _seen(model: LesionDetector, images: Tensor, mirrored: bool) -> list[dict[str, Tensor]]:
    """What the network says of images (B, C, H, W), with their mirror images if wanted: one result an image."""
    with torch.inference_mode():
        as_they_are: list[dict[str, Tensor]] = model(list(images))
        if not mirrored:
            return as_they_are
        turned = model(list(images.flip(3)))
        for result in turned:
            result["boxes"] = mirrored_boxes(result["boxes"], images.shape[3])
        return [fused(list(both)) for both in zip(as_they_are, turned, strict=True)]


def slices_to_look_at(positions_mm: np.ndarray, every_mm: float) -> list[int]:
    """The first slice, and each that is at least `every_mm` (less a tenth) from the one taken before it."""
    taken: list[int] = []
    for z, position in enumerate(positions_mm):
        if not taken or position - positions_mm[taken[-1]] >= 0.9 * every_mm:
            taken.append(z)
    return taken


def lesions_of(
    model: LesionDetector,
    scan: Scan,
    spacing: PixelSpacing,
    inputs: InputSettings,
    settings: MergeSettings,
    device: str = "cpu",
) -> list[Track]:
    """The lesions of a series, best first, in native pixels."""
    return merge(boxes_on_slices(model, scan, inputs, device=device), scan.positions_mm, spacing, settings)
