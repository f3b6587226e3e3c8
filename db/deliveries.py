"""Rows of the outbox. One delivery: one result for one destination."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, exists, func, select, update
from sqlalchemy.orm import Session

from db import circuits
from db.errors import RequestError
from db.outcomes import Analysis, Audit, Delivery, Result

HOUR = timedelta(hours=1)

QUEUED_AS = {"hold": "held", "send": "waiting", "shadow": "shadow"}
"""A destination's mode → the state of what is new for it."""

ARRIVED = ("delivered", "committed")
"""The states of what the destination holds."""

SUPERSEDED = "superseded before it was sent"
RELEASE = "release delivery"
"""The audit's name for it: what a person let go once needs no other word when its destination holds again."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A delivery with what is needed to send it."""

    delivery_pk: int
    destination: str
    state: str
    tries: int
    result_sop_instance_uid: str
    sop_class_uid: str
    profile: str
    file_name: str
    superseded: bool
    study_instance_uid: str
    analysis_id: str
    edition: int
    rejects: str | None
    """The result that this one, a rejection note, takes back."""


def get(session: Session, delivery_pk: int) -> Letter:
    row = session.execute(
        select(Delivery, Result, Analysis)
        .join(Result, Result.result_sop_instance_uid == Delivery.result_sop_instance_uid)
        .join(Analysis, Analysis.analysis_id == Result.analysis_id)
        .where(Delivery.delivery_pk == delivery_pk)
    ).one_or_none()
    if row is None:
        raise RequestError("there is no such delivery", delivery=delivery_pk)
    delivery, result, analysis = row
    return Letter(
        delivery_pk=delivery.delivery_pk,
        destination=delivery.destination,
        state=delivery.state,
        tries=delivery.tries,
        result_sop_instance_uid=result.result_sop_instance_uid,
        sop_class_uid=result.sop_class_uid,
        profile=result.profile,
        file_name=result.file_name,
        superseded=result.superseded_by is not None,
        study_instance_uid=analysis.study_instance_uid,
        analysis_id=analysis.analysis_id,
        edition=result.edition,
        rejects=result.rejects,
    )


def put(session: Session, result_sop_instance_uid: str, destination: str, mode: str, now: datetime) -> bool:
    """A result into the outbox, held, to be sent or never to be sent; False, and nothing changes, if it is there."""
    known = session.scalar(
        select(Delivery.delivery_pk).where(
            Delivery.result_sop_instance_uid == result_sop_instance_uid, Delivery.destination == destination
        )
    )
    if known is None:
        state = QUEUED_AS[mode]
        session.add(
            Delivery(
                result_sop_instance_uid=result_sop_instance_uid,
                destination=destination,
                state=state,
                created_at=now,
                next_try_at=now if state == "waiting" else None,
            )
        )
        session.flush()
    return known is None


def due(session: Session, now: datetime, of_each: int = 20) -> list[tuple[int, str, int, datetime]]:
    """(delivery, destination, tries so far, since when) of what may be sent now: the oldest of each destination.

    So a destination that is down, with thousands waiting for it, takes no other's turn.
    """
    place = func.row_number().over(partition_by=Delivery.destination, order_by=Delivery.delivery_pk).label("place")
    waiting = (
        select(Delivery.delivery_pk, Delivery.destination, Delivery.tries, Delivery.next_try_at, place)
        .where(Delivery.state == "waiting", Delivery.next_try_at <= now)
        .subquery()
    )
    rows = session.execute(select(waiting).where(waiting.c.place <= of_each).order_by(waiting.c.delivery_pk))
    return [(pk, destination, tries, at) for pk, destination, tries, at, _ in rows]


def delivered_since(session: Session, destination: str, since: datetime) -> int:
    return (
        session.scalar(select(func.count()).where(Delivery.destination == destination, Delivery.delivered_at >= since))
        or 0
    )


