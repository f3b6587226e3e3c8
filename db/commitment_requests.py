"""Storage commitment that peers ask of us, in rows. Shell; every function works in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from db.commitments import AT_ONCE, Reference
from db.models import Instance
from db.outcomes import CommitmentRequest
from db.upsert import insert_once


@dataclass(frozen=True, slots=True)
class Request:
    """What a peer asked of us. tries: how often the answer did not reach it."""

    ae_title: str
    transaction_uid: str
    instances: tuple[Reference, ...]
    state: str
    tries: int


def enter(session: Session, ae_title: str, transaction_uid: str, instances: Sequence[Reference], now: datetime) -> bool:
    """Keep a peer's request; False if the same transaction was asked about other instances.

    The same again is answered again: its sender missed our answer.
    """
    asked = [list(reference) for reference in instances]
    new = insert_once(
        session, CommitmentRequest, ae_title=ae_title, transaction_uid=transaction_uid, instances=asked,
        received_at=now, state="waiting", tries=0, next_try_at=now, last_answer="",
    )  # fmt: skip
    if new:
        return True
    row = session.scalars(
        select(CommitmentRequest)
        .where(CommitmentRequest.ae_title == ae_title, CommitmentRequest.transaction_uid == transaction_uid)
        .with_for_update()
    ).one()
    if row.instances != asked:
        return False
    row.state, row.tries, row.next_try_at = "waiting", 0, now
    session.flush()
    return True


def due(session: Session, now: datetime, of_each: int = 20) -> list[tuple[int, str, int, datetime]]:
    """(request, AE title, tries so far, since when) of what is to be answered now: the oldest of each peer.

    So a peer that asked much and does not listen takes no other's turn.
    """
    asked = CommitmentRequest
    place = func.row_number().over(partition_by=asked.ae_title, order_by=asked.request_pk).label("place")
    waiting = (
        select(asked.request_pk, asked.ae_title, asked.tries, asked.next_try_at, place)
        .where(asked.state == "waiting", asked.next_try_at <= now)
        .subquery()
    )
    rows = session.execute(select(waiting).where(waiting.c.place <= of_each).order_by(waiting.c.request_pk))
    return [(pk, ae_title, tries, at) for pk, ae_title, tries, at, _ in rows]


def get(session: Session, request_pk: int) -> Request:
    row = session.get_one(CommitmentRequest, request_pk)
    instances = tuple((str(sop_class), str(uid)) for sop_class, uid in row.instances)
    return Request(row.ae_title, row.transaction_uid, instances, row.state, row.tries)


def note_answered(session: Session, request_pk: int, answer: str, now: datetime) -> None:
    session.execute(
        update(CommitmentRequest)
        .where(CommitmentRequest.request_pk == request_pk)
        .values(state="answered", tries=CommitmentRequest.tries + 1, last_answer=answer, answered_at=now,
                next_try_at=None)
    )  # fmt: skip


def note_unanswered(session: Session, request_pk: int, tries: int, answer: str, next_try_at: datetime | None) -> None:
    """`tries`: those before this one. Without a next try it is given up."""
    session.execute(
        update(CommitmentRequest)
        .where(
            CommitmentRequest.request_pk == request_pk,
            CommitmentRequest.state == "waiting",
            CommitmentRequest.tries == tries,
        )
        .values(
            tries=tries + 1,
            last_answer=answer,
            next_try_at=next_try_at,
            state="waiting" if next_try_at is not None else "dead",
        )
    )


@dataclass(frozen=True, slots=True)
class Kept:
    """One content that was received under a UID."""

    sop_instance_uid: str
    sop_class_uid: str
    file_name: str


def kept(session: Session, sop_instance_uids: Collection[str]) -> list[Kept]:
    """Every content that was received under these UIDs."""
    uids, found = sorted(set(sop_instance_uids)), []
    for at in range(0, len(uids), AT_ONCE):
        rows = session.execute(
            select(Instance.sop_instance_uid, Instance.sop_class_uid, Instance.file_name)
            .where(Instance.sop_instance_uid.in_(uids[at : at + AT_ONCE]))
            .order_by(Instance.instance_pk)
        )
        found += [Kept(*row) for row in rows]
    return found
