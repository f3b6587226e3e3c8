"""What was reported beside what people marked: rows → `dicom_node.comparison`. Shell: reads only, a bounded number."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.geometry import BoxPx
from db.indexing import planes_of
from db.measurement import ImageReference
from db.models import Image, LesionRow
from db.outcomes import Analysis, DetectionRow
from dicom_node.comparison import Comparison, Found, Marked, compare, total

MOST_ANALYSES = 2000
"""The newest of all models that are looked through for the totals: the overview must stay quick on a large node."""

LOOKED = ("found", "none found")

_MARKS = (LesionRow.excluded_because.is_(None), LesionRow.box_x1.is_not(None))
"""What people marked: truth, with an extent."""


class _Looked(NamedTuple):
    """An analysis that looked."""

    analysis_id: str
    study_instance_uid: str
    series_instance_uid: str | None
    model_id: str | None


_ANALYSES = select(Analysis.analysis_id, Analysis.study_instance_uid, Analysis.series_instance_uid, Analysis.model_id)


def comparison_of(session: Session, analysis: Analysis) -> Comparison:
    """One analysis beside the marks of its study; nothing for one that did not look."""
    if analysis.state not in LOOKED:
        return Comparison()
    looked = _Looked(analysis.analysis_id, analysis.study_instance_uid, analysis.series_instance_uid, analysis.model_id)
    return _compare(session, [looked]).get(analysis.analysis_id, Comparison())


def totals(session: Session, most: int = MOST_ANALYSES) -> dict[str, Comparison]:
    """Per model, over its newest analysis of each study, among the newest `most` of all; only models with a mark."""
    newest = session.execute(
        _ANALYSES.where(Analysis.state.in_(LOOKED), Analysis.model_id.is_not(None))
        .order_by(Analysis.finished_at.desc(), Analysis.analysis_id)
        .limit(most)
    )
    by_study: dict[tuple[str, str], _Looked] = {}
    for row in newest:
        looked = _Looked(*row)
        by_study.setdefault((looked.model_id or "", looked.study_instance_uid), looked)
    compared = _compare(session, list(by_study.values()))
    models = sorted({looked.model_id or "" for looked in by_study.values() if looked.analysis_id in compared})
    return {
        model_id: total(
            compared.get(looked.analysis_id, Comparison())
            for (owner, _), looked in by_study.items()
            if owner == model_id
        )
        for model_id in models
    }


def _compare(session: Session, analyses: Sequence[_Looked]) -> dict[str, Comparison]:
    """Of each analysis whose study has a mark."""
    marked = _marked(session, {one.study_instance_uid for one in analyses})
    told = [one for one in analyses if one.study_instance_uid in marked]
    found = _found(session, {one.analysis_id: one.series_instance_uid or "" for one in told})
    return {one.analysis_id: compare(found.get(one.analysis_id, ()), marked[one.study_instance_uid]) for one in told}


def _found(session: Session, series: dict[str, str]) -> dict[str, list[Found]]:
    """Of each analysis what its model reported, also what a person rejected since."""
    d = DetectionRow
    rows = session.execute(
        select(d.analysis_id, d.detection_id, d.sop_instance_uid, d.frame_number, d.z_first_mm, d.z_last_mm)
        .add_columns(d.box_x1, d.box_y1, d.box_x2, d.box_y2)
        .where(d.analysis_id.in_(list(series)), d.reported)
    )
    found: dict[str, list[Found]] = {}
    for analysis_id, detection_id, uid, frame, first_mm, last_mm, *box in rows:
        image = ImageReference(uid, frame)
        one = Found(detection_id, series[analysis_id], image, BoxPx(*box), first_mm, last_mm)
        found.setdefault(analysis_id, []).append(one)
    return found


def _marked(session: Session, studies: Collection[str]) -> dict[str, list[Marked]]:
    lesion = LesionRow
    rows = session.execute(
        select(lesion.study_instance_uid, lesion.lesion_identity, lesion.lesion_id, lesion.series_instance_uid)
        .add_columns(lesion.sop_instance_uid, lesion.frame_number, Image)
        .add_columns(lesion.box_x1, lesion.box_y1, lesion.box_x2, lesion.box_y2)
        .outerjoin(Image, Image.sop_instance_uid == lesion.sop_instance_uid)
        .where(lesion.study_instance_uid.in_(studies), *_MARKS)
    )
    marked: dict[str, list[Marked]] = {}
    for study, identity, lesion_id, series, uid, frame, image, *box in rows:
        position = _position_mm(image, frame)
        one = Marked(identity or lesion_id, series or "", ImageReference(uid, frame), BoxPx(*box), position)
        marked.setdefault(study, []).append(one)
    return marked


def _position_mm(image: Image | None, frame_number: int) -> float | None:
    """Of a frame along its own normal, as detections tell their slices; None where the image does not say."""
    planes = planes_of(image) if image is not None else []
    if len(planes) == 1:
        return planes[0].position_mm
    return planes[frame_number - 1].position_mm if 1 <= frame_number <= len(planes) else None
