"""The jobs as people see them: straight from the tables, which alone say what is undone. Shell."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import studies
from db.errors import RequestError
from db.models import Study
from db.outcomes import Analysis, Delivery, Task
from dicom_node import acts
from dicom_node.backoff import STUDY_TRIES


@dataclass(frozen=True, slots=True)
class OpenJob:
    job: str
    """`study:UID`, `results:ANALYSIS`, `task:NUMBER` or `delivery:NUMBER`."""
    state: str
    tries: int
    next_try_at: datetime | None
    message: str

    def as_row(self) -> dict[str, object]:
        return asdict(self)


def open_jobs(session: Session) -> list[OpenJob]:
    """Everything that is not done: what runs or waits, and what has failed for good."""
    return [*_studies(session), *_results(session), *_tasks(session), *_deliveries(session)]


def _studies(session: Session) -> list[OpenJob]:
    found = []
    for undone in studies.undone(session):
        study = session.get_one(Study, undone.study_instance_uid)
        tries = study.attempts if study.attempted_revision == study.revision else 0
        state = _state(tries)
        error = study.error if study.attempted_revision == study.revision else ""
        found.append(OpenJob(f"study:{study.study_instance_uid}", state, tries, study.next_try_at, error))
    return found


def _results(session: Session) -> list[OpenJob]:
    """Of which a person changed the findings, so that they are made anew."""
    stale = (
        select(Analysis)
        .join(Study, Study.study_instance_uid == Analysis.study_instance_uid)
        .where(Analysis.issued_edition < Analysis.edition, Analysis.study_revision == Study.revision)
        .order_by(Analysis.analysis_id)
    )
    said = "a person changed the findings; the results are made anew"
    return [
        OpenJob(f"results:{a.analysis_id}", _state(a.issue_attempts), a.issue_attempts, a.next_issue_at, said)
        for a in session.scalars(stale)
    ]


def _state(tries: int) -> str:
    return "failed" if tries >= STUDY_TRIES else "retry" if tries else "open"


def _tasks(session: Session) -> list[OpenJob]:
    tasks = session.scalars(select(Task).where(Task.state != "done").order_by(Task.task_pk))
    return [OpenJob(f"task:{t.task_pk}", f"{t.kind} {t.state}", 0, None, t.outcome) for t in tasks]


def _deliveries(session: Session) -> list[OpenJob]:
    rows = session.scalars(
        select(Delivery).where(Delivery.state.in_(("held", "waiting", "dead"))).order_by(Delivery.delivery_pk)
    )
    return [
        OpenJob(f"delivery:{d.delivery_pk}", f"{d.state} for {d.destination}", d.tries, d.next_try_at, d.last_answer)
        for d in rows
    ]


def retry_job(session: Session, job: str, actor: str, now: datetime) -> str:
    """Make a failed job due now: what will happen. Raises RequestError if there is none of that name, or it has not
    failed."""
    kind, _, key = job.partition(":")
    if kind == "study":
        return acts.retry_study(session, now, actor, key)
    if kind == "results":
        return acts.retry_results(session, now, actor, key)
    if kind == "task" and key.isdigit():
        return acts.retry_task(session, now, actor, int(key))
    if kind == "delivery" and key.isdigit():
        return acts.move_delivery(session, now, actor, "resend", int(key))
    raise RequestError("there is no job of that name; see `jobs list`", job=job)
