"""What arrives: the rows of an instance and its study, and the list of what was refused. Shell.

Every function works inside the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, insert, select, update
from sqlalchemy.orm import Session

from db.contents import CONFLICT, CURRENT, RECEIVING, SUPERSEDED
from db.models import Instance, Refusal, Study
from db.outcomes import Analysis, Audit, Delivery, Result, Translation
from db.translations import SENT
from db.upsert import insert_once


@dataclass(frozen=True, slots=True)
class Arrival:
    """One content of one instance as it arrived, with the name of its file."""

    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    content_sha256: str
    file_name: str
    size_bytes: int
    source_ae: str
    analyse: bool


def add_instance(session: Session, arrival: Arrival, now: datetime) -> bool:
    """Record an arrival; a new content re-opens its study. Returns False if that very content was known.

    A second content of a known instance stands as 'conflict' until its study settles and the two are compared. A known
    one is the newest from now on; if another had superseded it, that re-opens the study too.
    Safe against the same arrival in another process: the database's unique keys decide.
    """
    insert_once(
        session,
        Study,
        study_instance_uid=arrival.study_instance_uid,
        received_first_at=now,
        received_last_at=now,
        source_ae=arrival.source_ae,
        analyse=arrival.analyse,
        state=RECEIVING,
    )
    # The lock on the study's row lets no other process add to it between this look and the commit.
    session.execute(
        select(Study.study_instance_uid).where(Study.study_instance_uid == arrival.study_instance_uid).with_for_update()
    )
    known = session.scalar(
        select(exists().where(Instance.sop_instance_uid == arrival.sop_instance_uid, Instance.state == CURRENT))
    )
    new = insert_once(
        session,
        Instance,
        sop_instance_uid=arrival.sop_instance_uid,
        study_instance_uid=arrival.study_instance_uid,
        series_instance_uid=arrival.series_instance_uid,
        sop_class_uid=arrival.sop_class_uid,
        transfer_syntax_uid=arrival.transfer_syntax_uid,
        content_sha256=arrival.content_sha256,
        file_name=arrival.file_name,
        size_bytes=arrival.size_bytes,
        state=CONFLICT if known else CURRENT,
        received_at=now,
        source_ae=arrival.source_ae,
        indexed=False,
    )
    study = Study.study_instance_uid == arrival.study_instance_uid
    if new or _superseded_is_back(session, arrival, now):
        session.execute(
            update(Study).where(study).values(state=RECEIVING, received_last_at=now, expected_instances=None)
        )
    else:  # sent again: the sender has not ended, but a settled study stays settled
        session.execute(update(Study).where(study, Study.state == RECEIVING).values(received_last_at=now))
    if arrival.analyse:
        session.execute(update(Study).where(study, Study.analyse.is_(False)).values(analyse=True))
    if arrival.source_ae:  # what was imported first has no sender yet that could be asked
        session.execute(update(Study).where(study, Study.source_ae == "").values(source_ae=arrival.source_ae))
    return new


def _superseded_is_back(session: Session, arrival: Arrival, now: datetime) -> bool:
    """Note that a known content came again; if it had been superseded, the next settling compares it anew."""
    row = session.scalars(
        select(Instance).where(
            Instance.sop_instance_uid == arrival.sop_instance_uid, Instance.content_sha256 == arrival.content_sha256
        )
    ).one()
    row.received_at = now
    if row.state != SUPERSEDED:
        return False
    row.indexed = False
    return True


def not_returned(session: Session, study_instance_uid: str, destination: str) -> int:
    """How many of our objects for a study a destination took and did not send back: it counts them, we do not.

    What was taken back by a rejection note it hides.
    """
    back = exists().where(
        Instance.sop_instance_uid == Result.result_sop_instance_uid,
        Instance.study_instance_uid == study_instance_uid,
        Instance.state == CURRENT,
    )
    taken = (
        select(func.count(Delivery.delivery_pk))
        .join(Result, Result.result_sop_instance_uid == Delivery.result_sop_instance_uid)
        .join(Analysis, Analysis.analysis_id == Result.analysis_id)
        .where(Analysis.study_instance_uid == study_instance_uid, Delivery.destination == destination)
        .where(Delivery.delivered_at.is_not(None), Delivery.state != "retracted", ~back)
    )
    return (session.scalar(taken) or 0) + _translations_not_returned(session, study_instance_uid, destination)


def _translations_not_returned(session: Session, study_instance_uid: str, destination: str) -> int:
    """A person sends them, so that the audit knows where they went."""
    back = exists().where(
        Instance.sop_instance_uid == Translation.result_sop_instance_uid,
        Instance.study_instance_uid == study_instance_uid,
        Instance.state == CURRENT,
    )
    sent = exists().where(
        Audit.action == SENT,
        Audit.target == Translation.result_sop_instance_uid,
        Audit.facts["destination"].as_string() == destination,
    )
    return (
        session.scalar(
            select(func.count(Translation.result_sop_instance_uid)).where(
                Translation.study_instance_uid == study_instance_uid, sent, ~back
            )
        )
        or 0
    )


def has_content(session: Session, sop_instance_uid: str, content_sha256: str) -> bool:
    return bool(
        session.scalar(
            select(
                exists().where(Instance.sop_instance_uid == sop_instance_uid, Instance.content_sha256 == content_sha256)
            )
        )
    )


def add_refusal(
    session: Session, source: str, sop_instance_uid: str, reason_code: str, reason: str, now: datetime
) -> None:
    """List an object that was not taken, or not wholly."""
    session.execute(
        insert(Refusal).values(
            at=now, source=source, sop_instance_uid=sop_instance_uid, reason_code=reason_code, reason=reason
        )
    )
