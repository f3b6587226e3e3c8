"""Several looks at one slice → one set of boxes. Pure.

A network that was trained for minutes is unsure of much; what it also finds in the mirror image is more often real.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import box_iou

SAME_IOU = 0.5
"""Least IoU of two views' boxes of one lesion."""


def mirrored_boxes(boxes: Tensor, width_px: int) -> Tensor:
    """Boxes (N, 4) of a mirrored image, in the image as it was; the same again takes them back."""
    return torch.stack((width_px - boxes[:, 2], boxes[:, 1], width_px - boxes[:, 0], boxes[:, 3]), dim=1)


def fused(views: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Boxes (N, 4), scores (N,) and labels (N,) of all views together, best first.

    views: each with such boxes, scores and labels in ONE frame, at least one view. A box stands for at most one box of
    each view: it is their mean, weighted by score; its score is the mean over all views, also those that saw nothing;
    its label is that of the surest.
    """
    boxes, scores, labels = (torch.cat([view[name] for view in views]) for name in ("boxes", "scores", "labels"))
    view_of = torch.cat([torch.full_like(view["labels"], number) for number, view in enumerate(views)])
    order = scores.argsort(descending=True, stable=True)
    boxes, scores, labels, view_of = boxes[order], scores[order], labels[order], view_of[order]
    same = (box_iou(boxes, boxes) >= SAME_IOU).tolist()
    from_view = view_of.tolist()
    free = [True] * len(from_view)
    groups: list[list[int]] = []
    for first in range(len(free)):
        if free[first]:
            members = {from_view[first]: first}
            for other in range(first + 1, len(free)):
                if free[other] and same[first][other] and from_view[other] not in members:
                    members[from_view[other]] = other
            for member in members.values():
                free[member] = False
            groups.append(list(members.values()))
    weights = boxes.new_zeros((len(groups), len(free)))
    for row, group in enumerate(groups):
        weights[row, group] = scores[group]
    means = weights @ boxes / weights.sum(dim=1, keepdim=True).clamp(min=1e-9)
    mean_scores = weights.sum(dim=1) / len(views)
    firsts = torch.tensor([group[0] for group in groups], dtype=torch.int64, device=labels.device)
    best = mean_scores.argsort(descending=True, stable=True)
    return {"boxes": means[best], "scores": mean_scores[best], "labels": labels[firsts][best]}
