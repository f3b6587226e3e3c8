"""Detections that people judged, as a training takes them: the newest word of a person who is named. Shell.

A word without a name teaches nothing: an archive that gives our result another UID is no reader who agrees with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Subquery, func, select
from sqlalchemy.orm import Session, aliased

from db.geometry import BoxPx
from db.measurement import ImageReference
from db.models import Category, Image, Patient, Series, Study
from db.outcomes import Analysis, Assessment, DetectionRow, Model

ACCEPTED, REJECTED = "accepted", "rejected"


@dataclass(frozen=True, slots=True)
class JudgedDetection:
    """A detection that was accepted or rejected, on an image that is here, of a patient who has a split."""

    detection_id: str
    verdict: str
    patient_id: str
    issuer_of_patient_id: str
    split: str
    study_instance_uid: str
    series_instance_uid: str
    image: ImageReference
    box: BoxPx
    long_axis_mm: float
    row_spacing_mm: float
    category_id: int | None
    category: str
    tracking_uid: str
    image_purpose: str
    series_description: str
    study_description: str
    manufacturer: str


def judged_detections(session: Session) -> list[JudgedDetection]:
    """What people accepted or rejected, by detection_id; what they changed is a lesion of their own."""
    names = {one.category_id: one.name for one in session.scalars(select(Category))}
    known = {model_id: _categories_of(card) for model_id, card in session.execute(select(Model.model_id, Model.card))}
    found = []
    for row in session.execute(_JUDGED):
        who = row.Patient if row.resolved is None else row.resolved
        if who.split_quarantined or row.Patient.split_quarantined:
            continue
        category_id = known.get(row.model_id or "", {}).get(row.DetectionRow.category)
        found.append(_judged(row, who, category_id, names.get(category_id or -1, "")))
    return found


def _categories_of(card: Mapping[str, Any]) -> dict[str, int | None]:
    """Name of a class → its category, as a model was trained; people may have renamed it since."""
    return dict(zip(card.get("classes", ()), card.get("classes_by_category_id", ()), strict=False))


def _judged(row: Any, who: Patient, category_id: int | None, category: str) -> JudgedDetection:
    d = row.DetectionRow
    return JudgedDetection(
        detection_id=d.detection_id,
        verdict=row.verdict,
        patient_id=who.patient_id,
        issuer_of_patient_id=who.issuer_of_patient_id,
        split=who.split,
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid,
        image=ImageReference(d.sop_instance_uid, d.frame_number),
        box=BoxPx(d.box_x1, d.box_y1, d.box_x2, d.box_y2),
        long_axis_mm=d.long_axis_mm,
        row_spacing_mm=row.row_spacing_mm or 0.0,
        category_id=category_id,
        category=category,
        tracking_uid=d.tracking_uid,
        image_purpose=row.purpose,
        series_description=row.series_description,
        study_description=row.study_description,
        manufacturer=row.manufacturer,
    )


def _newest_words() -> Subquery:
    """Of each detection the newest assessment with a name to it."""
    a = Assessment
    place = func.row_number().over(partition_by=a.detection_id, order_by=(a.assessed_at.desc(), a.assessment_pk.desc()))
    ranked = select(a.detection_id, a.verdict, place.label("place")).where(a.detection_id.is_not(None), a.reader != "")
    each = ranked.subquery()
    return select(each.c.detection_id, each.c.verdict).where(each.c.place == 1).subquery()


_WORDS = _newest_words()
_RESOLVED = aliased(Patient, name="resolved")
_JUDGED = (
    select(
        DetectionRow,
        _WORDS.c.verdict,
        Analysis.model_id,
        Series.study_instance_uid,
        Series.series_instance_uid,
        Series.description.label("series_description"),
        Series.manufacturer,
        Study.description.label("study_description"),
        Image.row_spacing_mm,
        Image.purpose,
        Patient,
        _RESOLVED,
    )
    .join_from(DetectionRow, _WORDS, _WORDS.c.detection_id == DetectionRow.detection_id)
    .join(Analysis, Analysis.analysis_id == DetectionRow.analysis_id)
    .join(Image, Image.sop_instance_uid == DetectionRow.sop_instance_uid)
    .join(Series, Series.series_instance_uid == Image.series_instance_uid)
    .join(Study, Study.study_instance_uid == Series.study_instance_uid)
    .join(Patient, Patient.patient_pk == Study.patient_pk)
    .outerjoin(_RESOLVED, _RESOLVED.patient_pk == Patient.resolved_patient_pk)
    .where(_WORDS.c.verdict.in_((ACCEPTED, REJECTED)), Series.modality == "CT", DetectionRow.long_axis_mm > 0)
    .order_by(DetectionRow.detection_id)
)
