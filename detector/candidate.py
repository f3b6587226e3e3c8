"""One training from rows to a registered candidate: snapshot, train, judge, gate, keep. Shell.

The same order again goes on where it was stopped, with the lesions it began with, and ends with the same model. What
is kept for that in the order's folder is removed by who gave the order, once the outcome is safe.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

from db import registry
from db.engine import Sessions, reading, utc_now
from db.errors import ConfigError, TrainingError
from db.local_files import LocalFiles
from detector import snapshot
from detector.cache import CachedScan, remove_unused
from detector.dataset import (
    ACCEPTED,
    REJECTED,
    Classes,
    Truth,
    classes_of,
    label_generation,
    training_set_id,
    truths,
)
from detector.detect import device_of
from detector.evaluate import evaluate, figures
from detector.froc import ScanResult, operating_curve
from detector.gate import GateSettings, Verdict, decide, held_against
from detector.loop import TrainSettings, train
from detector.marked import known_scans, load_scans, marked_scans
from detector.merge import MergeSettings
from detector.model import LesionDetector, NetworkSettings, build
from detector.model_files import LoadedModel, card_bytes, card_of, load_model, names_of, weights_bytes
from detector.prepare import InputSettings
from detector.snapshot import Snapshot
from mining import child
from mining.body import lite0_weights
from mining.settings import DEFAULT_SETTINGS, HarvestSettings

log = logging.getLogger(__name__)

CPU_BUDGET_S = 600.0
GPU_BUDGET_S = 4 * 3600.0
CACHE = Path("cache") / "volumes"


@dataclass(frozen=True, slots=True)
class Order:
    """What a training needs to know. budget_s: None takes the default of the device."""

    budget_s: float | None
    seed: int
    device: str
    body: str
    run_dir: str
    gate_margin: float = 0.05
    gate_min_lesions: int = 20
    max_steps: int | None = None
    exclude: tuple[str, ...] = ()
    let_in: tuple[str, ...] = ()
    """As in section `[harvest]`: of which images nothing is learnt."""

    @property
    def fitness(self) -> HarvestSettings:
        return HarvestSettings(exclude=tuple(self.exclude), let_in=frozenset(self.let_in))


def make_candidate(sessions: Sessions, files: LocalFiles, order: Order, progress: child.Progress) -> dict[str, Any]:
    """Train on what is known now and register the model; the gate promotes it or says why not.

    Raises TrainingError if there is no marked lesion to learn from or the training diverges.
    """
    began_at, device = time.time(), device_of(order.device)
    begun = _begun(sessions, Path(order.run_dir), order.fitness)
    rows, set_id, classes = begun.rows, training_set_id(begun.rows), classes_of(begun.rows)
    inputs = InputSettings(pixel_mm=pixel_size_mm(rows))
    with reading(sessions) as session:
        scans = load_scans(session, rows, files, inputs, files.data_dir / CACHE, progress)
    network = _trained(rows, scans, classes, inputs, order, set_id, device, progress)
    judged = {
        split: evaluate(network, known_scans(_of(rows, split), scans), inputs, MergeSettings(), progress, device)
        for split in ("val", "test")
    }
    verdict = _compared(sessions, files, rows, judged["test"], order, device, progress)
    card = card_of(network, inputs, MergeSettings(), classes.names, operating_curve(judged["val"])) | {
        "classes_by_category_id": list(classes.ids),
        "training_set_id": set_id,
        "label_generation": begun.label_generation,
        "lesions": {split: sum(row.is_mark for row in _of(rows, split)) for split in ("train", "val", "test")},
        "answers": {
            origin: {split: sum(row.origin == origin for row in _of(rows, split)) for split in ("train", "val", "test")}
            for origin in (ACCEPTED, REJECTED)
        },
        "frozen_set": figures(judged["test"]),
        "validation": figures(judged["val"]),
        "seed": order.seed,
        "body_weights": "ImageNet (extra 'weights')" if network.settings.freeze_norm else "none: trained from chance",
        "notes": _notes(judged),
    }
    outcome = _keep(sessions, files, weights_bytes(network), card, begun, verdict)
    log.info("removed %d unused files of the cache", remove_unused(files.data_dir / CACHE, began_at))
    return outcome


def _begun(sessions: Sessions, run_dir: Path, fitness: HarvestSettings) -> Snapshot:
    """What an interrupted run of this folder began with, or what is known now."""
    run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    begun = snapshot.read(run_dir)
    if begun is not None:
        return begun
    with reading(sessions) as session:
        return snapshot.keep(run_dir, truths(session, fitness), label_generation(session))


def _compared(
    sessions: Sessions,
    files: LocalFiles,
    rows: Sequence[Truth],
    candidate: list[ScanResult],
    order: Order,
    device: str,
    progress: child.Progress,
) -> Verdict:
    """The gate's word on the candidate beside the model that is in use now, after the hours of training."""
    with reading(sessions) as session:
        incumbent = registry.promoted(session)
    before = None
    if incumbent is not None:
        old = load_model(incumbent.card, incumbent.weights_sha256, files, device)
        before = _judge(sessions, files, rows, old, "test", progress)
    settings = GateSettings(order.gate_margin, order.gate_min_lesions)
    return decide(candidate, before, settings, incumbent.model_id if incumbent else "")


