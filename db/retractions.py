"""Which delivered results must be taken back. Shell; every function works inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from db import analyses, deliveries
from db.errors import RequestError
from db.models import Study
from db.outcomes import Analysis, Assessment, Audit, Delivery, DetectionRow, Result
from db.views_of_results import newest_answers

WITHDRAW = "withdraw result"
"""The audit's name for it; its target is the result's SOP Instance UID."""

SAID = "withdrawn by a person"
WITHDRAWN, REJECTED, SUPERSEDED, OUTDATED = "withdrawn", "rejected", "superseded", "outdated"


@dataclass(frozen=True, slots=True)
class Due:
    """A result that stands at a destination and must be taken back there. because: one of the four words."""

    destination: str
    result_sop_instance_uid: str
    study_instance_uid: str
    because: str


def due(session: Session, destinations: Collection[str], limit: int = 200) -> list[Due]:
    """What is to be taken back at these destinations and no rejection note has been queued for, the oldest first."""
    # Sets and not conditions on each row: of a node that ran for years, nearly every delivery has arrived.
    note, sent = aliased(Result), aliased(Delivery)
    noted = (
        select(note.rejects, sent.destination)
        .join(sent, sent.result_sop_instance_uid == note.result_sop_instance_uid)
        .where(note.rejects.is_not(None))
        .subquery()
    )
    of_this = (noted.c.rejects == Result.result_sop_instance_uid) & (noted.c.destination == Delivery.destination)
    because = case(
        (_withdrawn(), WITHDRAWN), (_all_rejected(), REJECTED), (Result.superseded_by.is_not(None), SUPERSEDED),
        else_=OUTDATED,
    )  # fmt: skip
    rows = session.execute(
        select(Delivery.destination, Result.result_sop_instance_uid, Analysis.study_instance_uid, because)
        .join_from(Delivery, Result, Result.result_sop_instance_uid == Delivery.result_sop_instance_uid)
        .join(Analysis, Analysis.analysis_id == Result.analysis_id)
        .join(Study, Study.study_instance_uid == Analysis.study_instance_uid)
        .outerjoin(noted, of_this)
        .where(Delivery.destination.in_(sorted(destinations)), Delivery.state.in_(deliveries.ARRIVED))
        .where(Result.rejects.is_(None), noted.c.rejects.is_(None))
        .where(or_(_superseded(), _outdated(), _all_rejected(), _withdrawn()))
        .order_by(Delivery.delivery_pk)
        .limit(limit)
    )
    return [Due(*row) for row in rows]


def _withdrawn() -> ColumnElement[bool]:
    return Result.result_sop_instance_uid.in_(select(Audit.target).where(Audit.action == WITHDRAW))


def _superseded() -> ColumnElement[bool]:
    """Replaced, once what replaces it can be seen at the destination, or never will be: until a person has released it,
    or while it waits for a later try, the old one is what there is.

    A report with a newer one in its series is left: viewers show that one, which names the older as its predecessor.
    """
    newer, sent = aliased(Result), aliased(Delivery)
    in_its_series = (newer.series_instance_uid == Result.series_instance_uid) & or_(
        newer.instance_number > Result.instance_number, newer.result_sop_instance_uid == Result.superseded_by
    )
    for_it = exists().where(
        sent.result_sop_instance_uid == newer.result_sop_instance_uid, sent.destination == Delivery.destination
    )
    to_come = for_it.where(
        or_(in_its_series, newer.result_sop_instance_uid == Result.superseded_by),
        sent.state.in_(("held", "waiting", "dead")),
    )
    shown_instead = for_it.where(in_its_series, sent.state.in_(deliveries.ARRIVED))
    return and_(Result.superseded_by.is_not(None), ~to_come, or_(Result.kind != "SR", ~shown_instead))


def _outdated() -> ColumnElement[bool]:
    """Of an analysis, or an edition of it, after which nothing was made that could replace the result: a segmentation
    where nothing is found any more. That a study could not be looked at says nothing of what was found before.
    """
    later = aliased(Analysis)
    after = exists().where(
        later.study_instance_uid == Analysis.study_instance_uid,
        later.study_revision > Analysis.study_revision,
        later.study_revision <= Study.analysed_revision,
        later.state != analyses.NOT_ANALYSED,
    )
    looked_at_again = and_(Analysis.study_revision < Study.analysed_revision, after)  # of nearly no study, told at once
    return and_(Result.superseded_by.is_(None), or_(Result.edition < Analysis.issued_edition, looked_at_again))


def _all_rejected() -> ColumnElement[bool]:
    """A reader's last word on every finding that the result shows is that it is none."""
    answer, shown = newest_answers(), DetectionRow
    answered = select(Assessment.analysis_id).where(Assessment.verdict == "rejected")
    left = func.sum(case((func.coalesce(answer.c.verdict, "") == "rejected", 0), else_=1))
    all_of = (
        select(shown.analysis_id)
        .outerjoin(answer, answer.c.detection_id == shown.detection_id)
        .where(shown.analysis_id.in_(answered), shown.reported, shown.discarded_by == "")
        .group_by(shown.analysis_id)
        .having(left == 0)
    )
    return and_(Result.superseded_by.is_(None), Result.analysis_id.in_(all_of))


def is_withdrawn(session: Session, result_sop_instance_uid: str) -> bool:
    """Whether a person took a result back everywhere."""
    said = exists().where(Audit.action == WITHDRAW, Audit.target == result_sop_instance_uid)
    return bool(session.scalar(select(said)))


def withdraw(session: Session, result_sop_instance_uid: str, actor: str, now: datetime) -> dict[str, str]:
    """A person takes a result back everywhere: destination → state in which its delivery was.

    What has not arrived is not sent any more; what has arrived says so. Raises RequestError for an unknown result, for
    a rejection note, and for one that is withdrawn already.
    """
    result = session.get(Result, result_sop_instance_uid)
    if result is None or result.rejects is not None:
        raise RequestError("there is no such result", result=result_sop_instance_uid)
    if is_withdrawn(session, result_sop_instance_uid):
        raise RequestError("this result is withdrawn already", result=result_sop_instance_uid)
    session.add(Audit(at=now, actor=actor, action=WITHDRAW, target=result_sop_instance_uid, facts={}))
    rows = select(Delivery).where(Delivery.result_sop_instance_uid == result_sop_instance_uid)
    states = {}
    for row in session.scalars(rows.order_by(Delivery.destination).with_for_update()):
        if row.delivered_at is not None and row.state not in (*deliveries.ARRIVED, "retracted"):
            row.state, row.next_try_at = "delivered", None  # it stands there, and was to be sent again
        states[row.destination] = row.state
        if row.state in deliveries.ARRIVED:
            row.last_answer = f"{row.last_answer}; {SAID}"
        elif row.state != "retracted":
            row.state, row.last_answer, row.next_try_at = "discarded", SAID, None
    session.flush()
    return states
