"""THE loop: scans with marks → a trained detector. A clock, a checkpoint file, no database."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from db.errors import TrainingError
from db.geometry import PixelSpacing
from detector import checkpoint
from detector.augment import AugmentSettings
from detector.batches import BatchSettings, draw_batch
from detector.look import boxes_on_slices
from detector.marks import Found, Mark, TrainingScan
from detector.merge import MergeSettings, Track, merge
from detector.model import LesionDetector
from detector.prepare import Frame, InputSettings
from detector.second_look import SecondLookSettings, sort_findings, without_rejected
from detector.transplant import cut_out
from mining.child import Progress

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How long and how a detector is trained."""

    budget_s: float = 240.0
    """Time for the loop, second looks included; kept over interruptions."""
    max_steps: int | None = None
    """The end in steps, where the clock must not decide."""
    seed: int = 0
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    warm_up: float = 0.05
    """The part of the budget in which the learning rate rises; then it falls as a cosine."""
    look_again_at: tuple[float, ...] = ()
    """The parts of the budget after which the training scans are looked at for what nobody marked; none by default.
    A network of minutes is sure of too much that is no lesion (benchmarks/results/detector.md): on phantoms a look
    gained 0.04 on one seed and lost 0.11 on another. It is for trainings of hours."""
    save_every_s: float = 30.0
    batch: BatchSettings = field(default_factory=BatchSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    second_look: SecondLookSettings = field(default_factory=SecondLookSettings)


def train(
    model: LesionDetector,
    scans: Sequence[tuple[TrainingScan, PixelSpacing]],
    inputs: InputSettings,
    settings: TrainSettings,
    run_dir: Path,
    data_id: str,
    progress: Progress,
    device: str = "cpu",
) -> checkpoint.State:
    """Train until the budget is spent, going on where an earlier run of the same data and settings was stopped.

    Raises TrainingError without a mark to learn from, and when the loss is no longer a number.
    """
    if not any(scan.sure for scan, _ in scans):
        raise TrainingError("there is no marked lesion to learn from", scans=len(scans))
    settings_id = hashlib.sha256(json.dumps([data_id, asdict(inputs), asdict(settings)]).encode()).hexdigest()
    path = run_dir / "checkpoint.pt"
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    state = checkpoint.restore(path, settings_id, model, optimizer, rng) or checkpoint.State()
    known = with_findings(scans, state)
    cuttings = (cut_out(one.scan, mark, inputs, settings.batch.transplants) for one in known for mark in one.sure)
    transplants = [one for one in cuttings if one is not None]
    saved_at, last = time.monotonic(), time.monotonic()
    losses_since: list[float] = []
    while (done := share_done(state, settings)) < 1.0:
        if state.rounds < len(settings.look_again_at) and done >= settings.look_again_at[state.rounds]:
            order = [int(number) for number in rng.permutation(len(scans))]
            look_again(model, scans, order, inputs, settings, state, progress, device)
            known = with_findings(scans, state)
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate(done, settings.warm_up)
        model.train()
        images, targets = draw_batch(known, transplants, settings.batch, inputs, settings.augment, rng)
        losses = model([image.to(device) for image in images],
                       [{name: value.to(device) for name, value in target.items()} for target in targets])  # fmt: skip
        loss = sum(losses.values())
        if not torch.isfinite(loss):
            raise TrainingError("the loss is no longer a number", step=state.step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        state.step += 1
        losses_since.append(loss.item())
        now = time.monotonic()
        state.elapsed_s, last = state.elapsed_s + now - last, now
        if now - saved_at >= settings.save_every_s:
            checkpoint.save(path, settings_id, state, model, optimizer, rng)
            saved_at = now
        if state.step % 20 == 0:
            progress("train", round(1000 * done), 1000, at_step=state.step, loss=round(float(np.mean(losses_since)), 4))
            losses_since.clear()
    checkpoint.save(path, settings_id, state, model, optimizer, rng)
    return state


def share_done(state: checkpoint.State, settings: TrainSettings) -> float:
    """The part of the training that is done, by the clock or by steps, whichever is further."""
    by_steps = state.step / settings.max_steps if settings.max_steps else 0.0
    return max(state.elapsed_s / settings.budget_s, by_steps)


def rate(done: float, warm_up: float) -> float:
    """The learning rate's part of its peak: up in a line, then down as half a cosine."""
    if done < warm_up:
        return (done + 1e-3) / warm_up
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up)))


def look_again(
    model: LesionDetector,
    scans: Sequence[tuple[TrainingScan, PixelSpacing]],
    order: Sequence[int],
    inputs: InputSettings,
    settings: TrainSettings,
    state: checkpoint.State,
    progress: Progress,
    device: str,
) -> None:
    """Write into the state what the model finds on the training scans and nobody marked.

    The scans are looked at in the given order until the look's share of the budget is spent: where there are too many,
    another round looks at others.
    """
    until = time.monotonic() + settings.second_look.share * settings.budget_s
    looked_at: list[int] = []
    seen: list[tuple[list[Track], tuple[Mark, ...], Frame]] = []
    for number in order:
        if seen and time.monotonic() >= until:
            break
        scan, spacing = scans[number]
        boxes = boxes_on_slices(model, scan.scan, inputs, settings.second_look.every_mm, device, mirrored=False)
        tracks = merge(boxes, scan.scan.positions_mm, spacing, MergeSettings())
        looked_at.append(number)
        seen.append((without_rejected(tracks, scan.rejected, scan.scan.frame), scan.marks, scan.scan.frame))
        progress("look again", len(seen), len(scans))
    state.found, state.suspicious = [[] for _ in scans], [[] for _ in scans]
    for number, (found, suspicious) in zip(looked_at, sort_findings(seen, settings.second_look), strict=True):
        state.found[number] = [(one.z, one.box, one.label) for one in found]
        state.suspicious[number] = [(one.z, one.box, one.label) for one in suspicious]
    state.rounds += 1
    log.info(
        "second look round=%d scans=%d of %d taken=%d suspicious=%d",
        state.rounds, len(seen), len(scans), sum(map(len, state.found)), sum(map(len, state.suspicious)),
    )  # fmt: skip


def with_findings(scans: Sequence[tuple[TrainingScan, PixelSpacing]], state: checkpoint.State) -> list[TrainingScan]:
    if not state.rounds:
        return [scan for scan, _ in scans]
    return [
        replace(scan, found=tuple(Found(*one) for one in found), suspicious=tuple(Found(*one) for one in suspicious))
        for (scan, _), found, suspicious in zip(scans, state.found, state.suspicious, strict=True)
    ]
