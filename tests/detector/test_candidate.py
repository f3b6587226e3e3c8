"""The children end to end on a small node: rows and files in, a registered model and an analysis out."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from db import analyses, registry
from db.engine import Sessions
from db.errors import TrainingError
from db.geometry import PixelSpacing
from db.local_files import LocalFiles
from detector import candidate, checkpoint
from detector.augment import AugmentSettings
from detector.batches import BatchSettings, Mark, TrainingScan
from detector.loop import TrainSettings, train
from detector.model import NetworkSettings, build
from detector.prepare import Frame, InputSettings, Scan

NOW = datetime(2026, 3, 1, tzinfo=UTC)
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
        budget_s=1e9, max_steps=steps, seed=3, save_every_s=0.0,
        batch=BatchSettings(crops=2, marked=1, side_px=64), augment=AugmentSettings(),
    )  # fmt: skip


class Killed(Exception):
    """The process ended here."""


@pytest.mark.slow
def test_a_training_that_was_killed_ends_as_one_that_was_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scans = [(scan_with_a_ball(1), SPACING), (scan_with_a_ball(2), SPACING)]
    whole, broken, resumed = small_network(), small_network(), small_network()
    (tmp_path / "whole").mkdir()
    (tmp_path / "broken").mkdir()
    train(whole, scans, INPUTS, settings(6), tmp_path / "whole", "data", silent)
    save = checkpoint.save

    def save_and_die(path: Path, fingerprint: str, state: checkpoint.State, *rest: object) -> None:
        save(path, fingerprint, state, *rest)
        if state.step == 3:
            raise Killed

    monkeypatch.setattr(checkpoint, "save", save_and_die)
    with pytest.raises(Killed):
        train(broken, scans, INPUTS, settings(6), tmp_path / "broken", "data", silent)
    monkeypatch.undo()
    state = train(resumed, scans, INPUTS, settings(6), tmp_path / "broken", "data", silent)
    assert state.step == 6
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_training_needs_a_mark(tmp_path: Path) -> None:
    unmarked = TrainingScan(scan_with_a_ball(1).scan, ())
    with pytest.raises(TrainingError, match="no marked lesion"):
        train(small_network(), [(unmarked, SPACING)], INPUTS, settings(1), tmp_path, "data", silent)


def test_training_stops_when_the_loss_is_no_number(tmp_path: Path) -> None:
    network = small_network()
    with torch.no_grad():
        network.roi_heads.box_predictor.classes.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match="no longer a number"):
        train(network, [(scan_with_a_ball(1), SPACING)], INPUTS, settings(1), tmp_path, "data", silent)


def test_an_empty_database_gives_no_model(sessions: Sessions, tmp_path: Path) -> None:
    order = candidate.Order(5.0, 1, "cpu", "resnet18", str(tmp_path / "run"))
    with pytest.raises(TrainingError, match="no marked lesion"):
        candidate.make_candidate(sessions, LocalFiles(tmp_path), order, silent)
    with sessions() as session:
        assert registry.models(session) == [] and analyses.newest(session, "1.2", 1) is None
