"""What the pages show of studies: the listing, what each waits for, and its images in conflict. Shell: reads only.

Every function makes a fixed number of queries, whatever the number of rows, and returns plain values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnExpressionArgument, and_, exists, or_, select
from sqlalchemy.orm import Session, aliased

from db.models import Instance, LesionRow, Patient, Study
from db.outcomes import Analysis
from dicom_node.web.paging import PAGE_ROWS, Page, offset_of
from dicom_node.web.queries import count, counted


@dataclass(frozen=True, slots=True)
class StudyLine:
    study_instance_uid: str
    patient_id: str
    accession_number: str
    study_date: date | None
    description: str
    state: str
    instances: int
    expected_instances: int | None
    conflicts: int
    received_last_at: datetime
    source_ae: str
    waits_for: str
    """settle, harvest, detect, a choice; empty if nothing is undone."""
    failed_tries: int
    """Of what is undone, in this revision."""
    next_try_at: datetime | None
    """None after failed tries: given up until a person asks for a retry."""
    error: str
    outcome: str
    """What its newest analysis says; empty if it was never looked at."""
    reason: str
    lesions: int


def waits_for(study: Study, conflicts: int) -> str:
    """The step that has not seen the study as it is now; 'a choice' where a conflict holds it back."""
    if study.state == "receiving":
        return "settle"
    if study.harvested_revision < study.revision:
        return "harvest"
    if study.analyse and study.analysed_revision < study.revision:
        return "a choice" if conflicts else "detect"
    return ""


def in_conflict() -> ColumnExpressionArgument[bool]:
    return exists().where(Instance.study_instance_uid == Study.study_instance_uid, Instance.state == "conflict")


def newest_analysis_failed() -> ColumnExpressionArgument[bool]:
    return exists().where(
        Analysis.study_instance_uid == Study.study_instance_uid,
        Analysis.study_revision == Study.revision,
        Analysis.state == "failed",
    )


def given_up() -> ColumnExpressionArgument[bool]:
    """Undone after several failed tries, with none to follow."""
    undone = or_(
        Study.harvested_revision < Study.revision, and_(Study.analyse, Study.analysed_revision < Study.revision)
    )
    failed = and_(Study.attempted_revision == Study.revision, Study.attempts > 0, Study.next_try_at.is_(None))
    return and_(Study.state != "receiving", undone, failed)


def results_stale(*conditions: ColumnExpressionArgument[bool]) -> ColumnExpressionArgument[bool]:
    """Whose results do not show what a person said of the findings; a list of few, so that it is made once."""
    newest = aliased(Study)
    stale = (
        select(Analysis.study_instance_uid)
        .join(newest, newest.study_instance_uid == Analysis.study_instance_uid)
        .where(Analysis.issued_edition < Analysis.edition, Analysis.study_revision == newest.revision, *conditions)
    )
    return Study.study_instance_uid.in_(stale)


def results_given_up() -> ColumnExpressionArgument[bool]:
    """Those of them that several tries could not make anew, with none to follow."""
    return results_stale(Analysis.issue_attempts > 0, Analysis.next_issue_at.is_(None))


STUDY_FILTERS: dict[str, Callable[[], ColumnExpressionArgument[bool]]] = {
    "conflict": in_conflict,
    "failed": newest_analysis_failed,
    "given up": given_up,
    "incomplete": lambda: Study.state == "incomplete",
    "receiving": lambda: Study.state == "receiving",
    "stale": results_stale,
    "settled": lambda: Study.state == "settled",
}


def studies(session: Session, number: int = 1, show: str = "", rows: int = PAGE_ROWS) -> Page[StudyLine]:
    """The studies that arrived last, first. show: a key of STUDY_FILTERS, else all."""
    conditions = [STUDY_FILTERS[show]()] if show in STUDY_FILTERS else []
    newest = (
        select(Study, Patient.patient_id)
        .outerjoin(Patient)
        .where(*conditions)
        .order_by(Study.received_last_at.desc(), Study.study_instance_uid)
        .offset(offset_of(number, rows))
        .limit(rows)
    )
    found = [(study, patient_id or "") for study, patient_id in session.execute(newest)]
    return Page(_study_lines(session, found), count(session, Study, *conditions), max(1, number), rows)


def study(session: Session, study_instance_uid: str) -> StudyLine | None:
    one = select(Study, Patient.patient_id).outerjoin(Patient).where(Study.study_instance_uid == study_instance_uid)
    lines = _study_lines(session, [(found, patient_id or "") for found, patient_id in session.execute(one)])
    return lines[0] if lines else None


def _study_lines(session: Session, found: Sequence[tuple[Study, str]]) -> list[StudyLine]:
    uids = [study.study_instance_uid for study, _ in found]
    instances = _by_study(session, Instance, Instance.study_instance_uid.in_(uids), Instance.state != "superseded")
    conflicts = _by_study(session, Instance, Instance.study_instance_uid.in_(uids), Instance.state == "conflict")
    lesions = _by_study(session, LesionRow, LesionRow.study_instance_uid.in_(uids))
    analyses = {
        analysis.study_instance_uid: analysis
        for analysis in session.scalars(
            select(Analysis)
            .where(Analysis.study_instance_uid.in_(uids))
            .order_by(Analysis.study_revision, Analysis.finished_at)
        )
    }
    return [
        StudyLine(
            study.study_instance_uid,
            patient_id,
            study.accession_number,
            study.study_date,
            study.description,
            study.state,
            instances.get(study.study_instance_uid, 0),
            study.expected_instances,
            conflicts.get(study.study_instance_uid, 0),
            study.received_last_at,
            study.source_ae,
            undone,
            study.attempts if undone and study.attempted_revision == study.revision else 0,
            study.next_try_at,
            study.error,
            analysis.state if (analysis := analyses.get(study.study_instance_uid)) else "",
            analysis.reason if analysis else "",
            lesions.get(study.study_instance_uid, 0),
        )
        for study, patient_id in found
        for undone in (waits_for(study, conflicts.get(study.study_instance_uid, 0)),)
    ]


def _by_study(session: Session, table: Any, *conditions: ColumnExpressionArgument[bool]) -> dict[str, int]:
    return counted(session, table.study_instance_uid, *conditions)
