"""What a training began with comes back as it was, but for the patients' names."""

from dataclasses import replace
from pathlib import Path

import pytest

from db.geometry import BoxPx
from db.measurement import ImageReference
from detector import snapshot
from detector.dataset import Truth

ROW = Truth(
    "a", "Doe^Jane", "1.1", "1.2", ImageReference("1.3", 4), BoxPx(1.5, 2, 30, 44.25), 21.5, 0.75, 9, "liver", "train",
    "1.9", doubtful=True, redrawn=(BoxPx(1, 2, 29, 44), BoxPx(2, 3, 31, 45)),
)  # fmt: skip


def test_a_snapshot_holds_all_but_the_patients_name(tmp_path: Path) -> None:
    rows = [ROW, replace(ROW, lesion_id="b", patient="Roe^Jan", redrawn=()), replace(ROW, lesion_id="c")]
    kept = snapshot.keep(tmp_path, rows, 7)
    assert snapshot.read(tmp_path) == kept
    assert [row.patient for row in kept.rows] == ["0", "1", "0"] and kept.label_generation == 7
    assert [replace(row, patient="") for row in kept.rows] == [replace(row, patient="") for row in rows]
    assert b"Doe" not in (tmp_path / snapshot.NAME).read_bytes()


def test_a_snapshot_of_another_version_is_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert snapshot.read(tmp_path) is None
    snapshot.keep(tmp_path, [ROW], None)
    monkeypatch.setattr(snapshot, "FORMAT", snapshot.FORMAT + 1)
    assert snapshot.read(tmp_path) is None
