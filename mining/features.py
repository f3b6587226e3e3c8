"""Lesion patches → feature blocks: from the pretrained body, or from Hounsfield units where there is none. Shell."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mining.body import LITE0_MEAN, LITE0_SHA256, LITE0_STD, lite0
from mining.hu_features import BINS, EDGES_HU, Blocks, hu_blocks, size_block
from mining.patches import PATCH_MM, PATCH_PX, RING_MM, WINDOWS_HU, LesionPatch, grey_windows

LITE0_STAGES = (4, 6)
"""`blocks.4` (112 channels) and `blocks.6` (320): together steadier than either, and better than the 1280-wide head."""
LITE0_WIDTHS = (112, 320)
BATCH = 16


class Extractor(Protocol):
    """What turns patches into numbers. Rows of two extractors never mix: `key` tells them apart."""

    @property
    def name(self) -> str: ...

    @property
    def weights_sha256(self) -> str: ...

    @property
    def description(self) -> dict[str, Any]: ...

    def blocks(self, patches: Sequence[LesionPatch]) -> Blocks:
        """One block (N, width) float32 for each kind of feature; N may be 0."""
        ...

    def inside(self, blocks: Blocks) -> npt.NDArray[np.float32]:
        """The histogram of Hounsfield units inside each lesion, (N, 20), which is a part of its blocks."""
        ...


def extractor_key(extractor: Extractor) -> str:
    """Identity of a feature space, 16 hex digits: name, weights and everything else that changes the numbers."""
    stated = json.dumps([extractor.name, extractor.weights_sha256, extractor.description], sort_keys=True)
    return sha256(stated.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class HuExtractor:
    """Histograms, sizes and shape: needs no weights."""

    name: str = "hu-histogram"
    weights_sha256: str = ""
    description: dict[str, Any] = field(
        default_factory=lambda: {
            "crop_mm": PATCH_MM,
            "crop_px": PATCH_PX,
            "edges_hu": list(EDGES_HU),
            "ring_mm": list(RING_MM),
        }
    )

    def blocks(self, patches: Sequence[LesionPatch]) -> Blocks:
        """(N, 43): in one block, so that the three sizes weigh no more than three bins."""
        return (np.concatenate([*hu_blocks(patches), size_block(patches)], axis=1),)

    def inside(self, blocks: Blocks) -> npt.NDArray[np.float32]:
        return blocks[0][:, :BINS]


@dataclass(frozen=True)
class Lite0Extractor:
    """Mean-pooled stages of EfficientNet-Lite0 beside the histograms of Hounsfield units.

    The body sees texture and surroundings, but in an image of grey values it cannot tell 40 HU from 70; the histograms
    can. No size: a lesion that grows stays what it is.
    """

    net: nn.Module
    name: str = "efficientnet-lite0 + hu-histogram"
    weights_sha256: str = LITE0_SHA256
    description: dict[str, Any] = field(
        default_factory=lambda: {
            "crop_mm": PATCH_MM,
            "crop_px": PATCH_PX,
            "windows_hu": [list(pair) for pair in WINDOWS_HU],
            "stages": [f"blocks.{stage}" for stage in LITE0_STAGES],
            "edges_hu": list(EDGES_HU),
            "ring_mm": list(RING_MM),
        }
    )

    def blocks(self, patches: Sequence[LesionPatch]) -> Blocks:
        """(N, 112) and (N, 320) of the body, (N, 20) inside and (N, 20) of the ring."""
        pooled: list[list[Tensor]] = [[] for _ in LITE0_STAGES]
        for start in range(0, len(patches), BATCH):
            for part, stage in zip(pooled, self._stages(patches[start : start + BATCH]), strict=True):
                part.append(stage)
        body = tuple(
            torch.cat(part).numpy() if part else np.zeros((0, width), np.float32)
            for part, width in zip(pooled, LITE0_WIDTHS, strict=True)
        )
        return body + hu_blocks(patches)

    def inside(self, blocks: Blocks) -> npt.NDArray[np.float32]:
        return blocks[len(LITE0_STAGES)]

    @torch.inference_mode()
    def _stages(self, patches: Sequence[LesionPatch]) -> list[Tensor]:
        images = torch.from_numpy(np.stack([grey_windows(patch.hu) for patch in patches]))  # (B, 3, 128, 128)
        maps = self.net((images - LITE0_MEAN) / LITE0_STD)  # (B, C, 8, 8), (B, C, 4, 4)
        return [stage.mean(dim=(2, 3)) for stage in maps]


def best_extractor() -> Extractor:
    """The pretrained body's where its weights are installed, else the one of Hounsfield units."""
    net = lite0(features_at=(3, 4))
    return HuExtractor() if net is None else Lite0Extractor(net)
