"""Storage commitment that we ask of destinations, in rows. Shell; every function works in the caller's transaction.

The deliveries themselves know how far they are; a row of `commitment` tells whose a transaction is, so that an answer
is taken from nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from db.outcomes import Commitment, Delivery, Result

AT_ONCE = 200
"""Instances in one transaction."""

REMARK = "storage commitment "
"""What is said of it in `delivery.last_answer` begins so, behind the answer to the delivery itself."""

Reference = tuple[str, str]
"""SOP Class UID, SOP Instance UID."""


def remarked(answer: str, remark: str = "") -> str:
    """The answer to a delivery with the newest remark on its commitment in place of an older one."""
    parts = [part for part in answer.split("; ") if part and not part.startswith(REMARK)]
    return "; ".join([*parts, f"{REMARK}{remark}"] if remark else parts)


def due(session: Session, now: datetime) -> list[tuple[str, datetime]]:
    """(destination, since when) where commitment is to be asked now."""
    since = func.min(Delivery.next_commit_at)
    rows = session.execute(
        select(Delivery.destination, since)
        .where(Delivery.state == "delivered", Delivery.next_commit_at <= now)
        .group_by(Delivery.destination)
        .order_by(Delivery.destination)
    )
    return [(destination, at) for destination, at in rows if at is not None]


def begin(
    session: Session, destination: str, transaction_uid: str, now: datetime, again_at: Callable[[int], datetime | None]
) -> list[Reference]:
    """Enter one transaction for what is due of a destination; what it asks about, nothing if nothing is due.

    again_at: from how often it was asked, this time included, to when it is asked again if no answer comes.
    """
    found = session.execute(
        select(Delivery, Result.sop_class_uid)
        .join(Result, Result.result_sop_instance_uid == Delivery.result_sop_instance_uid)
        .where(Delivery.destination == destination, Delivery.state == "delivered", Delivery.next_commit_at <= now)
        .order_by(Delivery.delivery_pk)
        .limit(AT_ONCE)
        .with_for_update(of=Delivery)
    ).all()
    if found:
        session.add(Commitment(transaction_uid=transaction_uid, destination=destination, asked_at=now))
    for row, _ in found:
        row.commitment_uid, row.commit_tries = transaction_uid, row.commit_tries + 1
        row.next_commit_at = again_at(row.commit_tries)
        row.last_answer = remarked(row.last_answer, _asked(row.commit_tries, row.next_commit_at))
    session.flush()
    return [(sop_class_uid, row.result_sop_instance_uid) for row, sop_class_uid in found]


def _asked(times: int, again_at: datetime | None) -> str:
    asked = f"asked {times} times" if times > 1 else "asked"
    return asked if again_at is not None else f"{asked}, and not again"


def remark(session: Session, transaction_uid: str, text: str, ask_again: bool = True) -> None:
    """Say what became of the asking; without `ask_again` these are not asked for any more."""
    for row in _of_transaction(session, transaction_uid):
        row.last_answer = remarked(row.last_answer, text)
        if not ask_again:
            row.next_commit_at = None
    session.flush()


def _of_transaction(session: Session, transaction_uid: str) -> Sequence[Delivery]:
    return session.scalars(
        select(Delivery)
        .where(Delivery.commitment_uid == transaction_uid, Delivery.state == "delivered")
        .order_by(Delivery.delivery_pk)
        .with_for_update()
    ).all()


def stop(session: Session, destination: str) -> None:
    """Nothing is asked of it any more."""
    session.execute(
        update(Delivery)
        .where(Delivery.destination == destination, Delivery.state == "delivered")
        .values(next_commit_at=None)
    )


def postpone(session: Session, destination: str, now: datetime, until: datetime) -> None:
    """What is due there is asked for later."""
    session.execute(
        update(Delivery)
        .where(Delivery.destination == destination, Delivery.state == "delivered", Delivery.next_commit_at <= now)
        .values(next_commit_at=until)
    )


def destination_of(session: Session, transaction_uid: str) -> str | None:
    """Whom a transaction of ours was asked of; None if it is none of ours."""
    row = session.get(Commitment, transaction_uid)
    return None if row is None else row.destination


def note_answer(session: Session, transaction_uid: str, committed: int, failed: int, now: datetime) -> None:
    row = session.get_one(Commitment, transaction_uid)
    row.answered_at, row.committed, row.failed = now, committed, failed


def commit(session: Session, destination: str, sop_instance_uids: Collection[str], now: datetime) -> int:
    """The destination has promised to keep these, in whatever transaction; how many that is news of."""
    rows = _delivered(session, destination, sop_instance_uids)
    for row in rows:
        row.state, row.committed_at, row.next_commit_at = "committed", now, None
        row.last_answer = remarked(row.last_answer)
    session.flush()
    return len(rows)


def failed_of(session: Session, transaction_uid: str, sop_instance_uids: Collection[str]) -> Sequence[Delivery]:
    """The deliveries to which the destination does not commit, locked.

    Only in the transaction that was asked last: an older answer says nothing of what was sent again since.
    """
    return [
        row for row in _of_transaction(session, transaction_uid) if row.result_sop_instance_uid in sop_instance_uids
    ]


def _delivered(session: Session, destination: str, sop_instance_uids: Collection[str]) -> Sequence[Delivery]:
    return session.scalars(
        select(Delivery)
        .where(
            Delivery.destination == destination,
            Delivery.result_sop_instance_uid.in_(list(sop_instance_uids)),
            Delivery.state == "delivered",
        )
        .order_by(Delivery.delivery_pk)
        .with_for_update()
    ).all()
