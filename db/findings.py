"""What a person says of single findings: rows of the detection, of its analysis, of `assessment`. Shell.

Every function works inside the caller's transaction. Nothing is taken back: who restores a finding adds an assessment.
An analysis counts up its edition where what is reported changes; the results are made anew from that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Text, cast, exists, select
from sqlalchemy.orm import Session

from db import deliveries, studies
from db.errors import RequestError
from db.outcomes import Analysis, Assessment, Audit, Delivery, DetectionRow, Result

REJECTED, ACCEPTED = "rejected", "accepted"
NAMELESS = "web"
"""Who presses a button of the page without a name: the record has it, an assessment has no reader then, and one
without a reader teaches nothing (`db.judged`).
"""
RELEASE = "release findings"
"""The audit's name for it; its target is the analysis, its facts name the edition and the destinations."""


def standing(session: Session, study_instance_uid: str) -> Analysis | None:
    """The analysis whose results are made for a study: its newest, whatever it says."""
    return session.scalar(
        select(Analysis)
        .where(Analysis.study_instance_uid == study_instance_uid)
        .order_by(Analysis.study_revision.desc(), Analysis.finished_at.desc(), Analysis.analysis_id)
        .limit(1)
    )


def lock(session: Session, analysis_id: str) -> Analysis:
    """An analysis that a person may judge; its results are not made anew before this transaction ends.

    Raises RequestError if there is none, or if a newer one has replaced it.
    """
    analysis = session.get(Analysis, analysis_id)
    if analysis is None:
        raise RequestError("there is no such analysis", analysis=analysis_id)
    studies.lock(session, analysis.study_instance_uid)
    session.refresh(analysis)
    last = standing(session, analysis.study_instance_uid)
    if last is None or last.analysis_id != analysis_id:
        raise RequestError("a newer analysis of the study has replaced this one; judge that", analysis=analysis_id)
    return analysis


def get(session: Session, detection_id: str) -> tuple[DetectionRow, Analysis]:
    """A finding that a person may judge, with its analysis, locked.

    Raises RequestError if there is none, if it is no part of any result, or if its analysis was replaced.
    """
    row = session.get(DetectionRow, detection_id)
    if row is None:
        raise RequestError("there is no such finding", detection=detection_id)
    if not row.reported:
        raise RequestError("this is below the operating point and stands in no result", detection=detection_id)
    analysis = lock(session, row.analysis_id)
    session.refresh(row)
    return row, analysis


def of_analysis(session: Session, analysis_id: str) -> list[DetectionRow]:
    """The findings of an analysis, the highest score first; those that a person took out, too."""
    return list(
        session.scalars(
            select(DetectionRow)
            .where(DetectionRow.analysis_id == analysis_id, DetectionRow.reported)
            .order_by(DetectionRow.score.desc(), DetectionRow.detection_id)
        )
    )


def change(
    session: Session,
    analysis: Analysis,
    reader: str,
    now: datetime,
    *,
    out: Sequence[DetectionRow] = (),
    back: Sequence[DetectionRow] = (),
) -> bool:
    """Take findings out of the results and put others back, as one edition; whether anything changed."""
    for row in out:
        row.discarded_by, row.discarded_at = reader, now
        _assess(session, row, REJECTED, reader, now)
    for row in back:
        row.discarded_by, row.discarded_at = "", None
        _assess(session, row, ACCEPTED, reader, now)
    changed = bool(out or back)
    if changed:
        analysis.edition += 1
        analysis.issue_attempts, analysis.next_issue_at = 0, None
    session.flush()
    return changed


def accept(session: Session, row: DetectionRow, reader: str, now: datetime) -> None:
    """A person agrees; what is reported stays as it is."""
    _assess(session, row, ACCEPTED, reader, now)
    session.flush()


