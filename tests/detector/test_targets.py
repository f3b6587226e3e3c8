"""What teaches and what does not."""

import numpy as np
import torch

from detector.augment import AugmentSettings, Change, changed
from detector.batches import BatchSettings, draw_batch, shrunk, truth_on
from detector.marks import Found, Mark, TrainingScan
from detector.model import NetworkSettings, build
from detector.prepare import Frame, InputSettings, Scan
from detector.targets import IGNORED, leave_out_ignored, share_inside

BOXES = torch.tensor([[0.0, 0, 10, 20], [100, 100, 120, 130]])
LABELS = torch.tensor([1, IGNORED])
CANDIDATES = torch.tensor([[0.0, 0, 10, 20], [102, 102, 118, 128], [50, 50, 60, 70]])


def test_background_inside_an_ignored_region_teaches_nothing() -> None:
    assert leave_out_ignored(torch.tensor([1, 0, 0]), CANDIDATES, BOXES, LABELS).tolist() == [1, IGNORED, 0]


def test_no_regions_cover_nothing() -> None:
    assert share_inside(CANDIDATES, torch.zeros(0, 4)).tolist() == [0, 0, 0]


def test_both_stages_leave_ignored_regions_out() -> None:
    network = build(NetworkSettings(body="resnet18", channels=3, freeze_norm=False))
    target = {"boxes": BOXES, "labels": LABELS}
    anchor_labels, _ = network.rpn.assign_targets_to_anchors([CANDIDATES], [target])
    assert anchor_labels[0].tolist() == [1.0, -1.0, 0.0]
    matched, labels = network.roi_heads.assign_targets_to_proposals([CANDIDATES], [BOXES], [LABELS])
    assert labels[0].tolist() == [1, -1, 0] and matched[0][0].item() == 0


def marked_scan() -> TrainingScan:
    scan = Scan(np.full((9, 70, 90), 40, np.int16), np.arange(9) * 2.0, Frame(0, 0, 1, 1))
    return TrainingScan(scan, (Mark(4, (20, 30, 44, 58), 2, 6.0, 5.0),), found=(Found(7, (1, 2, 9, 12)),))


def test_truth_is_marked_near_the_key_slice_ignored_around_it_and_unknown_to_nobody_far_away() -> None:
    scan = marked_scan()
    assert truth_on(scan, 4, 0.6) == [((20, 30, 44, 58), 2)]
    (near,) = truth_on(scan, 5, 0.6)
    assert near[1] == 2 and near[0][0] > 20  # a smaller cut of the same lesion
    assert [label for _, label in truth_on(scan, 6, 0.6)] == [IGNORED]
    assert [label for _, label in truth_on(scan, 7, 0.6)] == [IGNORED, IGNORED]
    assert truth_on(scan, 0, 0.6) == [((20, 30, 44, 58), IGNORED)] or truth_on(scan, 0, 0.6) == []


def test_a_cut_at_the_pole_of_a_ball_has_only_its_margin() -> None:
    assert shrunk((20, 30, 44, 58), 5.0, 1.0) == (27, 39, 37, 49)
    assert shrunk((20, 30, 44, 58), 5.0, 0.0) == (20, 30, 44, 58)


def test_mirroring_moves_boxes_with_the_image() -> None:
    hu = torch.zeros(3, 10, 10)
    hu[:, 2, 1] = 100
    change = Change(1.0, mirror=True, upside_down=False, shift_hu=0.0, stretch=1.0)
    image, boxes = changed(hu, torch.tensor([[1.0, 2, 2, 3]]), change, 10)
    x1, y1, x2, y2 = (int(value) for value in boxes[0])
    assert image[0, y1:y2, x1:x2].item() == 100 and (x1, x2) == (8, 9)


def test_a_batch_has_one_size_and_true_boxes_before_ignored_ones() -> None:
    settings = BatchSettings(crops=4, marked=2, side_px=64)
    images, targets = draw_batch(
        [marked_scan()], [], settings, InputSettings(), AugmentSettings(), np.random.default_rng(3)
    )
    assert {tuple(image.shape) for image in images} == {(9, 64, 64)}
    for target in targets:
        ignored = (target["labels"] == IGNORED).tolist()
        assert ignored == sorted(ignored) and len(target["boxes"]) == len(target["labels"])
    assert all((target["labels"] == 2).any() for target in targets[:2])
