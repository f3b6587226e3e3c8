"""Answers ↔ rows: what documents say of detections, and what a training may learn from what people said. Shell.

Every function works inside the caller's transaction. A row without a document is what a person said on our page
(`db.findings`): it stays, whatever is harvested.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, Text, delete, insert, select, union
from sqlalchemy import cast as cast_to
from sqlalchemy.orm import Session

from db.harvested import ANY_OF, Columns, batches
from db.models import Image, Instance, MeasurementRow, Series
from db.outcomes import Analysis, Assessment, DetectionRow, Result

_ASSESSMENTS = cast(Table, Assessment.__table__)
_OF_DOCUMENTS = delete(_ASSESSMENTS).where(
    _ASSESSMENTS.c.source_sop_instance_uid.in_(ANY_OF), _ASSESSMENTS.c.source_sop_instance_uid != ""
)


# --- writing ----------------------------------------------------------------------------------------------------


def forget_answers(session: Session, source_sop_instance_uids: Collection[str], reader: str = "") -> None:
    """Take back what documents said; reader: only what that person said there, or nobody who is named."""
    only = _OF_DOCUMENTS.where(_ASSESSMENTS.c.reader.in_(("", reader))) if reader else _OF_DOCUMENTS
    for some in batches(uid for uid in source_sop_instance_uids if uid):
        session.execute(only, {"any_of": some})


def save_answers(session: Session, rows: Iterable[dict[str, Any]]) -> None:
    """rows: column → value of `assessment`."""
    for some in batches(rows):
        session.execute(insert(_ASSESSMENTS), some)


# --- what was reported ------------------------------------------------------------------------------------------


def has_analyses(session: Session, study_instance_uids: Collection[str]) -> set[str]:
    """Those of the studies that have something that could be answered."""
    return {
        uid for some in batches(study_instance_uids) for uid in session.scalars(_ANALYSED, {"any_of": some})
    }  # fmt: skip


def analyses_of(session: Session, study_instance_uids: Collection[str]) -> list[Analysis]:
    """What was looked at in these studies with an outcome, the oldest first."""
    rows = [row for some in batches(study_instance_uids) for row in session.scalars(_ANALYSES, {"any_of": some})]
    return sorted(rows, key=lambda row: (row.finished_at, row.analysis_id))


def detections_of(session: Session, analysis_ids: Collection[str]) -> list[DetectionRow]:
    """The detections of analyses, those below the operating point too."""
    return [row for some in batches(analysis_ids) for row in session.scalars(_DETECTIONS, {"any_of": some})]


def results_of(session: Session, analysis_ids: Collection[str]) -> list[Result]:
    return [row for some in batches(analysis_ids) for row in session.scalars(_RESULTS, {"any_of": some})]


def uids_of_ours(session: Session, uids: Collection[str]) -> set[str]:
    """Those of the UIDs that name a result, a detection or a lesion of ours."""
    return {uid for some in batches(uids) for uid in session.scalars(_OURS, {"any_of": some})}


def studies_of_images(session: Session, sop_instance_uids: Collection[str]) -> dict[str, str]:
    """The study of each of the images that are here."""
    return {
        uid: study for some in batches(sop_instance_uids) for uid, study in session.execute(_STUDIES, {"any_of": some})
    }


def shown_as(session: Session, lesion_ids: Collection[str]) -> dict[str, str]:
    """Of measurements that only repeat another one: which row shows them."""
    return {
        lesion_id: shown
        for some in batches(lesion_ids)
        for lesion_id, shown in session.execute(_SAME, {"any_of": some})
        if shown is not None
    }


def sizes_of(session: Session, sop_instance_uids: Collection[str]) -> dict[str, tuple[int, int]]:
    """Rows and columns of those of the images that are here."""
    return {
        uid: (rows, columns)
        for some in batches(sop_instance_uids)
        for uid, rows, columns in session.execute(_SIZES, {"any_of": some})
    }


def where_and_when(session: Session, sop_instance_uids: Collection[str]) -> dict[str, tuple[str, datetime]]:
    """Of stored objects: the series, and when they came."""
    return {
        uid: (series, at)
        for some in batches(sop_instance_uids)
        for uid, series, at in session.execute(_RECEIVED, {"any_of": some})
    }


def detections_with_masks(session: Session, sop_instance_uids: Collection[str]) -> Iterator[tuple[str, DetectionRow]]:
    """Of the series that these images are of: (series, detection), each once, where a mask was kept."""
    series = {uid for some in batches(sop_instance_uids) for uid in session.scalars(_SERIES, {"any_of": some})}
    for some in batches(sorted(series)):
        for of_series, row in session.execute(_MASKED, {"any_of": some}):
            yield of_series or "", row


def images_of_series(session: Session, series_instance_uid: str) -> list[Columns]:
    """The geometry of a series' images that count, as `db.indexing.planes_of` takes it."""
    return list(session.execute(_GEOMETRY, {"any_of": [series_instance_uid]}))


_ANALYSED = (
    select(Analysis.study_instance_uid)
    .where(Analysis.study_instance_uid.in_(ANY_OF), Analysis.state.in_(("found", "none found")))
    .distinct()
)
_ANALYSES = select(Analysis).where(Analysis.study_instance_uid.in_(ANY_OF), Analysis.state.in_(("found", "none found")))
_DETECTIONS = select(DetectionRow).where(DetectionRow.analysis_id.in_(ANY_OF)).order_by(DetectionRow.detection_id)
_RESULTS = select(Result).where(Result.analysis_id.in_(ANY_OF), Result.rejects.is_(None))
_OURS = union(
    *(
        select(cast_to(column, Text)).where(column.in_(ANY_OF))
        for column in (
            Result.result_sop_instance_uid,
            DetectionRow.detection_id,
            DetectionRow.tracking_uid,
            DetectionRow.tracking_uid_axes,
        )
    )
)
_STUDIES = (
    select(Image.sop_instance_uid, Series.study_instance_uid)
    .join(Series, Series.series_instance_uid == Image.series_instance_uid)
    .where(Image.sop_instance_uid.in_(ANY_OF))
)
_SAME = select(MeasurementRow.lesion_id, MeasurementRow.same_as).where(
    MeasurementRow.lesion_id.in_(ANY_OF), MeasurementRow.same_as.is_not(None)
)
_SIZES = select(Image.sop_instance_uid, Image.rows, Image.columns).where(Image.sop_instance_uid.in_(ANY_OF))
_RECEIVED = select(Instance.sop_instance_uid, Instance.series_instance_uid, Instance.received_at).where(
    Instance.sop_instance_uid.in_(ANY_OF), Instance.state == "current"
)
_SERIES = select(Image.series_instance_uid).where(Image.sop_instance_uid.in_(ANY_OF)).distinct()
_MASKED = (
    select(Analysis.series_instance_uid, DetectionRow)
    .join_from(DetectionRow, Analysis, Analysis.analysis_id == DetectionRow.analysis_id)
    .where(Analysis.series_instance_uid.in_(ANY_OF), DetectionRow.reported, DetectionRow.mask_name != "")
)
_GEOMETRY = (
    select(Image.sop_instance_uid, Image.frames, Image.row_spacing_mm, Image.col_spacing_mm, Image.planes)
    .join(Instance, (Instance.sop_instance_uid == Image.sop_instance_uid) & (Instance.state == "current"))
    .where(Image.series_instance_uid.in_(ANY_OF))
)
