"""Rows of the ledger of results: every DICOM object that this node made."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.errors import RequestError
from db.outcomes import Analysis, Result


def record(
    session: Session,
    *,
    result_sop_instance_uid: str,
    analysis_id: str,
    kind: str,
    profile: str,
    sop_class_uid: str,
    series_instance_uid: str,
    instance_number: int,
    file_name: str,
    header_sha256: str,
    now: datetime,
    edition: int = 0,
    rejects: str | None = None,
) -> Result:
    """Enter one object before it is sent. The same object again changes nothing and gives the row that stands.

    Raises RequestError if the UID stands for something else.
    """
    known = session.get(Result, result_sop_instance_uid)
    if known is not None:
        same = (known.analysis_id, known.profile, known.file_name, known.header_sha256)
        if same != (analysis_id, profile, file_name, header_sha256):
            raise RequestError("this result is entered already, as another", sop_instance_uid=result_sop_instance_uid)
        return known
    row = Result(
        result_sop_instance_uid=result_sop_instance_uid,
        analysis_id=analysis_id,
        kind=kind,
        profile=profile,
        sop_class_uid=sop_class_uid,
        series_instance_uid=series_instance_uid,
        instance_number=instance_number,
        file_name=file_name,
        header_sha256=header_sha256,
        created_at=now,
        edition=edition,
        rejects=rejects,
    )
    session.add(row)
    session.flush()
    return row


def current_results(session: Session, study_instance_uid: str) -> list[Result]:
    """The results of a study that no other has superseded, in the order they were made; no rejection notes."""
    return list(
        session.scalars(
            select(Result)
            .join(Analysis, Analysis.analysis_id == Result.analysis_id)
            .where(Analysis.study_instance_uid == study_instance_uid, Result.superseded_by.is_(None))
            .where(Result.rejects.is_(None))
            .order_by(Result.created_at, Result.result_sop_instance_uid)
        )
    )


def predecessor(session: Session, study_instance_uid: str, profile: str) -> Result | None:
    """The newest result of that encoding for a study, of whatever model, superseded or not.

    A new one goes into its series. It may be superseded by one of another encoding: nothing found has no SEG.
    """
    return session.scalars(
        select(Result)
        .join(Analysis, Analysis.analysis_id == Result.analysis_id)
        .where(Analysis.study_instance_uid == study_instance_uid, Result.profile == profile)
        .order_by(Result.instance_number.desc(), Result.created_at.desc())
        .limit(1)
    ).first()


def supersede(session: Session, old: str, new: str) -> None:
    """Mark one result as replaced by another, both by SOP Instance UID. The same again changes nothing.

    Raises RequestError if either is unknown, if they are one, or if the old one was replaced by a third.
    """
    row = session.get(Result, old)
    if row is None or session.get(Result, new) is None or old == new:
        raise RequestError("one result supersedes another that is known", old=old, new=new)
    if row.superseded_by not in (None, new):
        raise RequestError("this result is superseded already", old=old, new=new, superseded_by=row.superseded_by)
    row.superseded_by = new
    session.flush()


def next_instance_number(session: Session, series_instance_uid: str) -> int:
    """1 for a new series, else one more than the highest that we gave in it."""
    highest = session.scalar(
        select(func.max(Result.instance_number)).where(Result.series_instance_uid == series_instance_uid)
    )
    return (highest or 0) + 1