def _assess(session: Session, row: DetectionRow, verdict: str, reader: str, now: datetime) -> None:
    session.add(
        Assessment(
            detection_id=row.detection_id,
            analysis_id=row.analysis_id,
            tracking_uid=row.tracking_uid,
            verdict=verdict,
            reader="" if reader == NAMELESS else reader,
            assessed_at=now,
        )
    )


def answers(session: Session, detection_ids: Iterable[str]) -> dict[str, list[Assessment]]:
    """What was said of each finding, the oldest first; nothing of those of which nobody spoke."""
    said = (
        select(Assessment)
        .where(Assessment.detection_id.in_(list(detection_ids)))
        .order_by(Assessment.assessed_at, Assessment.assessment_pk)
    )
    found: dict[str, list[Assessment]] = {}
    for answer in session.scalars(said):
        found.setdefault(str(answer.detection_id), []).append(answer)
    return found


def change_from_prior(row: DetectionRow) -> float | None:
    """How much longer the long axis is than in the earlier study, as a share of that; None without one."""
    return row.long_axis_mm / row.prior_long_axis_mm - 1.0 if row.prior_long_axis_mm else None


# --- what is held -----------------------------------------------------------------------------------------------


def held(session: Session, analysis_id: str, destination: str | None = None) -> list[tuple[int, str]]:
    """(delivery, destination) of the results of an analysis that wait for a person and that nothing has replaced."""
    query = (
        select(Delivery.delivery_pk, Delivery.destination)
        .join(Result, Result.result_sop_instance_uid == Delivery.result_sop_instance_uid)
        .where(Result.analysis_id == analysis_id, Result.superseded_by.is_(None), Delivery.state == "held")
        .order_by(Delivery.delivery_pk)
    )
    if destination is not None:
        query = query.where(Delivery.destination == destination)
    return [(pk, name) for pk, name in session.execute(query)]


def is_outdated(session: Session, delivery_pk: int) -> bool:
    """Whether a delivery's result shows an edition that a person has changed since; a rejection note shows none."""
    return bool(
        session.scalar(
            select((Result.edition < Analysis.edition) & Result.rejects.is_(None))
            .join_from(Delivery, Result, Result.result_sop_instance_uid == Delivery.result_sop_instance_uid)
            .join(Analysis, Analysis.analysis_id == Result.analysis_id)
            .where(Delivery.delivery_pk == delivery_pk)
        )
    )


def release(session: Session, analysis: Analysis, destinations: Iterable[str], actor: str, now: datetime) -> None:
    """A person lets go what is made of an analysis, in its present edition and in those that persons make of it."""
    facts = {"edition": analysis.edition, "destinations": sorted(set(destinations))}
    session.add(Audit(at=now, actor=actor, action=RELEASE, target=analysis.analysis_id, facts=facts))
    session.flush()


def released(session: Session, analysis_id: str, destination: str, profile: str | None = None) -> bool:
    """Whether what is made of an analysis may go to a destination that holds: it is to wait and not to be held.

    So it is where a person released the analysis for it; where a person let a result of it go there; and where one
    stands there already, which must be set right at once. Later editions are made by persons alone, so that the word
    holds for them, too. profile: only results of that one are looked at; what was discarded says nothing.
    """
    said = session.scalars(select(Audit.facts).where(Audit.action == RELEASE, Audit.target == analysis_id))
    if any(destination in facts.get("destinations", ()) for facts in said):
        return True
    let_go = exists().where(Audit.action == deliveries.RELEASE, Audit.target == cast(Delivery.delivery_pk, Text))
    query = (
        select(Delivery.delivery_pk)
        .join(Result, Result.result_sop_instance_uid == Delivery.result_sop_instance_uid)
        .where(
            Result.analysis_id == analysis_id,
            Delivery.destination == destination,
            Delivery.delivered_at.is_not(None) | let_go,
        )
        .limit(1)
    )
    if profile is not None:
        query = query.where(Result.profile == profile)
    return session.scalar(query) is not None
