"""What the pages show of the node's work: tasks, models, analyses, processes, what needs a person. Shell: reads only.

Every function makes a fixed number of queries, whatever the number of rows, and returns plain values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db import lost
from db.circuits import open_circuits
from db.deliveries import ARRIVED
from db.models import LesionRow, Rejection, Study
from db.outcomes import (
    Analysis,
    Assessment,
    Audit,
    CommitmentRequest,
    Delivery,
    DetectionRow,
    Heartbeat,
    Model,
    Result,
    Task,
)
from db.tables import Base
from dicom_node.web.attention import NodeState, Process
from dicom_node.web.paging import PAGE_ROWS, Page, offset_of
from dicom_node.web.queries import count, counted
from dicom_node.web.study_queries import given_up, in_conflict, newest_analysis_failed, results_given_up

FROC_POINTS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives a scan, as the columns froc_at_* of the table name them."""


# --- the way of the data ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way of the data with what came out of it."""

    verb: str
    total: int
    noun: str
    waiting: int
    """How many wait for this step."""


def way_of_the_data(session: Session) -> tuple[Step, ...]:
    studies = counted(session, Study.state)
    deliveries = counted(session, Delivery.state)
    tasks = counted(session, Task.kind, Task.state.in_(("waiting", "running")))
    undone = Study.state != "receiving"
    to_harvest = count(session, Study, undone, Study.harvested_revision < Study.revision)
    to_detect = count(session, Study, undone, Study.analyse, Study.analysed_revision < Study.revision)
    settled = studies.get("settled", 0) + studies.get("incomplete", 0)
    return (
        Step("receive", sum(studies.values()), "studies", 0),
        Step("settle", settled, "settled", studies.get("receiving", 0)),
        Step("harvest", count(session, LesionRow), "lesions", to_harvest),
        Step("categorise", _current_categories(session), "categories", tasks.get("categorise", 0)),
        Step("train", count(session, Model), "models", tasks.get("train", 0)),
        Step("detect", count(session, DetectionRow, DetectionRow.reported), "detections", to_detect),
        Step("report", count(session, Result), "objects", 0),
        Step("deliver", sum(deliveries.get(state, 0) for state in ARRIVED), "delivered", deliveries.get("waiting", 0)),
    )


def _current_categories(session: Session) -> int:
    return session.scalar(select(func.count(LesionRow.category_id.distinct()))) or 0


def node_state(session: Session, free_bytes: int, min_free_bytes: int) -> NodeState:
    """What `attention.notices` makes its sentences of."""
    deliveries = counted(session, Delivery.state)
    promoted_at = session.scalar(select(func.max(Model.trained_at)).where(Model.state == "promoted"))
    newer = [Model.trained_at > promoted_at] if promoted_at else []
    return NodeState(
        free_bytes,
        min_free_bytes,
        count(session, Study, in_conflict()),
        count(session, Study, Study.state == "incomplete"),
        count(session, Study, newest_analysis_failed()),
        count(session, Study, given_up()),
        session.scalar(lost.listed()) or 0,
        count(session, Rejection, Rejection.reason_code == "reader_failed"),
        deliveries.get("held", 0),
        deliveries.get("dead", 0),
        session.scalar(select(func.min(Delivery.created_at)).where(Delivery.state == "waiting")),
        _failed_tasks(session),
        count(session, Model, Model.state == "candidate", *newer),
        processes(session),
        [(circuit.destination, circuit.opened_at) for circuit in open_circuits(session) if circuit.opened_at],
        count(session, CommitmentRequest, CommitmentRequest.state == "dead"),
        count(session, Study, results_given_up()),
    )


def _failed_tasks(session: Session) -> list[tuple[str, str]]:
    ended = select(func.max(Task.task_pk)).where(Task.state.in_(("done", "failed"))).group_by(Task.kind)
    last = select(Task.kind, Task.outcome).where(Task.task_pk.in_(ended), Task.state == "failed").order_by(Task.kind)
    return [(kind, outcome) for kind, outcome in session.execute(last)]


# --- jobs -------------------------------------------------------------------------------------------------------


def tasks(session: Session, number: int = 1, rows: int = PAGE_ROWS) -> Page[Task]:
    """What was asked for last, first."""
    newest = select(Task).order_by(Task.task_pk.desc()).offset(offset_of(number, rows)).limit(rows)
    return Page(list(session.scalars(newest)), count(session, Task), max(1, number), rows)


def open_tasks(session: Session) -> Sequence[Task]:
    """The running tasks, then the waiting ones."""
    return list(
        session.scalars(
            select(Task)
            .where(Task.state.in_(("running", "waiting")))
            .order_by(Task.state, Task.task_pk)
            .limit(PAGE_ROWS)
        )
    )


def processes(session: Session) -> list[Process]:
    beats = session.scalars(select(Heartbeat).order_by(Heartbeat.role, Heartbeat.executor_id).limit(PAGE_ROWS))
    return [Process(beat.executor_id, beat.role, beat.seen_at, bool(beat.facts.get("stopped"))) for beat in beats]


def audits(session: Session, rows: int) -> list[Audit]:
    """What persons did last, first."""
    return list(session.scalars(select(Audit).order_by(Audit.audit_pk.desc()).limit(rows)))


# --- models -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ModelLine:
    model_id: str
    state: str
    trained_at: datetime
    promoted_at: datetime | None
    label_generation: int | None
    training_set_id: str
    weights_sha256: str
    git_commit: str
    froc: tuple[float | None, ...]
    """Sensitivity, 0 to 1, at each of FROC_POINTS."""
    verdict: str
    """The gate's comparison with the model that was promoted then, as a sentence; empty if none was made."""


def models(session: Session, rows: int = PAGE_ROWS) -> list[ModelLine]:
    """The newest first; the promoted one is always among them."""
    newest = select(Model).order_by((Model.state == "promoted").desc(), Model.trained_at.desc()).limit(rows)
    return [
        ModelLine(
            model.model_id,
            model.state,
            model.trained_at,
            model.promoted_at,
            model.label_generation,
            model.training_set_id,
            model.weights_sha256,
            model.git_commit,
            (model.froc_at_0_5, model.froc_at_1, model.froc_at_2, model.froc_at_4, model.froc_at_8),
            str(model.gate.get("sentence", "")),
        )
        for model in session.scalars(newest)
    ]


# --- what was detected ------------------------------------------------------------------------------------------


def analyses(session: Session, study_instance_uid: str) -> list[Analysis]:
    """Of a study, the newest first."""
    newest = (
        select(Analysis)
        .where(Analysis.study_instance_uid == study_instance_uid)
        .order_by(Analysis.study_revision.desc(), Analysis.finished_at.desc())
        .limit(PAGE_ROWS)
    )
    return list(session.scalars(newest))


def unsure(session: Session, analysis_id: str) -> list[DetectionRow]:
    """What an analysis saw below the operating point, the highest score first."""
    found = (
        select(DetectionRow)
        .where(DetectionRow.analysis_id == analysis_id, ~DetectionRow.reported)
        .order_by(DetectionRow.score.desc(), DetectionRow.detection_id)
        .limit(PAGE_ROWS)
    )
    return list(session.scalars(found))


def added(session: Session, analysis_id: str) -> int:
    """Lesions that readers added in their answers to an analysis."""
    return count(session, Assessment, Assessment.analysis_id == analysis_id, Assessment.verdict == "added")


def facts_of(session: Session, kind: str, key: str) -> dict[str, Any]:
    """Every column of a lesion or a detection by its name, as the page of one drawing lists them."""
    row: Base = session.get_one(LesionRow if kind == "lesion" else DetectionRow, key)
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}
