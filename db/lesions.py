"""The flat lesion rows: everything that is known of a measurement, on one line. Shell.

One drawing in several documents is one line, and a document that a later one replaces has none.

`rebuild` computes them from the normalised tables, `refresh` writes what it computes; there is no second rule.
Every function works inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, Select, delete, func, insert, select
from sqlalchemy.orm import Session, aliased

from db.errors import GeometryError
from db.geometry import Axis, BoxPx, PixelSpacing
from db.harvested import batches, long_axis_of, outline_of, short_axis_of
from db.models import (
    Category,
    CategoryMember,
    Image,
    LabelGeneration,
    LesionRow,
    MeasurementRow,
    Patient,
    Series,
    SourceObject,
    Study,
)

DISAGREES_OVER = 0.02
"""A stated length that differs from the drawn one by more than this share is flagged: rounding stays below it."""

_COPIED = (
    "lesion_id", "sop_instance_uid", "frame_number", "finding_code", "finding", "site_code", "site", "tracking_id",
    "tracking_uid", "reader", "measured_at", "comment", "by_algorithm", "source_kind", "source_sop_instance_uid",
    "source_item", "derived", "point_x", "point_y", "noisy_because", "excluded_because", "lesion_identity",
)  # fmt: skip

_MEASURED = (
    "long_x1", "long_y1", "long_x2", "long_y2", "short_x1", "short_y1", "short_x2", "short_y2", "long_axis_px",
    "short_axis_px", "long_axis_mm", "short_axis_mm", "stated_long_axis_mm", "stated_short_axis_mm",
    "stated_disagrees", "box_x1", "box_y1", "box_x2", "box_y2",
)  # fmt: skip
"""NULL for what was only pointed at."""

_SOURCE_STUDY = aliased(Study)
_RESOLVED = aliased(Patient)


def refresh(session: Session, lesion_ids: Collection[str] | None = None) -> int:
    """Write the flat rows of these lesions again, of all if None; returns how many there are now."""
    session.flush()
    rows = rebuild(session, lesion_ids)
    if lesion_ids is None:
        session.execute(delete(LesionRow))
    else:
        for ids in batches(lesion_ids):
            session.execute(delete(LesionRow).where(LesionRow.lesion_id.in_(ids)))
    for batch in batches(rows.values()):
        session.execute(insert(LesionRow), batch)
    return len(rows)


def rebuild(session: Session, lesion_ids: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
    """The flat rows as the normalised tables give them, by lesion_id: column → value."""
    generation = session.scalar(select(func.max(LabelGeneration.label_generation)))
    query = _query(generation)
    if lesion_ids is None:
        found: Sequence[Row[*tuple[Any, ...]]] = session.execute(query).all()
    else:
        found = [
            row
            for ids in batches(lesion_ids)
            for row in session.execute(query.where(MeasurementRow.lesion_id.in_(ids))).all()
        ]
    return {row.MeasurementRow.lesion_id: _flat(row, generation) for row in found}


def truth(split: str | None = None) -> Select[LesionRow]:
    """A query for what a model may learn from: truth, not doubtful, with its image and a length in mm here.

    split: only that one; without it, all rows that have one.
    """
    query = select(LesionRow).where(
        LesionRow.excluded_because.is_(None),
        LesionRow.possibly_noisy.is_(False),
        LesionRow.image_present.is_(True),
        LesionRow.long_axis_mm.is_not(None),
        LesionRow.split.is_not(None),
    )
    if split is not None:
        query = query.where(LesionRow.split == split)
    return query.order_by(LesionRow.lesion_id)


def box_of(row: LesionRow) -> BoxPx:
    """The box of a lesion that was measured; GeometryError for what was only pointed at."""
    edges = (row.box_x1, row.box_y1, row.box_x2, row.box_y2)
    if None in edges:
        raise GeometryError("what was only pointed at has no box", lesion_id=row.lesion_id)
    return BoxPx(*edges)  # type: ignore[arg-type]


def disagrees(stated_mm: float | None, measured_mm: float | None) -> bool | None:
    """Whether a stated length is not the drawn one; None where either is unknown."""
    if stated_mm is None or measured_mm is None:
        return None
    return abs(stated_mm - measured_mm) > DISAGREES_OVER * measured_mm


# --- one row ----------------------------------------------------------------------------------------------------


def _query(generation: int | None) -> Select[*tuple[Any, ...]]:
    """Measurement, document, image, series, study and patient. Where the image is not here, the document's study."""
    member = CategoryMember
    return (
        select(
            MeasurementRow, SourceObject, Image, Series, Study, _SOURCE_STUDY, Patient, _RESOLVED,
            member.category_id, Category.name.label("category"),
        )
        .join(SourceObject, SourceObject.source_sop_instance_uid == MeasurementRow.source_sop_instance_uid)
        .outerjoin(Image, Image.sop_instance_uid == MeasurementRow.sop_instance_uid)
        .outerjoin(Series, Series.series_instance_uid == Image.series_instance_uid)
        .outerjoin(Study, Study.study_instance_uid == Series.study_instance_uid)
        .outerjoin(_SOURCE_STUDY, _SOURCE_STUDY.study_instance_uid == SourceObject.study_instance_uid)
        .outerjoin(Patient, Patient.patient_pk == func.coalesce(Study.patient_pk, _SOURCE_STUDY.patient_pk))
        .outerjoin(_RESOLVED, _RESOLVED.patient_pk == Patient.resolved_patient_pk)
        .outerjoin(
            member, (member.lesion_id == MeasurementRow.lesion_id) & (member.label_generation == (generation or 0))
        )
        .outerjoin(Category, Category.category_id == member.category_id)
        .where(MeasurementRow.same_as.is_(None), MeasurementRow.replaced_by.is_(None))
        .execution_options(populate_existing=True)
    )  # fmt: skip


