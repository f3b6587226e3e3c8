"""What the buttons do: each writes rows in the caller's transaction and says in a sentence what will happen. Shell.

Nothing here waits for work: the worker and the deliverer see the rows. Every button leaves a row of `audit`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import deliveries, studies
from db.errors import RequestError
from db.models import Study
from db.outcomes import Audit, Delivery, Result, Task

ACTOR = "web"


def note(session: Session, now: datetime, action: str, target: str, **facts: Any) -> None:
    session.add(Audit(at=now, actor=ACTOR, action=action, target=target, facts=facts))


def ask(session: Session, now: datetime, kind: str) -> str:
    """Ask for a run of categorise or train; a second one is not queued behind one that has not begun."""
    waiting = session.scalar(select(Task.task_pk).where(Task.kind == kind, Task.state == "waiting").limit(1))
    if waiting is not None:
        return f"{kind} is already asked for and begins when the worker is free."
    task = Task(kind=kind, state="waiting", asked_by=ACTOR, asked_at=now)
    session.add(task)
    session.flush()
    note(session, now, kind, f"task {task.task_pk}")
    return f"{kind} is asked for; it begins when the worker is free."


# --- deliveries -------------------------------------------------------------------------------------------------

# button: the states it applies to
MOVABLE = {"release": ("held",), "resend": ("dead", "delivered"), "discard": ("held", "dead")}
SAID = {
    "release": "is released; its delivery begins at once",
    "resend": "is sent again; its delivery begins at once",
    "discard": "is discarded and will not be sent",
}


def move_delivery(session: Session, now: datetime, button: str, delivery_pk: int) -> str:
    """Release, resend or discard one delivery.

    Raises RequestError if there is none, if its state does not allow it, or if a newer result has replaced its result.
    """
    letter = deliveries.get(session, delivery_pk)
    if letter.state not in MOVABLE[button]:
        raise RequestError(f"a delivery that is {letter.state} cannot be changed by {button}", delivery=delivery_pk)
    if button == "discard":
        deliveries.discard(session, delivery_pk, "discarded by a person")
        note(session, now, "discard delivery", str(delivery_pk))
    elif letter.superseded:
        raise RequestError("a newer result has replaced this one; release or resend that", delivery=delivery_pk)
    else:
        _send(session, now, delivery_pk)
    return f"The {letter.profile} result for {letter.destination} {SAID[button]}."


def move_all(session: Session, now: datetime, button: str, destination: str) -> str:
    """Release all that is held for a destination, or resend all that was given up, except replaced results."""
    state = {"release": "held", "resend": "dead"}[button]
    current = select(Result.result_sop_instance_uid).where(Result.superseded_by.is_(None))
    found = session.scalars(
        select(Delivery.delivery_pk)
        .where(Delivery.destination == destination, Delivery.state == state)
        .where(Delivery.result_sop_instance_uid.in_(current))
        .order_by(Delivery.delivery_pk)
    ).all()
    if not found:
        raise RequestError(f"nothing that could be sent is {state} for this destination", destination=destination)
    for delivery_pk in found:
        _send(session, now, delivery_pk)
    return f"{len(found)} {'delivery' if len(found) == 1 else 'deliveries'} to {destination} will begin at once."


def _send(session: Session, now: datetime, delivery_pk: int) -> None:
    deliveries.release(session, delivery_pk, ACTOR, now)
    # A person's word starts the tries anew, or a dead letter would be dead again after one failure.
    session.get_one(Delivery, delivery_pk).tries = 0


# --- studies ----------------------------------------------------------------------------------------------------


def choose(session: Session, now: datetime, instance_pk: int) -> str:
    """Choose one of several contents under one UID; the study settles again, and everything after that is redone.

    Raises RequestError if that content is not part of a conflict.
    """
    study_instance_uid = studies.choose(session, instance_pk)
    note(session, now, "choose content", f"instance row {instance_pk}", study_instance_uid=study_instance_uid)
    return "The content is chosen; the study settles again and is read anew."


def retry_study(session: Session, now: datetime, study_instance_uid: str) -> str:
    """Try a study again that was given up, or whose next try is far; RequestError if no try has failed."""
    study = session.get(Study, study_instance_uid)
    if study is None or study.attempted_revision != study.revision or not study.attempts:
        raise RequestError("no try of this study has failed", study_instance_uid=study_instance_uid)
    study.next_try_at = now
    note(session, now, "retry study", study_instance_uid)
    return "The study is tried again as soon as the worker is free."
