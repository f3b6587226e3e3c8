"""Which anchor and which proposal learns what: torchvision's two stages with regions that teach nothing.

A truth is a box with a label: 1 and more are classes, IGNORED is a region of which nobody knows whether it is a lesion.
Ignored boxes stand behind the true ones of an image. Anchors and proposals of which more than half lies in an ignored
box get the label -1, which torchvision's sampler leaves out, unless they match a true box.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import boxes as box_ops

IGNORED = -1
BACKGROUND = 0
INSIDE = 0.5
"""The part of a candidate's own area that must lie in an ignored region (paper, section 4.2 item 9)."""


def share_inside(candidates: Tensor, regions: Tensor) -> Tensor:
    """The largest part of each candidate's area that lies in one region: (N, 4) and (M, 4) → (N,), 0 to 1."""
    if len(regions) == 0:
        return candidates.new_zeros(len(candidates))
    lower = torch.maximum(candidates[:, None, :2], regions[None, :, :2])
    upper = torch.minimum(candidates[:, None, 2:], regions[None, :, 2:])
    common = (upper - lower).clamp(min=0).prod(dim=2)  # (N, M)
    return (common / box_ops.box_area(candidates).clamp(min=1e-6)[:, None]).amax(dim=1)


def leave_out_ignored(labels: Tensor, candidates: Tensor, boxes: Tensor, box_labels: Tensor) -> Tensor:
    """Labels (N,) with -1 where a background candidate lies in an ignored box."""
    inside = share_inside(candidates, boxes[box_labels == IGNORED]) > INSIDE
    return torch.where((labels == BACKGROUND) & inside, torch.full_like(labels, IGNORED), labels)


class ProposalNetwork(RegionProposalNetwork):
    """The first stage; knows ignored boxes."""

    def assign_targets_to_anchors(
        self, anchors: list[Tensor], targets: list[dict[str, Tensor]]
    ) -> tuple[list[Tensor], list[Tensor]]:
        true = [{"boxes": target["boxes"][target["labels"] > BACKGROUND]} for target in targets]
        labels, matched = super().assign_targets_to_anchors(anchors, true)
        labels = [
            leave_out_ignored(image_labels, image_anchors, target["boxes"], target["labels"])
            for image_labels, image_anchors, target in zip(labels, anchors, targets, strict=True)
        ]
        return labels, matched


class LesionHeads(RoIHeads):
    """The second stage; knows ignored boxes, and scores a lesion by all that speaks against background."""

    def assign_targets_to_proposals(
        self, proposals: list[Tensor], gt_boxes: list[Tensor], gt_labels: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        true = [labels > BACKGROUND for labels in gt_labels]
        matched, labels = super().assign_targets_to_proposals(
            proposals,
            [boxes[keep] for boxes, keep in zip(gt_boxes, true, strict=True)],
            [labels[keep] for labels, keep in zip(gt_labels, true, strict=True)],
        )
        # The true boxes come first in each image, so `matched` counts the same in the whole list.
        labels = [
            leave_out_ignored(image_labels, *rest)
            for image_labels, *rest in zip(labels, proposals, gt_boxes, gt_labels, strict=True)
        ]
        return matched, labels

    def postprocess_detections(
        self, class_logits: Tensor, box_regression: Tensor, proposals: list[Tensor], image_shapes: list[tuple[int, int]]
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """One box for each proposal, of its likeliest class, with the score 1 - P(background); then NMS over all."""
        counts = [len(boxes) for boxes in proposals]
        decoded = self.box_coder.decode(box_regression, proposals)  # (N, classes, 4)
        shares = class_logits.softmax(dim=-1)  # (N, classes)
        best = shares[:, 1:].argmax(dim=1) + 1
        decoded = decoded[torch.arange(len(best), device=best.device), best]
        all_boxes, all_scores, all_labels = [], [], []
        parts = zip(*(torch.split(each, counts) for each in (decoded, 1 - shares[:, 0], best)), strict=True)
        for (boxes, scores, labels), shape in zip(parts, image_shapes, strict=True):
            boxes = box_ops.clip_boxes_to_image(boxes, shape)
            keep = torch.where(scores > self.score_thresh)[0]
            keep = keep[box_ops.remove_small_boxes(boxes[keep], min_size=1.0)]
            keep = keep[box_ops.nms(boxes[keep], scores[keep], self.nms_thresh)][: self.detections_per_img]
            all_boxes.append(boxes[keep])
            all_scores.append(scores[keep])
            all_labels.append(labels[keep])
        return all_boxes, all_scores, all_labels
