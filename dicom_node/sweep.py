"""Hold the tables against the engine: whatever they show undone gets a job. Shell around pure decisions.

This is why the engine's database is disposable: a job's id is made of the subject, its revision and how often it was
tried, so that enqueuing again does nothing, and a job that the engine has ended while the tables still show the work
undone has failed and is counted as a try.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from croniter import croniter
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from db import analyses, categories, commitment_requests, commitments, deliveries, studies
from db.engine import Sessions, reading
from db.models import Study
from db.outcomes import Heartbeat, Task
from dicom_node import backoff
from dicom_node.config import Schedule
from dicom_node.jobs import Jobs, JobState

log = logging.getLogger(__name__)

AT_ONE_LOOK = 200
"""Studies that the engine has at most to harvest, and to analyse: of a large archive, the rest waits in our tables."""

GONE_AFTER = timedelta(minutes=5)
"""A worker that said nothing for so long is gone for good; its jobs go to another."""


@dataclass(frozen=True, slots=True)
class Undone:
    """Work that the tables show undone: `tries` failed tries so far."""

    way: str
    subject: str
    revision: int
    tries: int
    partition: str = ""

    @property
    def job_id(self) -> str:
        return f"{self.way}-{self.subject}-r{self.revision}-t{self.tries}"


def decide(undone: Sequence[Undone], states: dict[str, JobState]) -> tuple[list[Undone], list[tuple[Undone, str]]]:
    """(what to enqueue, what has failed and why). What the engine is still at work on is in neither. Pure."""
    start = [work for work in undone if work.job_id not in states]
    failed = [
        (work, states[work.job_id].error or "ended without finishing its work")
        for work in undone
        if work.job_id in states and states[work.job_id].ended
    ]
    return start, failed


def sweep(sessions: Sessions, jobs: Jobs, now: datetime) -> int:
    """One round over all kinds of work; returns how many jobs were started."""
    with reading(sessions) as session:
        undone = _undone(session, now)
    start, failed = decide(undone, jobs.states([work.job_id for work in undone]))
    if failed:
        # Between our reading and the engine's answer a job may have ended well: look again before it counts.
        with sessions.begin() as session:
            still = {work.job_id for work in _undone(session, now)}
            for work, error in failed:
                if work.job_id in still:
                    log.warning("job %s failed: %s", work.job_id, error)
                    _NOTE_FAILURE[work.way](session, work, error, now)
    for work in start:
        jobs.enqueue(work.job_id, work.way, work.subject, work.partition)
    return len(start)


def _undone(session: Session, now: datetime) -> list[Undone]:
    return [
        *undone_studies(session, now),
        *_stale_results(session, now),
        *_due_deliveries(session, now),
        *_due_commitments(session, now),
        *_waiting_tasks(session),
    ]


def undone_studies(session: Session, now: datetime) -> list[Undone]:
    """Settled studies whose newest revision is not harvested, or not analysed where that was asked for, and due.

    Each waits in a queue of its own, for an analysis may wait hours for the device.
    """
    return [
        Undone("study" if study.harvest else "analysis", study.study_instance_uid, study.revision, study.tries)
        for harvest in (True, False)
        for study in studies.undone(session, due_at=now, limit=AT_ONE_LOOK, harvest=harvest)
    ]


def _stale_results(session: Session, now: datetime) -> list[Undone]:
    """Analyses of which a person took a finding out, or put one back, since their results were made."""
    return [Undone("reissue", *unissued) for unissued in analyses.unissued(session, now)]


def _due_deliveries(session: Session, now: datetime) -> list[Undone]:
    # A postponed delivery is tried again with the same count of tries, so its time is in the id, too.
    return [
        Undone("deliver", str(pk), int(due_at.timestamp()), tries, partition=destination)
        for pk, destination, tries, due_at in deliveries.due(session, now)
    ]


def _due_commitments(session: Session, now: datetime) -> list[Undone]:
    """What destinations are to be asked, and what peers are to be told. In ms: an answer may bring the next at once."""
    asked = [Undone("commit", name, _ms(at), 0, partition=name) for name, at in commitments.due(session, now)]
    told = [
        Undone("confirm", str(pk), _ms(at), tries, partition=ae_title)
        for pk, ae_title, tries, at in commitment_requests.due(session, now)
    ]
    return [*asked, *told]


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _waiting_tasks(session: Session) -> list[Undone]:
    rows = session.scalars(select(Task.task_pk).where(Task.state.in_(("waiting", "running"))).order_by(Task.task_pk))
    return [Undone("task", str(pk), 0, 0) for pk in rows]


def _study_failed(session: Session, work: Undone, error: str, now: datetime) -> None:
    session.execute(
        update(Study)
        .where(Study.study_instance_uid == work.subject, Study.revision == work.revision)
        .values(
            attempted_revision=work.revision,
            attempts=work.tries + 1,
            next_try_at=backoff.next_study_try(now, work.tries + 1),
            error=error,
        )
    )


def _reissue_failed(session: Session, work: Undone, error: str, now: datetime) -> None:
    next_try_at = backoff.next_study_try(now, work.tries + 1)
    analyses.note_issue_failure(session, work.subject, work.revision, work.tries, next_try_at)


def _delivery_failed(session: Session, work: Undone, error: str, now: datetime) -> None:
    next_try_at = backoff.next_delivery_try(now, work.tries + 1)
    deliveries.note_failure(session, int(work.subject), work.tries, error, next_try_at)


def _commit_failed(session: Session, work: Undone, error: str, now: datetime) -> None:
    """A job that broke: where the destination only failed to answer, it has noted that itself."""
    commitments.postpone(session, work.subject, now, now + timedelta(minutes=15))


def _confirm_failed(session: Session, work: Undone, error: str, now: datetime) -> None:
    next_try_at = backoff.next_delivery_try(now, work.tries + 1)
    commitment_requests.note_unanswered(session, int(work.subject), work.tries, error, next_try_at)


def _task_failed(session: Session, work: Undone, error: str, now: datetime) -> None:
    session.execute(
        update(Task).where(Task.task_pk == int(work.subject)).values(state="failed", outcome=error, finished_at=now)
    )


_NOTE_FAILURE = {
    "study": _study_failed,
    "analysis": _study_failed,
    "reissue": _reissue_failed,
    "deliver": _delivery_failed,
    "commit": _commit_failed,
    "confirm": _confirm_failed,
    "task": _task_failed,
}


# --- what is asked for by the clock ------------------------------------------------------------------------------


KINDS = ("categorise", "train")


def schedule_tasks(session: Session, schedule: Schedule, since: datetime, now: datetime) -> list[str]:
    """Ask for what the schedule wants; returns the kinds that were asked for.

    since: when this worker began. What the clock struck before is past; what it struck later is asked for once,
    however late, and by one of all workers.
    """
    if not _wanted(session, schedule, since, now):
        return []
    if session.get_bind().dialect.name == "postgresql":  # SQLite lets one transaction write at a time
        session.execute(text(f"LOCK TABLE {Task.__tablename__} IN SHARE ROW EXCLUSIVE MODE"))
    asked = _wanted(session, schedule, since, now)
    session.add_all(Task(kind=kind, asked_by="schedule", asked_at=now) for kind in asked)
    return asked


def _wanted(session: Session, schedule: Schedule, since: datetime, now: datetime) -> list[str]:
    asked_at = {kind: _last_asked(session, kind) for kind in KINDS}
    is_open = set(session.scalars(select(Task.kind).where(Task.state.in_(("waiting", "running")))))
    # Since the last training was asked for, whatever came of it: one that failed waits for new lesions, too.
    after = schedule.train_after_lesions
    if after is not None and not is_open and categories.new_lesions(session, asked_at["train"]) >= after:
        return list(KINDS)
    return [
        kind
        for kind in KINDS
        if kind not in is_open and (struck_at := _struck_at(getattr(schedule, kind), now)) is not None
        if struck_at > since and ((last := asked_at[kind]) is None or last < struck_at)
    ]


def _struck_at(cron: str, now: datetime) -> datetime | None:
    """When the clock struck last; None without a cron line."""
    return croniter(cron, now).get_prev(datetime) if cron else None


def _last_asked(session: Session, kind: str) -> datetime | None:
    return session.scalar(select(func.max(Task.asked_at)).where(Task.kind == kind))


# --- who is alive -----------------------------------------------------------------------------------------------


def take_over_the_gone(session: Session, jobs: Jobs, executor_id: str, now: datetime) -> int:
    """The first living worker resumes the jobs of those that are gone, and forgets them."""
    seen = dict(session.execute(select(Heartbeat.executor_id, Heartbeat.seen_at).where(Heartbeat.role == "work")).all())
    alive = sorted(name for name, at in seen.items() if now - at < GONE_AFTER)
    gone = sorted(set(seen) - set(alive))
    if not gone or not alive or alive[0] != executor_id:
        return 0
    taken = jobs.take_over(gone)
    session.execute(delete(Heartbeat).where(Heartbeat.executor_id.in_(gone)))
    return taken
