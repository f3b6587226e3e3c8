"""What the pages show of findings: what waits for a person, how often people disagree. Shell: reads only.

Every function makes a fixed number of queries, whatever the number of rows, and returns plain values.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import Integer, Text, column, func, select, table
from sqlalchemy.orm import Session

from db.models import Patient, Study
from db.outcomes import Analysis, Delivery, DetectionRow, Model, Result
from dicom_node.viewer_link import Place, viewer_link
from dicom_node.web.paging import PAGE_ROWS, Page, offset_of
from dicom_node.web.settings import Destination

RELEASE_ROWS = 20
"""On one page of what waits: it shows pictures."""

_RATES = table(
    "override_rates",
    *(column(name, Text()) for name in ("model_id", "category")),
    *(column(name, Integer()) for name in ("reported", "answered", "accepted", "modified", "rejected")),
    column("override_rate"),
)
"""The view."""


@dataclass(frozen=True, slots=True)
class HeldLine:
    """An analysis whose results a person must let go."""

    analysis_id: str
    study_instance_uid: str
    patient_id: str
    study_date: date | None
    description: str
    state: str
    since: datetime
    destinations: tuple[str, ...]
    findings: tuple[DetectionRow, ...]
    """That nobody rejected, the highest score first."""


def to_release(session: Session, number: int = 1, rows: int = RELEASE_ROWS) -> Page[HeldLine]:
    """Everything that is held, the oldest first; not what was replaced or is being made anew."""
    held = (
        select(Result.analysis_id, func.min(Delivery.created_at).label("since"))
        .join_from(Delivery, Result, Result.result_sop_instance_uid == Delivery.result_sop_instance_uid)
        .join(Analysis, Analysis.analysis_id == Result.analysis_id)
        .where(Delivery.state == "held", Result.superseded_by.is_(None), Result.edition >= Analysis.edition)
        .group_by(Result.analysis_id)
        .subquery()
    )
    lines = session.execute(
        select(Analysis, held.c.since, Study, Patient.patient_id)
        .join(held, held.c.analysis_id == Analysis.analysis_id)
        .join(Study, Study.study_instance_uid == Analysis.study_instance_uid)
        .outerjoin(Patient, Patient.patient_pk == Study.patient_pk)
        .order_by(held.c.since, Analysis.analysis_id)
        .offset(offset_of(number, rows))
        .limit(rows)
    ).all()
    shown = [analysis.analysis_id for analysis, *_ in lines]
    findings, destinations = _standing_findings(session, shown), _held_for(session, shown)
    found = [
        HeldLine(
            analysis.analysis_id,
            study.study_instance_uid,
            patient_id or "",
            study.study_date,
            study.description,
            analysis.state,
            since,
            tuple(destinations.get(analysis.analysis_id, ())),
            tuple(findings.get(analysis.analysis_id, ())),
        )
        for analysis, since, study, patient_id in lines
    ]
    return Page(found, session.scalar(select(func.count()).select_from(held)) or 0, max(1, number), rows)


def _standing_findings(session: Session, analysis_ids: Collection[str]) -> dict[str, list[DetectionRow]]:
    rows = session.scalars(
        select(DetectionRow)
        .where(DetectionRow.analysis_id.in_(analysis_ids), DetectionRow.reported, DetectionRow.discarded_by == "")
        .order_by(DetectionRow.score.desc(), DetectionRow.detection_id)
    )
    found: dict[str, list[DetectionRow]] = {}
    for row in rows:
        found.setdefault(row.analysis_id, []).append(row)
    return found


def _held_for(session: Session, analysis_ids: Collection[str]) -> dict[str, list[str]]:
    rows = session.execute(
        select(Result.analysis_id, Delivery.destination)
        .join_from(Delivery, Result, Result.result_sop_instance_uid == Delivery.result_sop_instance_uid)
        .where(Result.analysis_id.in_(analysis_ids), Result.superseded_by.is_(None), Delivery.state == "held")
        .distinct()
        .order_by(Delivery.destination)
    )
    found: dict[str, list[str]] = {}
    for analysis_id, destination in rows:
        found.setdefault(analysis_id, []).append(destination)
    return found


# --- links ------------------------------------------------------------------------------------------------------


def viewer_links(destinations: Sequence[Destination], place: Place) -> list[tuple[str, str]]:
    """(destination, address) of every viewer that can open a place; one that several share, once."""
    links = {viewer_link(one.viewer_url, place): one.name for one in reversed(destinations)}
    return [(name, address) for address, name in reversed(links.items()) if address]


def finding_links(
    destinations: Sequence[Destination], place: Place, rows: Sequence[DetectionRow]
) -> dict[str, list[tuple[str, str]]]:
    """The links of each finding of a study, by its id."""
    return {row.detection_id: viewer_links(destinations, replace(place, instance=row.sop_instance_uid)) for row in rows}


# --- what people said -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OverrideLine:
    """What people said of what a model reported in one category."""

    model_id: str
    category: str
    reported: int
    answered: int
    accepted: int
    modified: int
    rejected: int
    override_rate: float | None
    """Share of the answered that were moved or rejected, 0 to 1."""


def override_rates(session: Session, rows: int = PAGE_ROWS) -> list[OverrideLine]:
    """Where anybody answered: the newest model first."""
    view = _RATES.c
    columns = (view.model_id, view.category, view.reported, view.answered, view.accepted, view.modified, view.rejected)
    found = session.execute(
        select(*columns, view.override_rate)
        .outerjoin(Model, Model.model_id == view.model_id)
        .where(view.answered > 0)
        .order_by(Model.trained_at.desc(), view.model_id, view.category)
        .limit(rows)
    )
    return [OverrideLine(*(row.model_id or "", row.category or "", *row[2:])) for row in found]
