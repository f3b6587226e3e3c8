"""What was reported beside what people marked: rows → `dicom_node.comparison`. Shell: reads only, a bounded number."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from db.geometry import BoxPx
from db.indexing import planes_of
from db.lesions import box_of
from db.measurement import ImageReference
from db.models import Image, LesionRow
from db.outcomes import Analysis, DetectionRow
from dicom_node.comparison import Comparison, Found, Marked, compare, total

MOST_ANALYSES = 500
"""The newest of all models that are compared for the totals: the overview must stay quick on a large node."""

LOOKED = ("found", "none found")

_MARKS = (LesionRow.excluded_because.is_(None), LesionRow.box_x1.is_not(None))
"""What people marked: truth, with an extent."""


def comparison_of(session: Session, analysis: Analysis) -> Comparison:
    """One analysis beside the marks of its study."""
    return _compare(session, [analysis]).get(analysis.analysis_id, Comparison())


def totals(session: Session, most: int = MOST_ANALYSES) -> dict[str, Comparison]:
    """Per model, over its newest analysis of each study that has marks, among the newest `most` of all models."""
    newest = session.scalars(
        select(Analysis)
        .where(
            Analysis.state.in_(LOOKED),
            Analysis.model_id.is_not(None),
            exists().where(LesionRow.study_instance_uid == Analysis.study_instance_uid, *_MARKS),
        )
        .order_by(Analysis.finished_at.desc(), Analysis.analysis_id)
        .limit(most)
    )
    by_study: dict[tuple[str, str], Analysis] = {}
    for analysis in newest:
        by_study.setdefault((str(analysis.model_id), analysis.study_instance_uid), analysis)
    compared = _compare(session, list(by_study.values()))
    models = sorted({model_id for model_id, _ in by_study})
    return {
        model_id: total(
            compared[analysis.analysis_id] for (owner, _), analysis in by_study.items() if owner == model_id
        )
        for model_id in models
    }


def _compare(session: Session, analyses: Sequence[Analysis]) -> dict[str, Comparison]:
    found = _found(session, {one.analysis_id: one.series_instance_uid or "" for one in analyses})
    marked = _marked(session, {one.study_instance_uid for one in analyses})
    return {
        one.analysis_id: compare(found.get(one.analysis_id, ()), marked.get(one.study_instance_uid, ()))
        for one in analyses
        if one.state in LOOKED
    }


def _found(session: Session, series: dict[str, str]) -> dict[str, list[Found]]:
    """Of each analysis what its model reported, also what a person rejected since."""
    rows = session.scalars(
        select(DetectionRow).where(DetectionRow.analysis_id.in_(list(series)), DetectionRow.reported)
    )
    found: dict[str, list[Found]] = {}
    for row in rows:
        one = Found(
            row.detection_id,
            series[row.analysis_id],
            ImageReference(row.sop_instance_uid, row.frame_number),
            BoxPx(row.box_x1, row.box_y1, row.box_x2, row.box_y2),
            row.z_first_mm,
            row.z_last_mm,
        )
        found.setdefault(row.analysis_id, []).append(one)
    return found


def _marked(session: Session, studies: Collection[str]) -> dict[str, list[Marked]]:
    rows = session.execute(
        select(LesionRow, Image)
        .outerjoin(Image, Image.sop_instance_uid == LesionRow.sop_instance_uid)
        .where(LesionRow.study_instance_uid.in_(studies), *_MARKS)
    )
    marked: dict[str, list[Marked]] = {}
    for lesion, image in rows:
        one = Marked(
            lesion.lesion_identity or lesion.lesion_id,
            lesion.series_instance_uid or "",
            ImageReference(lesion.sop_instance_uid, lesion.frame_number),
            box_of(lesion),
            _position_mm(image, lesion.frame_number),
        )
        marked.setdefault(str(lesion.study_instance_uid), []).append(one)
    return marked


def _position_mm(image: Image | None, frame_number: int) -> float | None:
    """Of a frame along its own normal, as detections tell their slices; None where the image does not say."""
    planes = planes_of(image) if image is not None else []
    if len(planes) == 1:
        return planes[0].position_mm
    return planes[frame_number - 1].position_mm if 1 <= frame_number <= len(planes) else None