def _trained(
    rows: Sequence[Truth],
    scans: dict[str, CachedScan],
    classes: Classes,
    inputs: InputSettings,
    order: Order,
    set_id: str,
    device: str,
    progress: child.Progress,
) -> LesionDetector:
    marked = marked_scans(_of(rows, "train"), scans, classes)
    pretrained = None if order.body == "resnet18" else lite0_weights()
    if order.body == "lite0" and pretrained is None:
        raise ConfigError("body = lite0 needs the extra 'weights'")
    torch.manual_seed(order.seed)
    settings = NetworkSettings(
        body="resnet18" if pretrained is None else "lite0",
        channels=inputs.channels,
        classes=len(classes.ids) + 1,
        freeze_norm=pretrained is not None,
    )
    network = build(settings, pretrained).to(torch.device(device))
    budget = order.budget_s or (GPU_BUDGET_S if device == "cuda" else CPU_BUDGET_S)
    try:
        train(
            network,
            [(scan, cached.spacing) for scan, cached in marked],
            inputs,
            TrainSettings(budget_s=budget, seed=order.seed, max_steps=order.max_steps),
            Path(order.run_dir),
            f"{set_id} {settings}",
            progress,
            device,
        )
    except TrainingError:  # with the same lesions, from the same checkpoint, it would end so again
        shutil.rmtree(order.run_dir, ignore_errors=True)
        raise
    return network


def _judge(
    sessions: Sessions,
    files: LocalFiles,
    rows: Sequence[Truth],
    model: LoadedModel,
    split: str,
    progress: child.Progress,
) -> list[ScanResult]:
    """A registered model on one split, with the input it was made for."""
    members = _of(rows, split)
    with reading(sessions) as session:
        scans = load_scans(session, members, files, model.inputs, files.data_dir / CACHE, progress)
    return evaluate(model.network, known_scans(members, scans), model.inputs, model.merging, progress, model.device)


def evaluate_model(
    sessions: Sessions,
    files: LocalFiles,
    model_id: str,
    device: str,
    progress: child.Progress,
    fitness: HarvestSettings = DEFAULT_SETTINGS,
) -> dict[str, Any]:
    """A registered model's figures on the frozen set as it is now. Raises RequestError for an unknown model."""
    with reading(sessions) as session:
        rows, row = truths(session, fitness), registry.get(session, model_id)
    model = load_model(row.card, row.weights_sha256, files, device_of(device))
    return figures(_judge(sessions, files, rows, model, "test", progress))


def _keep(
    sessions: Sessions, files: LocalFiles, content: bytes, card: dict[str, Any], begun: Snapshot, verdict: Verdict
) -> dict[str, Any]:
    """Files first; then the training set, the model and its promotion in one transaction."""
    digest = hashlib.sha256(content).hexdigest()
    weights_name, card_name = names_of(digest)
    files.write(weights_name, content)
    files.write(card_name, card_bytes(card))
    measured = card["frozen_set"]["sensitivity"]
    froc = {at: one["value"] for at, one in measured.items()} if measured else {}
    members = [registry.Member(row.lesion_id, row.split, row.category_id) for row in begun.rows if not row.doubtful]
    now = utc_now()
    with sessions.begin() as session:
        in_use = registry.promoted_for_update(session)
        verdict = held_against(verdict, in_use.model_id if in_use else "")
        registry.keep_training_set(session, card["training_set_id"], members, begun.label_generation, now)
        model = registry.register(
            session,
            weights_sha256=digest,
            weights_name=weights_name,
            training_set_id=card["training_set_id"],
            label_generation=begun.label_generation,
            card=card,
            froc=froc,
            gate=verdict.as_json(),
            git_commit=git_commit(),
            now=now,
        )
        if verdict.promote and model.trained_at == now:  # not one that an interrupted run had registered already
            registry.promote(session, model.model_id, registry.GATE, now)
        sentence, promoted = model.gate["sentence"], model.state == registry.PROMOTED
    log.info("model=%s %s", model.model_id, sentence)
    return {"model_id": model.model_id, "froc": froc, "gate": sentence, "promoted": promoted}


def pixel_size_mm(rows: Sequence[Truth]) -> float:
    """The network's pixel: that of the training images in steps of 0.1 mm, within 0.8 (the paper's) and 1.5.

    In steps, so that a few images more do not make every scan of the cache anew.
    """
    return pixel_for([row.spacing_mm for row in rows if row.split == "train" and row.spacing_mm > 0])


def pixel_for(spacings_mm: Sequence[float]) -> float:
    """The rule of `pixel_size_mm` for the row spacings of the images; 0.8 without any."""
    return round(min(max(median(spacings_mm), 0.8), 1.5), 1) if spacings_mm else 0.8


def _of(rows: Sequence[Truth], split: str) -> list[Truth]:
    return [row for row in rows if row.split == split]


def _notes(judged: dict[str, list[ScanResult]]) -> list[str]:
    empty = {"test": "The frozen set is empty: nothing is known of this model's sensitivity.",
             "val": "The validation set is empty: the operating point is a guess."}  # fmt: skip
    return [note for split, note in empty.items() if not judged[split]]


def git_commit() -> str:
    """The commit of the code that trains; empty where that is no checkout of its own, but installed in another's."""
    root = Path(__file__).resolve().parents[1]
    try:
        found = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "--show-toplevel", "HEAD"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError:  # no git on this machine
        return ""
    toplevel, _, commit = found.stdout.strip().partition("\n")
    return commit if toplevel and Path(toplevel).resolve() == root else ""
