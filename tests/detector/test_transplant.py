"""Copies of marked lesions: what is cut out, and where a copy may stand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from detector.augment import AugmentSettings
from detector.batches import BatchSettings, draw_batch
from detector.marks import Mark, TrainingScan
from detector.prepare import Frame, InputSettings, Scan
from detector.transplant import Transplant, TransplantSettings, cut_out, set_in, set_in_some, turned

INPUTS = InputSettings(neighbour_mm=3.0)
SETTINGS = TransplantSettings(gain=0.0)
LIVER, LUNG, LESION = 110, -850, 60
MARK = Mark(2, (26.0, 13.0, 46.0, 27.0), 3, 12.0, 2.0)
"""An ellipse of 16 by 10 px around column 36, row 20, and 2 px around it."""


def scan_of(around_hu: int, right_half_hu: int | None = None) -> Scan:
    """(5, 48, 80): an oblong lesion on the middle slice of even tissue; the right half may be another."""
    voxels = np.full((5, 48, 80), around_hu, np.int16)
    if right_half_hu is not None:
        voxels[:, :, 40:] = right_half_hu
    row, col = np.ogrid[:48, :80]
    voxels[2, ((row + 0.5 - 20) / 5) ** 2 + ((col + 0.5 - 36) / 8) ** 2 < 1] = LESION
    return Scan(voxels, np.arange(5) * 3.0, Frame(0, 0, 1, 1))


def cut(scan: Scan) -> Transplant:
    one = cut_out(scan, MARK, INPUTS, SETTINGS)
    assert one is not None
    return one


def two_tissues(width_px: int = 60) -> np.ndarray:
    """(3, 40, width): liver on the left, lung on the right, as wide each."""
    hu = np.full((3, 40, width_px), LUNG, np.float32)
    hu[:, :, : width_px // 2] = LIVER
    return hu


def test_a_lesion_is_kept_as_what_it_is_above_its_surroundings() -> None:
    one = cut(scan_of(LIVER))
    x1, y1, x2, y2 = one.box
    assert (x2 - x1, y2 - y1) == (20, 14) and one.label == 3
    assert one.surroundings_hu == LIVER and one.spread_hu == 0
    middle = one.above_hu[:, int((y1 + y2) / 2), int((x1 + x2) / 2)]
    assert middle.tolist() == [0, LESION - LIVER, 0]


def test_a_lesion_at_a_border_of_two_tissues_is_left_where_it_is() -> None:
    assert cut_out(scan_of(LIVER, right_half_hu=LUNG), MARK, INPUTS, SETTINGS) is None


def test_a_lesion_at_the_edge_of_the_image_is_left_where_it_is() -> None:
    corner = Mark(2, (-6.0, -4.0, 14.0, 10.0), 3, 12.0, 2.0)
    assert cut_out(scan_of(LIVER), corner, INPUTS, SETTINGS) is None


@pytest.mark.parametrize("seed", range(8))
def test_a_copy_stands_in_tissue_like_its_own_and_in_its_box(seed: int) -> None:
    hu = two_tissues(width_px=120)
    box = set_in(hu, cut(scan_of(LIVER)), [], SETTINGS, np.random.default_rng(seed))
    assert box is not None
    x1, y1, x2, y2 = (round(value) for value in box)
    assert x2 - 2 <= 60
    inner = np.argwhere(np.abs(hu[1, :, :60] - LESION) < 1)
    assert (inner.min(axis=0) == (y1 + 2, x1 + 2)).all() and (inner.max(axis=0) == (y2 - 3, x2 - 3)).all()
    assert (hu[[0, 2], :, :60] == LIVER).all()


def test_where_no_place_is_like_its_own_nothing_is_changed() -> None:
    hu = np.full((3, 40, 60), LUNG, np.float32)
    assert set_in(hu, cut(scan_of(LIVER)), [], SETTINGS, np.random.default_rng(1)) is None
    assert (hu == LUNG).all()


def test_a_copy_touches_no_box_that_is_taken() -> None:
    hu = np.full((3, 40, 120), LIVER, np.float32)
    taken = [(0.0, 0.0, 70.0, 40.0)]
    boxes = [set_in(hu.copy(), cut(scan_of(LIVER)), taken, SETTINGS, np.random.default_rng(seed)) for seed in range(8)]
    assert all(box is not None and box[0] >= 70 for box in boxes)
    everywhere = [(0.0, 0.0, 120.0, 40.0)]
    assert set_in(hu, cut(scan_of(LIVER)), everywhere, SETTINGS, np.random.default_rng(1)) is None


def test_an_image_too_small_for_a_copy_gets_none() -> None:
    hu = np.full((3, 12, 30), LIVER, np.float32)
    assert set_in(hu, cut(scan_of(LIVER)), [], SETTINGS, np.random.default_rng(1)) is None


def test_a_mirrored_copy_keeps_lesion_and_box_together() -> None:
    one = cut(scan_of(LIVER))
    for seed in range(8):
        other = turned(one, np.random.default_rng(seed))
        x1, y1, x2, y2 = (round(value) for value in other.box)
        inner = np.argwhere(other.above_hu[1] == LESION - LIVER)
        assert (inner.min(axis=0) == (y1 + 2, x1 + 2)).all() and (inner.max(axis=0) == (y2 - 3, x2 - 3)).all()


def test_copies_of_one_crop_do_not_touch_each_other() -> None:
    hu = np.full((3, 60, 160), LIVER, np.float32)
    always = TransplantSettings(tries=6, share=1.0)
    done = set_in_some(hu, [cut(scan_of(LIVER))], [], always, np.random.default_rng(4))
    assert len(done) > 1 and {label for _, label in done} == {3}
    for number, (a, _) in enumerate(done):
        for b, _ in done[:number]:
            assert min(a[2], b[2]) <= max(a[0], b[0]) or min(a[3], b[3]) <= max(a[1], b[1])


def test_a_crop_of_background_shows_copies_with_their_boxes() -> None:
    bare = Scan(np.full((5, 96, 96), LIVER, np.int16), np.arange(5) * 3.0, Frame(0, 0, 1, 1))
    scans = [TrainingScan(scan_of(LUNG), (replace(MARK, radius_mm=2.0),)), TrainingScan(bare, ())]
    settings = BatchSettings(crops=6, marked=1, side_px=96, transplants=TransplantSettings(tries=1, share=1.0))
    unchanged = AugmentSettings(scale=1.0, flip=False, shift_hu=0.0, stretch=0.0)
    rng = np.random.default_rng(5)
    images, targets = draw_batch(scans, [cut(scan_of(LIVER))], settings, INPUTS, unchanged, rng)
    shown = [
        image[1, int((box[1] + box[3]) / 2), int((box[0] + box[2]) / 2)]
        for image, target in zip(images[1:], targets[1:], strict=True)
        for box in target["boxes"][target["labels"] > 0].tolist()
    ]
    assert shown
    low, high = INPUTS.windows_hu[0]
    assert torch.stack(shown).sub((LESION - low) / (high - low)).abs().max() < 0.05
