"""What the pages show of the outbox: deliveries, destinations, receipts, storage commitment. Shell: reads only.

Every function makes a fixed number of queries, whatever the number of rows, and returns plain values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ColumnExpressionArgument, column, func, select, table
from sqlalchemy.orm import Session

from db.circuits import open_circuits
from db.outcomes import DELIVERY_STATES, Analysis, Circuit, Commitment, CommitmentRequest, Delivery, Result
from db.tables import UtcDateTime
from dicom_node.web.paging import PAGE_ROWS, Page, offset_of
from dicom_node.web.queries import count
from dicom_node.web.settings import Destination

_RECEIPTS = table(
    "receipts",
    *(column(name) for name in ("study_instance_uid", "destination", "objects", "arrived", "committed")),
    *(column(name, UtcDateTime()) for name in ("delivered_at", "committed_at")),
    column("complete", Boolean()),
)
"""The view."""


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    delivery_pk: int
    result_sop_instance_uid: str
    kind: str
    profile: str
    study_instance_uid: str
    destination: str
    state: str
    tries: int
    next_try_at: datetime | None
    last_answer: str
    created_at: datetime
    delivered_at: datetime | None
    committed_at: datetime | None
    superseded: bool
    rejects: str | None
    """The result that this one, a rejection note, takes back."""


def deliveries(
    session: Session,
    number: int = 1,
    state: str = "",
    destination: str = "",
    rows: int = PAGE_ROWS,
    study_instance_uid: str = "",
) -> Page[DeliveryLine]:
    """The newest first; of a state, a destination or a study, or of all."""
    conditions: list[ColumnExpressionArgument[bool]] = []
    if state:
        conditions.append(Delivery.state == state)
    if destination:
        conditions.append(Delivery.destination == destination)
    if study_instance_uid:
        of_study = select(Result.result_sop_instance_uid).join(Analysis)
        of_study = of_study.where(Analysis.study_instance_uid == study_instance_uid)
        conditions.append(Delivery.result_sop_instance_uid.in_(of_study))
    newest = (
        select(Delivery, Result, Analysis.study_instance_uid)
        .join(Result, Result.result_sop_instance_uid == Delivery.result_sop_instance_uid)
        .join(Analysis, Analysis.analysis_id == Result.analysis_id)
        .where(*conditions)
        .order_by(Delivery.delivery_pk.desc())
        .offset(offset_of(number, rows))
        .limit(rows)
    )
    found = [
        DeliveryLine(
            delivery.delivery_pk,
            delivery.result_sop_instance_uid,
            result.kind,
            result.profile,
            study_instance_uid,
            delivery.destination,
            delivery.state,
            delivery.tries,
            delivery.next_try_at,
            delivery.last_answer,
            delivery.created_at,
            delivery.delivered_at,
            delivery.committed_at,
            result.superseded_by is not None,
            result.rejects,
        )
        for delivery, result, study_instance_uid in session.execute(newest)
    ]
    return Page(found, count(session, Delivery, *conditions), max(1, number), rows)


@dataclass(frozen=True, slots=True)
class DestinationLine:
    """A destination with its queue. `known` is None for one that stands in the ledger but no longer in the settings."""

    name: str
    known: Destination | None
    states: dict[str, int]
    last_success_at: datetime | None
    oldest_waiting_at: datetime | None
    last_answer: str
    """Of what waits or was given up, the newest."""
    circuit: Circuit | None
    """Open, or None: a destination that answers has none."""

    @property
    def queue(self) -> int:
        return self.states.get("waiting", 0)


def destinations(session: Session, settings: Sequence[Destination]) -> list[DestinationLine]:
    """Every peer of the settings that is delivered to, and every other name in the ledger, by name."""
    known = {one.name: one for one in settings}
    states: dict[str, dict[str, int]] = {}
    grouped = select(Delivery.destination, Delivery.state, func.count()).group_by(Delivery.destination, Delivery.state)
    for name, state, total in sorted(session.execute(grouped), key=lambda row: DELIVERY_STATES.index(row[1])):
        states.setdefault(name, {})[state] = total
    success = _times(session, func.max(Delivery.delivered_at))
    oldest = _times(session, func.min(Delivery.created_at), Delivery.state == "waiting")
    answers = _last_answers(session)
    broken = {circuit.destination: circuit for circuit in open_circuits(session)}
    return [
        DestinationLine(
            name,
            known.get(name),
            states.get(name, {}),
            success.get(name),
            oldest.get(name),
            answers.get(name, ""),
            broken.get(name),
        )
        for name in sorted({one.name for one in settings if one.profiles} | states.keys())
    ]


def _times(session: Session, time: Any, *conditions: ColumnExpressionArgument[bool]) -> dict[str, datetime | None]:
    rows = session.execute(select(Delivery.destination, time).where(*conditions).group_by(Delivery.destination))
    return dict(rows.all())


def _last_answers(session: Session) -> dict[str, str]:
    newest = (
        select(func.max(Delivery.delivery_pk))
        .where(Delivery.state.in_(("waiting", "dead")), Delivery.last_answer != "")
        .group_by(Delivery.destination)
    )
    rows = session.execute(select(Delivery.destination, Delivery.last_answer).where(Delivery.delivery_pk.in_(newest)))
    return dict(rows.all())


# --- receipts ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a study's newest results at one destination."""

    destination: str
    objects: int
    arrived: int
    committed: int
    delivered_at: datetime | None
    committed_at: datetime | None
    complete: bool
    """The destination has promised to keep all of them."""


def receipts(session: Session, study_instance_uid: str) -> list[Receipt]:
    view = _RECEIPTS.c
    columns = (view.destination, view.objects, view.arrived, view.committed)
    rows = session.execute(
        select(*columns, view.delivered_at, view.committed_at, view.complete)
        .where(view.study_instance_uid == study_instance_uid)
        .order_by(view.destination)
    )
    return [Receipt(*row) for row in rows]


def commitments(session: Session, destination: str, rows: int) -> list[Commitment]:
    """What we asked a destination to promise, the newest first."""
    asked = select(Commitment).where(Commitment.destination == destination)
    return list(session.scalars(asked.order_by(Commitment.asked_at.desc(), Commitment.transaction_uid).limit(rows)))


def commitment_requests(session: Session, rows: int, ae_title: str = "") -> list[CommitmentRequest]:
    """What peers asked us to promise and still wait for, or gave up waiting for, the oldest first."""
    asked = select(CommitmentRequest).where(CommitmentRequest.state != "answered")
    if ae_title:
        asked = asked.where(CommitmentRequest.ae_title == ae_title)
    return list(session.scalars(asked.order_by(CommitmentRequest.request_pk).limit(rows)))
