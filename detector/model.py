"""The network: a small body with a feature pyramid from stride 4, and torchvision's two stages on it.

One class a category (0 is background). Boxes count from the outer edge of the first pixel.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torchvision.models import resnet18
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import TwoMLPHead
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign

from detector.targets import LesionHeads, ProposalNetwork
from mining.body import LITE0_ARCHITECTURE

LEVELS = ("0", "1", "2")


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """The shape of the network; with the weights it stands in the model's card."""

    body: str = "lite0"
    """`lite0` (EfficientNet-Lite0, strides 4, 8, 16) or `resnet18`."""
    channels: int = 9
    classes: int = 2
    """Background and one for each category."""
    pyramid: int = 64
    head: int = 256
    anchors_px: tuple[tuple[int, ...], ...] = ((12, 20), (32, 48), (72, 112))
    """Every level has the same number of sizes, for torchvision's first stage has one head for all levels."""
    proposals: int = 100
    """Kept on each slice for the second stage."""
    boxes: int = 20
    """Kept on each slice at the end."""
    freeze_norm: bool = True
    """Whether the body's batch statistics stay as pretrained: batches are too small to learn them anew."""
    frozen_blocks: int = 2
    """The stem and so many blocks of a pretrained Lite0 stay as they are: edges are the same in every image, and on the
    largest feature maps learning costs most. With a pyramid of 64 instead of 96 a step takes 0.73 of its time."""


class AsTheyAre(nn.Module):
    """In the place of torchvision's resizing and normalising: images come prepared, all of one size."""

    def forward(
        self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None
    ) -> tuple[ImageList, list[dict[str, Tensor]] | None]:
        batch = torch.stack(images).to(memory_format=torch.channels_last)  # (B, C, H, W)
        return ImageList((batch - 0.5) / 0.5, [(image.shape[-2], image.shape[-1]) for image in images]), targets

    def postprocess(
        self, result: list[dict[str, Tensor]], _sizes: list[tuple[int, int]], _original: list[tuple[int, int]]
    ) -> list[dict[str, Tensor]]:
        return result


class Lite0Trunk(nn.Module):
    """EfficientNet-Lite0 to stride 16."""

    widths = (24, 40, 112)

    def __init__(self, channels: int, pretrained: dict[str, Tensor] | None, frozen_blocks: int) -> None:
        super().__init__()
        import timm  # an extra: without it there is only ResNet-18

        self.net = timm.create_model(LITE0_ARCHITECTURE, pretrained=False, features_only=True, out_indices=(1, 2, 3))
        if pretrained is not None:
            self.net.load_state_dict(pretrained, strict=False)
        self.net.conv_stem = widened(cast(nn.Conv2d, self.net.conv_stem), channels)
        if pretrained is not None:
            blocks = cast(nn.Sequential, self.net.blocks)
            for part in (self.net.conv_stem, self.net.bn1, *blocks[:frozen_blocks]):
                cast(nn.Module, part).requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        return self.net(x)


class ResNet18Trunk(nn.Module):
    """ResNet-18 to stride 16; starts from chance."""

    widths = (64, 128, 256)

    def __init__(self, channels: int) -> None:
        super().__init__()
        net = resnet18(weights=None)
        self.stem = nn.Sequential(widened(net.conv1, channels), net.bn1, net.relu, net.maxpool)
        self.stages = nn.ModuleList([net.layer1, net.layer2, net.layer3])

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


def widened(conv: nn.Conv2d, channels: int) -> nn.Conv2d:
    """A first convolution for `channels` inputs: the three it knows are repeated, and divided by the repeats."""
    repeats = channels // conv.in_channels
    with torch.no_grad():
        conv.weight = nn.Parameter(conv.weight.repeat(1, repeats, 1, 1) / repeats)
    conv.in_channels = channels
    return conv


class Body(nn.Module):
    """Trunk and pyramid."""

    def __init__(self, trunk: nn.Module, widths: tuple[int, ...], out_channels: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.pyramid = FeaturePyramidNetwork(list(widths), out_channels)
        self.out_channels = out_channels

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        return self.pyramid(OrderedDict(zip(LEVELS, self.trunk(x), strict=True)))


class OneBoxPredictor(nn.Module):
    """Classes, and one box that all of them share: few lesions cannot teach a box a class."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.classes = nn.Linear(width, classes)
        self.box = nn.Linear(width, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.classes(x), self.box(x).repeat(1, self.classes.out_features)


class LesionDetector(GeneralizedRCNN):
    """Images (C, H, W) in 0 to 1 of one size → boxes, scores and labels; in training with targets → losses."""

    def __init__(self, body: Body, settings: NetworkSettings) -> None:
        anchors = AnchorGenerator(settings.anchors_px, ((0.6, 1.0, 1.67),) * len(LEVELS))
        first = ProposalNetwork(
            anchors,
            RPNHead(body.out_channels, anchors.num_anchors_per_location()[0]),
            fg_iou_thresh=0.6,
            bg_iou_thresh=0.3,
            batch_size_per_image=64,
            positive_fraction=0.5,
            pre_nms_top_n={"training": 400, "testing": 400},
            post_nms_top_n={"training": settings.proposals, "testing": settings.proposals},
            nms_thresh=0.7,
        )
        second = LesionHeads(
            MultiScaleRoIAlign(list(LEVELS), output_size=7, sampling_ratio=2),
            TwoMLPHead(body.out_channels * 7 * 7, settings.head),
            OneBoxPredictor(settings.head, settings.classes),
            fg_iou_thresh=0.5,
            bg_iou_thresh=0.5,
            batch_size_per_image=32,
            positive_fraction=0.25,
            bbox_reg_weights=None,
            score_thresh=0.02,
            nms_thresh=0.4,
            detections_per_img=settings.boxes,
        )
        super().__init__(body, first, second, AsTheyAre())
        self.settings = settings

    def train(self, mode: bool = True) -> LesionDetector:
        super().train(mode)
        if self.settings.freeze_norm:
            for module in self.backbone.trunk.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self


def build(settings: NetworkSettings, pretrained: dict[str, Tensor] | None = None) -> LesionDetector:
    """The network with the body's pretrained weights, or with chance."""
    trunk: Lite0Trunk | ResNet18Trunk = (
        Lite0Trunk(settings.channels, pretrained, settings.frozen_blocks)
        if settings.body == "lite0"
        else ResNet18Trunk(settings.channels)
    )
    body = Body(trunk, trunk.widths, settings.pyramid)
    return LesionDetector(body, settings).to(memory_format=torch.channels_last)
