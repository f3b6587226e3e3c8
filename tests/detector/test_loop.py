"""THE loop: it learns, it stops by an error, it goes on where it was killed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from db.errors import TrainingError
from db.geometry import PixelSpacing
from detector import checkpoint
from detector.augment import AugmentSettings
from detector.batches import BatchSettings
from detector.look import lesions_of
from detector.loop import TrainSettings, look_again, train
from detector.marks import Mark, TrainingScan
from detector.merge import MergeSettings
from detector.model import NetworkSettings, build
from detector.prepare import Frame, InputSettings, Scan
from detector.second_look import SecondLookSettings
from detector.targets import IGNORED

INPUTS = InputSettings(windows_hu=((-175.0, 275.0),))
SPACING = PixelSpacing(1.0, 1.3)


def silent(step: str, done: int, total: int, **figures: object) -> None:
    """Progress that nobody watches."""


def scan_with_a_ball(seed: int) -> TrainingScan:
    rng = np.random.default_rng(seed)
    voxels = rng.normal(40, 8, (7, 64, 80)).astype(np.int16)
    z, row, col = np.ogrid[:7, :64, :80]
    voxels[((z - 3) * 3) ** 2 + (row - 30) ** 2 + (col - 44) ** 2 < 49] += 150
    scan = Scan(voxels, np.arange(7) * 3.0, Frame(0, 0, 1, 1))
    return TrainingScan(scan, (Mark(3, (32.0, 18.0, 57.0, 43.0), 1, 7.0, 5.0),))


def small_network() -> torch.nn.Module:
    torch.manual_seed(5)
    return build(NetworkSettings(body="resnet18", channels=3, pyramid=16, head=16, freeze_norm=False))


def settings(steps: int) -> TrainSettings:
    return TrainSettings(
        budget_s=1e9, max_steps=steps, seed=3, save_every_s=0.0, look_again_at=(0.5,),
        batch=BatchSettings(crops=2, marked=1, side_px=64), augment=AugmentSettings(),
    )  # fmt: skip


class Killed(Exception):
    """The process ended here."""


@pytest.mark.slow
@pytest.mark.parametrize("killed_at", [2, 4])  # before and after the second look at 0.5
def test_a_training_that_was_killed_ends_as_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    scans = [(scan_with_a_ball(1), SPACING), (scan_with_a_ball(2), SPACING)]
    whole, broken, resumed = small_network(), small_network(), small_network()
    (tmp_path / "whole").mkdir()
    (tmp_path / "broken").mkdir()
    train(whole, scans, INPUTS, settings(6), tmp_path / "whole", "data", silent)
    save = checkpoint.save

    def save_and_die(path: Path, fingerprint: str, state: checkpoint.State, *rest: object) -> None:
        save(path, fingerprint, state, *rest)
        if state.step == killed_at:
            raise Killed

    monkeypatch.setattr(checkpoint, "save", save_and_die)
    with pytest.raises(Killed):
        train(broken, scans, INPUTS, settings(6), tmp_path / "broken", "data", silent)
    monkeypatch.undo()
    state = train(resumed, scans, INPUTS, settings(6), tmp_path / "broken", "data", silent)
    assert state.step == 6 and state.rounds == 1
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_checkpoint_of_other_data_is_not_gone_on_with_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    network, rng = torch.nn.Linear(2, 3), np.random.default_rng(1)
    optimizer = torch.optim.AdamW(network.parameters())
    path = tmp_path / "train-7" / "checkpoint.pt"
    path.parent.mkdir()
    checkpoint.save(path, "data", checkpoint.State(step=5), network, optimizer, rng)
    assert checkpoint.restore(path, "other data", network, optimizer, rng) is None
    assert caplog.messages == ["the checkpoint of train-7 is of other data or settings: the training begins anew"]
    checkpoint.save(path, "data", checkpoint.State(step=6), network, optimizer, rng)
    after = rng.random(), torch.rand(1)
    restored = checkpoint.restore(path, "data", network, optimizer, rng)
    assert restored is not None and restored.step == 6
    assert (rng.random(), torch.rand(1)) == after


def test_a_look_at_too_many_scans_ends_with_its_share_of_the_time(tmp_path: Path) -> None:
    scans = [(scan_with_a_ball(seed), SPACING) for seed in (1, 2, 3)]
    hasty = replace(settings(1), budget_s=60.0, second_look=SecondLookSettings(share=0.0, suspicious=0.0))
    state, said = checkpoint.State(), []
    look_again(small_network(), scans, [2, 0, 1], INPUTS, hasty, state, lambda *one, **_: said.append(one), "cpu")
    assert said == [("look again", 1, 3)] and state.rounds == 1
    assert state.suspicious[0] == state.suspicious[1] == [] and state.suspicious[2]


def test_training_needs_a_mark_that_is_not_doubtful(tmp_path: Path) -> None:
    scan = scan_with_a_ball(1)
    for marks in ((), (replace(scan.marks[0], label=IGNORED),)):
        with pytest.raises(TrainingError, match="no marked lesion"):
            train(
                small_network(), [(replace(scan, marks=marks), SPACING)], INPUTS, settings(1), tmp_path, "data", silent
            )


def test_training_stops_when_the_loss_is_no_number(tmp_path: Path) -> None:
    network = small_network()
    with torch.no_grad():
        network.roi_heads.box_predictor.classes.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match="no longer a number"):
        train(network, [(scan_with_a_ball(1), SPACING)], INPUTS, settings(1), tmp_path, "data", silent)


@pytest.mark.slow
def test_two_images_are_learnt_by_heart(tmp_path: Path) -> None:
    scans = [(scan_with_a_ball(1), SPACING), (scan_with_a_ball(2), SPACING)]
    network = small_network()
    train(network, scans, INPUTS, replace(settings(200), save_every_s=1e9), tmp_path, "data", silent)
    for scan, _ in scans:
        (mark,) = scan.marks
        found = lesions_of(network, scan.scan, SPACING, INPUTS, MergeSettings())
        assert found[0].score > 0.7 and found[0].z_first <= mark.z <= found[0].z_last
        box = found[0].box_on(mark.z)
        assert box is not None and box.iou(scan.scan.frame.to_native(mark.box)) > 0.5
