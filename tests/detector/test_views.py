"""Two looks at one slice become one answer."""

import pytest
import torch
from small_node import small_network

from detector.look import boxes_on_slices
from detector.prepare import Frame, InputSettings, Scan
from detector.views import fused, mirrored_boxes

View = dict[str, torch.Tensor]


def view(*found: tuple[tuple[float, float, float, float], float, int]) -> View:
    return {
        "boxes": torch.tensor([box for box, _, _ in found]).reshape(-1, 4),
        "scores": torch.tensor([score for _, score, _ in found]),
        "labels": torch.tensor([label for _, _, label in found], dtype=torch.int64),
    }


BOX, NEAR, FAR = (10.0, 20.0, 30.0, 60.0), (12.0, 20.0, 32.0, 60.0), (70.0, 5.0, 90.0, 25.0)


def test_what_both_views_see_is_one_box_between_them() -> None:
    result = fused([view((BOX, 0.9, 2)), view((NEAR, 0.3, 1))])
    assert result["scores"].tolist() == pytest.approx([0.6]) and result["labels"].tolist() == [2]
    assert result["boxes"].tolist() == [pytest.approx([10.5, 20, 30.5, 60])]


def test_what_one_view_sees_alone_counts_half_and_the_order_follows() -> None:
    result = fused([view((FAR, 0.8, 1), (BOX, 0.7, 1)), view((NEAR, 0.7, 1))])
    assert result["scores"].tolist() == pytest.approx([0.7, 0.4])
    assert result["boxes"][1].tolist() == list(FAR)


def test_two_boxes_of_one_view_stay_two() -> None:
    result = fused([view((BOX, 0.9, 1), (NEAR, 0.8, 1)), view()])
    assert result["scores"].tolist() == pytest.approx([0.45, 0.4])


def test_nothing_seen_keeps_its_shape() -> None:
    result = fused([view(), view()])
    assert result["boxes"].shape == (0, 4) and result["scores"].shape == (0,) and result["labels"].shape == (0,)


def test_mirroring_twice_gives_the_boxes_back() -> None:
    boxes = view((BOX, 0.9, 1), (FAR, 0.8, 1))["boxes"]
    assert mirrored_boxes(boxes, 96)[0].tolist() == [66, 20, 86, 60]
    assert torch.equal(mirrored_boxes(mirrored_boxes(boxes, 96), 96), boxes)


def test_a_mirrored_scan_gives_the_mirrored_boxes() -> None:
    voxels = torch.randint(-200, 300, (3, 40, 64), generator=torch.Generator().manual_seed(3)).numpy().astype("int16")
    positions = torch.arange(3, dtype=torch.float64).numpy() * 3.0
    inputs = InputSettings(windows_hu=((-175.0, 275.0),))
    network = small_network()
    here, there = (
        boxes_on_slices(network, Scan(hu, positions, Frame(0, 0, 1.0, 1.0)), inputs)
        for hu in (voxels, voxels[:, :, ::-1].copy())
    )
    assert here and len(here) == len(there)
    for box, other in zip(here, there, strict=True):
        assert other.score == pytest.approx(box.score, abs=1e-5)
        assert (63 - other.box.x2, other.box.y1) == pytest.approx((box.box.x1, box.box.y1), abs=1e-3)