def delivered_to(session: Session, study_instance_uid: str) -> set[str]:
    """The destinations that took a result of a study, a superseded one too."""
    return set(
        session.scalars(
            select(Delivery.destination)
            .join(Result, Result.result_sop_instance_uid == Delivery.result_sop_instance_uid)
            .join(Analysis, Analysis.analysis_id == Result.analysis_id)
            .where(Analysis.study_instance_uid == study_instance_uid, Delivery.delivered_at.is_not(None))
        )
    )


def note_success(
    session: Session, delivery_pk: int, answer: str, now: datetime, commit_at: datetime | None = None
) -> None:
    """commit_at: when to ask for storage commitment; None where the destination offers none."""
    session.execute(
        update(Delivery)
        .where(Delivery.delivery_pk == delivery_pk)
        .values(
            state="delivered",
            tries=Delivery.tries + 1,
            last_answer=answer,
            delivered_at=now,
            committed_at=None,
            next_try_at=None,
            next_commit_at=commit_at,
        )
    )


def retract(session: Session, result_sop_instance_uid: str, destination: str, answer: str) -> None:
    """A rejection note has arrived: what it names is taken back there."""
    session.execute(
        update(Delivery)
        .where(
            Delivery.result_sop_instance_uid == result_sop_instance_uid,
            Delivery.destination == destination,
            Delivery.state.in_(ARRIVED),
        )
        .values(state="retracted", last_answer=answer, next_commit_at=None)
    )


def hurry(session: Session, destination: str, now: datetime) -> None:
    """The destination is back: what waits for a later try is due now."""
    session.execute(
        update(Delivery)
        .where(Delivery.destination == destination, Delivery.state == "waiting", Delivery.next_try_at > now)
        .values(next_try_at=now)
    )


def note_failure(session: Session, delivery_pk: int, tries: int, answer: str, next_try_at: datetime | None) -> None:
    """`tries`: those before this one. Written only once for each try, however often the engine tells of it."""
    session.execute(
        update(Delivery)
        .where(Delivery.delivery_pk == delivery_pk, Delivery.state == "waiting", Delivery.tries == tries)
        .values(
            tries=tries + 1,
            last_answer=answer,
            next_try_at=next_try_at,
            state="waiting" if next_try_at is not None else "dead",
        )
    )


def postpone(session: Session, delivery_pk: int, until: datetime, answer: str) -> None:
    """Not a failure: the destination is paused."""
    session.execute(
        update(Delivery)
        .where(Delivery.delivery_pk == delivery_pk, Delivery.state == "waiting")
        .values(next_try_at=until, last_answer=answer)
    )


def discard(session: Session, delivery_pk: int, answer: str) -> None:
    session.execute(update(Delivery).where(Delivery.delivery_pk == delivery_pk).values(_not_sent(answer)))


def _not_sent(answer: str, state: str = "discarded") -> dict[str, object]:
    """What becomes of a delivery that is not sent, or not again: what was to be sent again stands there all the same,
    and must be found by who takes it back.
    """
    arrived = Delivery.delivered_at.is_not(None)
    return {
        "state": case((arrived, "delivered"), else_=state),
        "last_answer": case((arrived, f"not sent again: {answer}"), else_=answer),
        "next_try_at": None,
        "next_commit_at": None,
    }


def keep_in_shadow(session: Session, delivery_pk: int, answer: str) -> None:
    """The destination is in shadow now: what waits for it is kept and never sent."""
    session.execute(
        update(Delivery)
        .where(Delivery.delivery_pk == delivery_pk, Delivery.state == "waiting")
        .values(_not_sent(answer, "shadow"))
    )


def withdraw(session: Session, result_sop_instance_uid: str) -> None:
    """A result that another has superseded is not sent any more, nor is it held for a person."""
    session.execute(
        update(Delivery)
        .where(
            Delivery.result_sop_instance_uid == result_sop_instance_uid,
            Delivery.state.in_(("held", "waiting", "dead")),
        )
        .values(_not_sent(SUPERSEDED))
    )


