"""What a person does, on the page or by command: rows in the caller's transaction, one of `audit` among them. Shell.

Nothing here waits for work: the worker sees the rows. What is not allowed now is a RequestError, whoever asks. The
sentences that are returned say what will happen.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import deliveries, studies
from db.errors import RequestError
from db.models import Study
from db.outcomes import Audit, Task


def note(session: Session, now: datetime, actor: str, action: str, target: str, **facts: Any) -> None:
    session.add(Audit(at=now, actor=actor, action=action, target=target, facts=facts))


def ask(session: Session, now: datetime, actor: str, kind: str) -> tuple[int, str]:
    """Ask for a run of categorise or train: its number. A second is not queued behind one that has not begun."""
    waiting = session.scalar(select(Task.task_pk).where(Task.kind == kind, Task.state == "waiting").limit(1))
    if waiting is not None:
        return waiting, f"{kind} is already asked for and begins when the worker is free."
    task = Task(kind=kind, state="waiting", asked_by=actor, asked_at=now)
    session.add(task)
    session.flush()
    note(session, now, actor, kind, f"task {task.task_pk}")
    return task.task_pk, f"{kind} is asked for; it begins when the worker is free."


def retry_task(session: Session, now: datetime, actor: str, task_pk: int) -> str:
    """Ask again for a run that failed; the failed one stays on record. RequestError for any other."""
    task = session.get(Task, task_pk)
    if task is None:
        raise RequestError("there is no such task", task=task_pk)
    if task.state != "failed":
        raise RequestError(f"a task that is {task.state} cannot be tried again", task=task_pk)
    _, said = ask(session, now, actor, task.kind)
    return said


# --- deliveries -------------------------------------------------------------------------------------------------

# button: the states it applies to; what waits after a failed try can be resent, too
MOVABLE = {"release": ("held",), "resend": ("dead", "delivered"), "discard": ("held", "dead")}
SAID = {
    "release": "is released; its delivery begins at once",
    "resend": "is sent again; its delivery begins at once",
    "discard": "is discarded and will not be sent",
}


def move_delivery(session: Session, now: datetime, actor: str, button: str, delivery_pk: int) -> str:
    """Release, resend or discard one delivery.

    Raises RequestError if there is none, if its state does not allow it, or if a newer result has replaced its result.
    """
    letter = deliveries.get(session, delivery_pk)
    failed_so_far = button == "resend" and letter.state == "waiting" and letter.tries > 0
    if letter.state not in MOVABLE[button] and not failed_so_far:
        raise RequestError(
            f"a delivery that is {letter.state} cannot be changed by {button}",
            delivery=delivery_pk,
            destination=letter.destination,
        )
    if button == "discard":
        deliveries.discard(session, delivery_pk, "discarded by a person")
        note(session, now, actor, "discard delivery", str(delivery_pk))
    elif letter.superseded:
        raise RequestError("a newer result has replaced this one; release or resend that", delivery=delivery_pk)
    else:
        deliveries.release(session, delivery_pk, actor, now)
    return f"The {letter.profile} result for {letter.destination} {SAID[button]}."


def send_again(
    session: Session, now: datetime, actor: str, result_sop_instance_uid: str, destination: str | None
) -> int:
    """Resend a result, or release it where it is held, to one destination or to all that it is for; to how many."""
    found = deliveries.of_result(session, result_sop_instance_uid, destination)
    for delivery_pk in found:
        held = deliveries.get(session, delivery_pk).state == "held"
        move_delivery(session, now, actor, "release" if held else "resend", delivery_pk)
    return len(found)


def move_all(session: Session, now: datetime, actor: str, button: str, destination: str) -> int:
    """Release all that is held for a destination, or resend all that was given up, but no replaced result; how many."""
    found = deliveries.standing(session, destination, {"release": "held", "resend": "dead"}[button])
    for delivery_pk in found:
        deliveries.release(session, delivery_pk, actor, now)
    return len(found)


# --- studies ----------------------------------------------------------------------------------------------------


def choose(session: Session, now: datetime, actor: str, instance_pk: int) -> str:
    """Choose one of several contents under one UID; the study settles again, and everything after that is redone.

    Raises RequestError if that content is not part of a conflict.
    """
    study_instance_uid = studies.choose(session, instance_pk)
    note(session, now, actor, "choose content", f"instance row {instance_pk}", study_instance_uid=study_instance_uid)
    return "The content is chosen; the study settles again and is read anew."


def retry_study(session: Session, now: datetime, actor: str, study_instance_uid: str) -> str:
    """Try a study again that was given up, or whose next try is far; RequestError if no try has failed."""
    study = session.get(Study, study_instance_uid)
    if study is None:
        raise RequestError("there is no such study", study_instance_uid=study_instance_uid)
    if study.attempted_revision != study.revision or not study.attempts:
        raise RequestError("no try of this study has failed", study_instance_uid=study_instance_uid)
    study.next_try_at = now
    note(session, now, actor, "retry study", study_instance_uid)
    return "The study is tried again as soon as the worker is free."