def _flat(found: Row[*tuple[Any, ...]], generation: int | None) -> dict[str, Any]:
    measurement, source, image, series = found.MeasurementRow, found.SourceObject, found.Image, found.Series
    study = found[4] if found[4] is not None else found[5]
    patient = found[7] if found[7] is not None else found[6]
    spacing = _spacing(image)
    return {
        **{name: getattr(measurement, name) for name in _COPIED},
        **_lengths(measurement, spacing),
        "patient_id": None if patient is None else patient.patient_id,
        "issuer_of_patient_id": None if patient is None else patient.issuer_of_patient_id,
        "accession_number": None if study is None else study.accession_number,
        "study_instance_uid": None if study is None else study.study_instance_uid,
        "study_date": None if study is None else study.study_date,
        "series_instance_uid": None if series is None else series.series_instance_uid,
        "modality": None if series is None else series.modality,
        "body_part": None if series is None else series.body_part,
        "series_description": None if series is None else series.description,
        "manufacturer": None if series is None else series.manufacturer,
        "slice_interval_mm": None if series is None else series.slice_interval_mm,
        "row_spacing_mm": None if spacing is None else spacing.row_mm,
        "col_spacing_mm": None if spacing is None else spacing.col_mm,
        "source_writer": source.writer,
        "reader_version": source.reader_version,
        "image_purpose": None if image is None else image.purpose,
        "image_present": image is not None and measurement.frame_number <= image.frames,
        "possibly_noisy": measurement.noisy_because is not None,
        "category_id": found.category_id,
        "category": found.category,
        "label_generation": generation if found.category_id is not None else None,
        "split": _split(measurement, found[6], found[7]),
    }


def _split(measurement: MeasurementRow, patient: Patient | None, resolved: Patient | None) -> str | None:
    """The resolved patient's split; NULL for what is not truth, and for patients that a merge took from two splits."""
    counts = resolved if resolved is not None else patient
    if measurement.excluded_because is not None or counts is None or patient is None:
        return None
    return None if patient.split_quarantined or counts.split_quarantined else counts.split


def _spacing(image: Image | None) -> PixelSpacing | None:
    if image is None or image.row_spacing_mm is None or image.col_spacing_mm is None:
        return None
    try:
        return PixelSpacing(image.row_spacing_mm, image.col_spacing_mm)
    except GeometryError:
        return None


def _lengths(measurement: MeasurementRow, spacing: PixelSpacing | None) -> dict[str, Any]:
    """Axes in px and mm, the box, and whether what was stated disagrees; the long axis is the longer one in mm.

    The spacing may have arrived after the document was read, so the two axes are put in order here.
    """
    long_axis, short_axis = long_axis_of(measurement), short_axis_of(measurement)
    if long_axis is None:
        return dict.fromkeys(_MEASURED)
    stated = (measurement.stated_long_axis_mm, measurement.stated_short_axis_mm)
    if short_axis is not None and _length(short_axis, spacing) > _length(long_axis, spacing):
        long_axis, short_axis, stated = short_axis, long_axis, stated[::-1]
    outline = outline_of(measurement)
    points = long_axis.points + (() if short_axis is None else short_axis.points)
    box = BoxPx.around(points if outline is None else outline.corners)
    long_mm = None if spacing is None else long_axis.length_mm(spacing)
    short_mm = None if spacing is None or short_axis is None else short_axis.length_mm(spacing)
    verdicts = [disagrees(stated[0], long_mm), disagrees(stated[1], short_mm)]
    known = [verdict for verdict in verdicts if verdict is not None]
    return {
        "long_x1": long_axis.a.col, "long_y1": long_axis.a.row,
        "long_x2": long_axis.b.col, "long_y2": long_axis.b.row,
        "short_x1": None if short_axis is None else short_axis.a.col,
        "short_y1": None if short_axis is None else short_axis.a.row,
        "short_x2": None if short_axis is None else short_axis.b.col,
        "short_y2": None if short_axis is None else short_axis.b.row,
        "long_axis_px": long_axis.length_px,
        "short_axis_px": None if short_axis is None else short_axis.length_px,
        "long_axis_mm": long_mm,
        "short_axis_mm": short_mm,
        "stated_long_axis_mm": stated[0],
        "stated_short_axis_mm": stated[1],
        "stated_disagrees": any(known) if known else None,
        "box_x1": box.x1, "box_y1": box.y1, "box_x2": box.x2, "box_y2": box.y2,
    }  # fmt: skip


def _length(axis: Axis, spacing: PixelSpacing | None) -> float:
    return axis.length_px if spacing is None else axis.length_mm(spacing)
