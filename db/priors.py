"""Earlier studies of a patient ← rows: which lesions were reported there, and where they lie. Shell.

Every function works inside the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db import findings, studies
from db.geometry import BoxPx, Plane, PointMm
from db.measurement import ImageReference
from db.models import Patient, Series, Study
from db.outcomes import Analysis

MOST_STUDIES = 5
"""A lesion that is in none of so many studies before this one begins anew."""


@dataclass(frozen=True, slots=True)
class PriorLesion:
    """A lesion reported in an earlier study. centre: in that study's Frame of Reference (mm, LPS)."""

    detection_id: str
    tracking_uid: str
    centre: PointMm
    long_axis_mm: float
    prior_detection_id: str | None = None
    """What it was in a study before that, if it is known."""


@dataclass(frozen=True, slots=True)
class PriorStudy:
    """overview: as it was kept (`detector.overview`); empty if none was."""

    study_date: date
    frame_of_reference_uid: str
    overview: dict[str, Any]
    lesions: tuple[PriorLesion, ...]


def centre_mm(plane: Plane, box: BoxPx, first_mm: float, last_mm: float) -> PointMm:
    """The middle of a lesion: of its box on the key slice, moved along the normal between its first and last slice.

    plane: of the key slice. first_mm, last_mm: `Plane.position_mm` of the slices at its ends. Pure.
    """
    on_key, along = plane.to_mm(box.centre), (first_mm + last_mm) / 2 - plane.position_mm
    n = plane.normal
    return PointMm(on_key.x + along * n[0], on_key.y + along * n[1], on_key.z + along * n[2])


def prior_studies(session: Session, study_instance_uid: str) -> list[PriorStudy]:
    """The patient's studies of an earlier date in which lesions were reported, the newest first.

    Of each study the newest analysis that looked at it counts. The patient is the one that others were merged into. A
    study without a date has none before it, and is before none; those of one day are not ordered.
    """
    study = session.get(Study, study_instance_uid)
    if study is None or study.study_date is None or study.patient_pk is None:
        return []
    who = func.coalesce(Patient.resolved_patient_pk, Patient.patient_pk)
    patient = select(who).where(Patient.patient_pk == study.patient_pk).scalar_subquery()
    rows = session.execute(
        select(Study.study_date, Analysis)
        .join(Patient, Patient.patient_pk == Study.patient_pk)
        .join(Analysis, Analysis.study_instance_uid == Study.study_instance_uid)
        .where(who == patient, Study.study_date < study.study_date, Analysis.state.in_(("found", "none found")))
        .order_by(
            Study.study_date.desc(), Study.study_instance_uid, Analysis.study_revision.desc(),
            Analysis.finished_at.desc(), Analysis.analysis_id,
        )
    ).all()  # fmt: skip
    found: list[PriorStudy] = []
    looked_at: set[str] = set()
    for on, analysis in rows:
        if on is None or analysis.study_instance_uid in looked_at or len(found) == MOST_STUDIES:
            continue
        looked_at.add(analysis.study_instance_uid)
        lesions = tuple(_lesions(session, analysis.analysis_id))
        if lesions:
            series = session.get(Series, analysis.series_instance_uid)
            frame = series.frame_of_reference_uid if series is not None else ""
            found.append(PriorStudy(on, frame, analysis.overview, lesions))
    return found


def _lesions(session: Session, analysis_id: str) -> list[PriorLesion]:
    """What was reported and taken back by nobody, the best first; not what lies on an image that is gone."""
    rows = [row for row in findings.of_analysis(session, analysis_id) if not row.discarded_by]
    said = findings.answers(session, [row.detection_id for row in rows])
    rejected = {detection_id for detection_id, words in said.items() if words[-1].verdict == findings.REJECTED}
    lesions = []
    for row in rows:
        plane = studies.plane_of(session, ImageReference(row.sop_instance_uid, row.frame_number))
        if plane is None or row.detection_id in rejected:
            continue
        key = plane.position_mm
        first, last = (key if end is None else end for end in (row.z_first_mm, row.z_last_mm))
        box = BoxPx(row.box_x1, row.box_y1, row.box_x2, row.box_y2)
        lesions.append(
            PriorLesion(
                row.detection_id, row.tracking_uid, centre_mm(plane, box, first, last), row.long_axis_mm,
                row.prior_detection_id,
            )
        )  # fmt: skip
    return lesions
