"""What a person runs now, at the terminal: harvest, evaluate, detect in a folder. Shell."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select

from db import registry
from db.engine import reading, utc_now
from db.errors import RequestError
from db.models import Study
from db.outcomes import Task
from db.uids import uid_from
from dicom_node import acts
from dicom_node.building import code_table, headers_of, model_description
from dicom_node.device import device_of_its_own
from dicom_node.heartbeat import worker_is_alive
from dicom_node.importing import files_below
from dicom_node.indexing_again import index_again
from dicom_node.node import Node
from dicom_node.report.context import Context, Identity
from dicom_node.report.encode import encode
from dicom_node.report.subject import describe
from dicom_node.workflows import forget_run, run_kind, summary

Progress = Callable[..., None]


def harvest_now(node: Node, again: bool, actor: str, progress: Progress) -> tuple[int, int, int]:
    """(studies, measurements, rejections) of what was harvested.

    again: everything that is settled, with the headers of its images, for a newer version may read more of these, too.
    """
    from mining.harvest import harvest_study

    with node.sessions.begin() as session:
        acts.note(session, utc_now(), actor, "harvest", "everything that is stored" if again else "what is new")
    with reading(node.sessions) as session:
        query = select(Study.study_instance_uid).where(Study.state != "receiving")
        if not again:
            query = query.where(Study.harvested_revision < Study.revision)
        uids = list(session.scalars(query.order_by(Study.study_instance_uid)))
    settings = node.config.harvest.settings()
    measurements = rejections = 0
    for done, uid in enumerate(uids, start=1):
        if again:
            index_again(node.sessions, node.files, uid)
        counts = harvest_study(node.sessions, uid, node.files, settings)
        measurements, rejections = measurements + counts.measurements, rejections + counts.rejections
        progress("harvest", done, len(uids), measurements=measurements, rejections=rejections)
    return len(uids), measurements, rejections


def run_now(node: Node, kind: str, actor: str, progress: Progress) -> str:
    """Categorise or train and wait for it; one line on the outcome.

    Where a worker runs, it is the worker's task like any other, and goes on if this process is stopped. Else it runs
    under this process, and is taken up again by the next call.
    """
    with reading(node.sessions) as session:
        alive = worker_is_alive(session, utc_now())
    if alive:
        return wait_for_task(node, ask_for(node, kind, actor), progress)
    with node.sessions.begin() as session:
        acts.note(session, utc_now(), actor, kind, "in the foreground")
    outcome = run_kind(node, kind, "foreground", lambda event: progress(**event))
    forget_run(node, "foreground")
    return summary(kind, outcome)


def ask_for(node: Node, kind: str, actor: str) -> int:
    """Ask the worker for a task, or join one that waits already; its number."""
    with node.sessions.begin() as session:
        return acts.ask(session, utc_now(), actor, kind)[0]


def wait_for_task(node: Node, task_pk: int, progress: Progress) -> str:
    """The outcome of a task that the worker runs, showing its progress. Raises RequestError if it fails."""
    while True:
        with reading(node.sessions) as session:
            task = session.get_one(Task, task_pk)
        event = task.progress or {}
        if "step" in event:
            figures = {name: event[name] for name in ("loss", "lesions") if name in event}
            progress(f"{task.kind}: {event['step']}", event.get("done", 0), event.get("total", 0), **figures)
        if task.state == "failed":
            raise RequestError(f"{task.kind} failed: {task.outcome}", task=task_pk)
        if task.state == "done":
            return task.outcome
        time.sleep(0.5)


def _model_id(node: Node, given: str | None = None) -> str:
    with reading(node.sessions) as session:
        model = registry.get(session, given) if given else registry.promoted(session)
    if model is None:
        raise RequestError("no model is promoted; train one, or promote one of `dicom-node models list`")
    return model.model_id


def evaluate_now(node: Node, given: str | None, progress: Progress) -> list[dict[str, object]]:
    """A model on the frozen set as it is now: a row for each rate of false positives."""
    from db.local_files import LocalFiles
    from detector.candidate import evaluate_model

    model_id = _model_id(node, given)
    device = node.config.detector.device
    with device_of_its_own(node.config, detecting=True):
        files, fitness = LocalFiles(node.config.data_dir), node.config.harvest.settings()
        figures = evaluate_model(node.sessions, files, model_id, device, progress, fitness)
    if figures["sensitivity"] is None:
        raise RequestError("the frozen set holds no lesion yet", scans=figures["scans"])
    shared = {"model_id": model_id, "lesions": figures["lesions"], "scans": figures["scans"]}
    return [{"fp_per_scan": at, **one, **shared} for at, one in figures["sensitivity"].items()]


def detect_now(node: Node, path: Path, folder: Path, progress: Progress) -> list[Path]:
    """The files written for one series of CT images in a folder. Raises ContentError if it is not one series."""
    from db.local_files import LocalFiles
    from detector.detect import DetectSettings, detect_volume, device_of, reported
    from detector.model_files import load_model
    from mining.volume import load_volume

    settings = node.config.detector
    with reading(node.sessions) as session:
        row = registry.get(session, _model_id(node))
    paths = list(files_below([path]))
    progress("read", 0, len(paths))
    volume = load_volume(paths, progress)
    images = headers_of(paths)
    study_uid = str(images[0].StudyInstanceUID)
    with device_of_its_own(node.config, detecting=True, on_wait=lambda: progress("wait for the device", 0, 1)):
        model = load_model(row.card, row.weights_sha256, LocalFiles(node.config.data_dir), device_of(settings.device))
        found = detect_volume(model, volume, DetectSettings(settings.keep_score), study_uid)
    found = found[: reported(found, model, settings.max_fp_per_scan, settings.max_findings)]
    folder.mkdir(parents=True, exist_ok=True)
    now, written = utc_now(), []
    subject = describe(found, Context(images, model_description(node, row.model_id), now, codes=code_table(node)))
    for profile, dataset in encode(
        subject,
        ("seg", "ohif"),
        lambda profile: Identity(
            uid_from("detect series", study_uid, profile.name, now),
            uid_from("detect result", study_uid, profile.name, now),
            profile.series_number,
        ),
    ):
        written.append(folder / f"{profile.name}.dcm")
        dataset.save_as(written[-1], enforce_file_format=True)
    return written
