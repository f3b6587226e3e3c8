"""What a training learns from, as it stood when it began: a file in its folder. Shell.

A training of hours that is stopped goes on with what it began with, whatever was harvested meanwhile.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from db.geometry import BoxPx
from db.local_files import LocalFiles
from db.measurement import ImageReference
from detector.dataset import Truth

log = logging.getLogger(__name__)

NAME = "snapshot.json"
FORMAT = 3
"""Counts up when a snapshot holds something else."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The lesions, and the run of categorise that gave them their categories."""

    rows: tuple[Truth, ...]
    label_generation: int | None


def keep(run_dir: Path, rows: Sequence[Truth], label_generation: int | None) -> Snapshot:
    """Write the snapshot and return it. Its patients have numbers instead of names: it joins what is of one patient."""
    numbers = {patient: str(number) for number, patient in enumerate(dict.fromkeys(row.patient for row in rows))}
    kept = tuple(replace(row, patient=numbers[row.patient]) for row in rows)
    content = {"format": FORMAT, "label_generation": label_generation, "rows": [asdict(row) for row in kept]}
    LocalFiles(run_dir).write(NAME, json.dumps(content).encode())
    return Snapshot(kept, label_generation)


def read(run_dir: Path) -> Snapshot | None:
    """The snapshot of a training that was begun in this folder; None if there is none, or one of another version."""
    path = run_dir / NAME
    if not path.exists():
        return None
    content = json.loads(path.read_bytes())
    if content["format"] != FORMAT:
        log.warning("the snapshot of %s is of another version: the training begins anew", run_dir.name)
        return None
    rows = tuple(_truth(row) for row in content["rows"])
    log.info("going on with the training set of an interrupted run: %d lesions", len(rows))
    return Snapshot(rows, content["label_generation"])


def _truth(row: dict[str, Any]) -> Truth:
    redrawn = tuple(BoxPx(**box) for box in row["redrawn"])
    return Truth(**row | {"image": ImageReference(**row["image"]), "box": BoxPx(**row["box"]), "redrawn": redrawn})