def outdate(session: Session, result_sop_instance_uid: str, replaced_at: Collection[str], because: str) -> list[str]:
    """A result no longer holds. Where it was delivered and nothing replaces it, its delivery says so from now on, and
    where it was not, it is not sent any more. Returns the destinations where it stays.
    """
    stays = list(
        session.scalars(
            update(Delivery)
            .where(
                Delivery.result_sop_instance_uid == result_sop_instance_uid,
                Delivery.state.in_(ARRIVED),
                Delivery.destination.not_in(replaced_at),
            )
            .values(last_answer=Delivery.last_answer + f"; no longer holds, delete it there ({because})")
            .returning(Delivery.destination)
        )
    )
    session.execute(
        update(Delivery)
        .where(
            Delivery.result_sop_instance_uid == result_sop_instance_uid,
            Delivery.state.in_(("held", "waiting", "dead")),
        )
        .values(_not_sent(f"no longer holds ({because})"))
    )
    return stays


def hold(session: Session, delivery_pk: int, answer: str) -> bool:
    """Keep for a person what waits to be sent and none has let go; False if a person did."""
    if session.scalar(select(exists().where(Audit.action == RELEASE, Audit.target == str(delivery_pk)))):
        return False
    session.execute(
        update(Delivery)
        .where(Delivery.delivery_pk == delivery_pk, Delivery.state == "waiting")
        .values(state="held", last_answer=answer, next_try_at=None)
    )
    return True


def release(session: Session, delivery_pk: int, actor: str, now: datetime) -> None:
    """A person lets a held result go, or sends a dead or delivered one again; the destination is tried at once."""
    destination = session.scalar(select(Delivery.destination).where(Delivery.delivery_pk == delivery_pk))
    if destination is not None:
        circuits.probe_now(session, destination, now)  # before the delivery, as who sends locks them
    changed = session.execute(
        update(Delivery)
        .where(Delivery.delivery_pk == delivery_pk, Delivery.state.in_(("held", "dead", "waiting", *ARRIVED)))
        .values(state="waiting", next_try_at=now, tries=0, commit_tries=0, next_commit_at=None, committed_at=None)
        .returning(Delivery.delivery_pk)
    ).scalar_one_or_none()
    if changed is None:
        raise RequestError("there is no such delivery, or it was discarded", delivery=delivery_pk)
    note_release(session, delivery_pk, actor, now)


def note_release(session: Session, delivery_pk: int, actor: str, now: datetime) -> None:
    """On record, so that it is not held again."""
    session.add(Audit(at=now, actor=actor, action=RELEASE, target=str(delivery_pk), facts={}))


def of_result(session: Session, result_sop_instance_uid: str, destination: str | None) -> list[int]:
    """The deliveries of one result, to one destination or to all. Raises RequestError if there are none."""
    query = select(Delivery.delivery_pk).where(Delivery.result_sop_instance_uid == result_sop_instance_uid)
    if destination is not None:
        query = query.where(Delivery.destination == destination)
    found = list(session.scalars(query))
    if not found:
        raise RequestError("there is no such delivery", result=result_sop_instance_uid, destination=destination)
    return found


def standing(session: Session, destination: str, state: str) -> list[int]:
    """The deliveries to one destination in one state, the oldest first; none whose result another has replaced, or
    whose findings a person has changed since it was made.
    """
    return list(
        session.scalars(
            select(Delivery.delivery_pk)
            .join(Result, Result.result_sop_instance_uid == Delivery.result_sop_instance_uid)
            .join(Analysis, Analysis.analysis_id == Result.analysis_id)
            .where(Delivery.destination == destination, Delivery.state == state, Result.superseded_by.is_(None))
            .where(Result.edition >= Analysis.edition)
            .order_by(Delivery.delivery_pk)
        )
    )
