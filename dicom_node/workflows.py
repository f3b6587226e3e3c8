"""The durable ways of the data: harvest; detect → report; deliver; categorise and train beside them. Shell.

Each step may run twice: it looks at the tables first, and writes its result and its end in one transaction.
"""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import update

from db import analyses, registry, studies
from db.engine import NO_DATABASE, reading, utc_now
from db.errors import RequestError
from db.models import Study
from db.outcomes import Analysis, Task
from dicom_node.commitment import ask
from dicom_node.commitment_requests import answer
from dicom_node.deliver import deliver
from dicom_node.device import device_of_its_own
from dicom_node.jobs import Way
from dicom_node.node import Node
from dicom_node.processes import run_child
from dicom_node.reporting import is_issued, report
from mining.harvest import harvest_study

log = logging.getLogger(__name__)

WAITS_FOR_DEVICE = "waits for the device, on which something else runs"


def ways(node: Node) -> list[Way]:
    """All kinds of jobs that a worker follows."""
    at_once = max(1, (os.cpu_count() or 1) // 2)
    return [
        Way("study", (("harvest", lambda uid: harvest(node, uid)),), at_once=at_once),
        Way(
            "analysis",
            (("detect", lambda uid: detect(node, uid)), ("report", lambda uid: report_study(node, uid))),
            at_once=at_once,
        ),
        Way("reissue", (("report", lambda analysis_id: reissue(node, analysis_id)),), at_once=at_once),
        Way(
            "deliver",
            (("send", lambda pk: deliver(node, int(pk))),),
            at_once=8,
            partitioned=True,
        ),
        Way(
            "commit",
            (("ask", lambda destination: ask(node.config, node.sessions, destination)),),
            at_once=4,
            partitioned=True,
        ),
        Way(
            "confirm",
            (("tell", lambda pk: answer(node.config, node.sessions, node.files, int(pk))),),
            at_once=4,
            partitioned=True,
        ),
        Way("task", (("run", lambda pk: run_task(node, int(pk))),)),
    ]


def harvest(node: Node, study_instance_uid: str) -> str:
    """Measurements of one study → rows."""
    counts = harvest_study(node.sessions, study_instance_uid, node.files, node.config.harvest.settings())
    return f"{counts.measurements} measurements, {counts.rejections} rejections"


def detect(node: Node, study_instance_uid: str) -> str:
    """Look for lesions with the promoted model, in a process of its own; every outcome is a row of `analysis`."""
    todo = _to_detect(node, study_instance_uid)
    if isinstance(todo, str):
        return todo
    with device_of_its_own(node.config, detecting=True, on_wait=lambda: _note_wait(node, study_instance_uid)):
        # The wait may have been for a training: the study is looked at as it is now, by the model of now.
        todo = _to_detect(node, study_instance_uid)
        return todo if isinstance(todo, str) else str(run_child("detector.detect", todo))


def _to_detect(node: Node, study_instance_uid: str) -> dict[str, Any] | str:
    """The order for the study as it is now, or why there is nothing to look for."""
    with node.sessions.begin() as session:
        study = session.get_one(Study, study_instance_uid)
        if study.error == WAITS_FOR_DEVICE:
            study.error = ""
        if not study.analyse:
            return "harvested only"
        if studies.conflicts(session, study_instance_uid):
            return "waits: a person must choose between contents of one instance"
        if analyses.newest(session, study_instance_uid, study.revision) is not None:
            return "analysed already"
        if analyses.carry_over(session, study) is not None:
            return "the images are those of the last analysis"
        model = registry.promoted(session)
    if model is None:
        return _not_analysed(node, study_instance_uid, study.revision, "no model is promoted yet")
    settings = node.config.detector
    return node.order(
        study_instance_uid=study_instance_uid,
        study_revision=study.revision,
        model_id=model.model_id,
        keep_score=settings.keep_score,
        max_fp_per_scan=settings.max_fp_per_scan,
        max_findings=settings.max_findings,
        device=settings.device,
    )


def _note_wait(node: Node, study_instance_uid: str) -> None:
    with node.sessions.begin() as session:
        study = session.get_one(Study, study_instance_uid)
        if study.attempted_revision != study.revision:
            study.attempted_revision, study.attempts, study.next_try_at = study.revision, 0, None
        study.error = WAITS_FOR_DEVICE


def _not_analysed(node: Node, study_instance_uid: str, revision: int, reason: str) -> str:
    now = utc_now()
    with node.sessions.begin() as session:
        analyses.save_without_detections(
            session, str(uuid4()), study_instance_uid, revision, state="not analysed", reason=reason, now=now
        )
    return reason


def report_study(node: Node, study_instance_uid: str) -> str:
    with reading(node.sessions) as session:
        study = session.get_one(Study, study_instance_uid)
        analysis = analyses.newest(session, study_instance_uid, study.revision)
    if analysis is None:
        return "nothing to report"
    if is_issued(study, analysis):
        return "reported already"
    return report(node, study_instance_uid, study.revision)


def reissue(node: Node, analysis_id: str) -> str:
    """Make the results of an analysis anew after a person changed what it reports."""
    with reading(node.sessions) as session:
        study_instance_uid = session.get_one(Analysis, analysis_id).study_instance_uid
    return report_study(node, study_instance_uid)


# --- categorise and train -----------------------------------------------------------------------------------------


def run_task(node: Node, task_pk: int) -> str:
    """Run one asked-for categorise or train; progress goes into its row."""
    with node.sessions.begin() as session:
        task = session.get(Task, task_pk)
        if task is None or task.state in ("done", "failed"):
            if task is not None and task.state == "done":
                forget_run(node, task_pk)
            return "is done"
        task.state, task.started_at = "running", task.started_at or utc_now()
        kind, history = task.kind, Losses(task.progress.get("losses", []))
    outcome = run_kind(node, kind, task_pk, lambda event: _note_progress(node, task_pk, history.added(event)))
    with node.sessions.begin() as session:
        session.execute(
            update(Task)
            .where(Task.task_pk == task_pk)
            .values(state="done", finished_at=utc_now(), outcome=summary(kind, outcome))
        )
    forget_run(node, task_pk)
    return "done"


class Losses:
    """The training curve so far: a task's progress keeps it, over interruptions too."""

    def __init__(self, losses: list[list[float]]) -> None:
        self._losses = {int(step): loss for step, loss in losses}

    def added(self, event: dict[str, Any]) -> dict[str, Any]:
        """The event with all the losses that are known after it."""
        if event.get("step") == "train" and "loss" in event and "at_step" in event:
            self._losses[int(event["at_step"])] = float(event["loss"])
        return {**event, "losses": [[step, loss] for step, loss in sorted(self._losses.items())]}


def run_kind(node: Node, kind: str, run: object, on_event: Any) -> dict[str, Any]:
    """The outcome of categorise or train, in a process of its own. `run` names what may be resumed."""
    with device_of_its_own(node.config):
        if kind == "categorise":
            return run_child("mining.categorise", node.order(), on_event)
        if kind == "train":
            return run_child("detector.train", train_order(node, run), on_event)
    raise RequestError("there is no such task", kind=kind)


def train_order(node: Node, run: object) -> dict[str, Any]:
    settings = node.config.detector
    return node.order(
        budget_s=None if settings.budget_minutes is None else settings.budget_minutes * 60,
        seed=settings.seed,
        device=settings.device,
        body=settings.body,
        run_dir=str(_run_dir(node, run)),
        gate_margin=node.config.gate.margin,
        gate_min_lesions=node.config.gate.min_lesions,
        exclude=node.config.harvest.exclude,
        let_in=node.config.harvest.let_in,
    )


def _run_dir(node: Node, run: object) -> Path:
    return node.config.data_dir / "runs" / f"train-{run}"


def forget_run(node: Node, run: object) -> None:
    """Remove what a training kept to be taken up again, now that its outcome is safe."""
    shutil.rmtree(_run_dir(node, run), ignore_errors=True)


def summary(kind: str, outcome: dict[str, Any]) -> str:
    """One line for a person."""
    if kind == "categorise":
        groups = len(outcome.get("categories", ()))
        return f"generation {outcome.get('label_generation')}: {outcome.get('lesions')} lesions in {groups} categories"
    return f"model {outcome.get('model_id')}: {outcome.get('gate')}"


def _note_progress(node: Node, task_pk: int, event: dict[str, Any]) -> None:
    with suppress(*NO_DATABASE), node.sessions.begin() as session:  # a figure less must not end a run of hours
        session.execute(update(Task).where(Task.task_pk == task_pk).values(progress=event))
