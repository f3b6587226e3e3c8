"""The flat lesion rows: everything that is known of a measurement, on one line. Shell.

One drawing in several documents is one line, and a document that a later one replaces has none.

`rebuild` computes them from the normalised tables, `refresh` writes what it computes; there is no second rule.
Every function works inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from sqlalchemy import Label, Select, Table, case, delete, false, func, insert, or_, select
from sqlalchemy.orm import Session, aliased

from db.engine import one_writer
from db.errors import GeometryError
from db.geometry import Axis, BoxPx, PixelSpacing
from db.harvested import ANY_OF, Columns, batches, long_axis_of, outline_of, short_axis_of
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
    "patient_id", "issuer_of_patient_id", "study_instance_uid", "study_date", "accession_number",
    "series_instance_uid", "modality", "body_part", "series_description", "manufacturer", "slice_interval_mm",
    "source_writer", "reader_version", "image_purpose", "category_id", "category", "label_generation",
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
    one_writer(session)  # what a harvest wrote between reading and writing here would be lost
    rows = rebuild(session, lesion_ids)
    if lesion_ids is None:
        session.execute(delete(_LESIONS))
    else:
        for ids in batches(lesion_ids):
            session.execute(_FORGET, {"any_of": ids})
    for batch in batches(rows.values()):
        session.execute(insert(_LESIONS), batch)
    return len(rows)


def rebuild(session: Session, lesion_ids: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
    """The flat rows as the normalised tables give them, by lesion_id: column → value."""
    if lesion_ids is None:
        return {row.lesion_id: _flat(row) for row in session.execute(_ALL)}
    return {
        row.lesion_id: _flat(row) for ids in batches(lesion_ids) for row in session.execute(_THESE, {"any_of": ids})
    }


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


def _query() -> Select[*tuple[Any, ...]]:
    """Measurement, document, image, series, study and patient. Where the image is not here, the document's study."""
    member = CategoryMember
    generation = select(func.max(LabelGeneration.label_generation)).scalar_subquery()
    return (
        select(
            cast(Table, MeasurementRow.__table__),
            SourceObject.writer.label("source_writer"), SourceObject.reader_version,
            Image.row_spacing_mm, Image.col_spacing_mm, Image.purpose.label("image_purpose"), Image.frames,
            Series.series_instance_uid, Series.modality, Series.body_part, Series.manufacturer,
            Series.description.label("series_description"), Series.slice_interval_mm,
            *_of_the_first(Study, _SOURCE_STUDY, "study_instance_uid", "study_date", "accession_number"),
            *_of_the_first(_RESOLVED, Patient, "patient_pk", "patient_id", "issuer_of_patient_id", "split"),
            or_(Patient.split_quarantined, func.coalesce(_RESOLVED.split_quarantined, false())).label("quarantined"),
            member.category_id, member.label_generation, Category.name.label("category"),
        )
        .join(SourceObject, SourceObject.source_sop_instance_uid == MeasurementRow.source_sop_instance_uid)
        .outerjoin(Image, Image.sop_instance_uid == MeasurementRow.sop_instance_uid)
        .outerjoin(Series, Series.series_instance_uid == Image.series_instance_uid)
        .outerjoin(Study, Study.study_instance_uid == Series.study_instance_uid)
        .outerjoin(_SOURCE_STUDY, _SOURCE_STUDY.study_instance_uid == SourceObject.study_instance_uid)
        .outerjoin(Patient, Patient.patient_pk == func.coalesce(Study.patient_pk, _SOURCE_STUDY.patient_pk))
        .outerjoin(_RESOLVED, _RESOLVED.patient_pk == Patient.resolved_patient_pk)
        .outerjoin(member, (member.lesion_id == MeasurementRow.lesion_id) & (member.label_generation == generation))
        .outerjoin(Category, Category.category_id == member.category_id)
        .where(MeasurementRow.same_as.is_(None), MeasurementRow.replaced_by.is_(None))
    )  # fmt: skip


def _of_the_first(model: Any, other: Any, key: str, *names: str) -> list[Label[Any]]:
    """Columns of one row, or of the other where the first is not there."""
    here = getattr(model, key).is_not(None)
    return [case((here, getattr(model, name)), else_=getattr(other, name)).label(name) for name in (key, *names)]


_ALL = _query()
_THESE = _ALL.where(MeasurementRow.lesion_id.in_(ANY_OF))
_LESIONS = cast(Table, LesionRow.__table__)
_FORGET = delete(_LESIONS).where(_LESIONS.c.lesion_id.in_(ANY_OF))


def _flat(found: Columns) -> dict[str, Any]:
    values = found._asdict()
    spacing = _spacing(found)
    return {
        **{name: values[name] for name in _COPIED},
        **_lengths(found, spacing),
        "row_spacing_mm": None if spacing is None else spacing.row_mm,
        "col_spacing_mm": None if spacing is None else spacing.col_mm,
        "image_present": found.frames is not None and found.frame_number <= found.frames,
        "possibly_noisy": found.noisy_because is not None,
        # The resolved patient's; NULL for what is no truth, and for patients that a merge took from two splits.
        "split": None if found.excluded_because is not None or found.quarantined else found.split,
    }


def _spacing(image: Columns) -> PixelSpacing | None:
    if image.row_spacing_mm is None or image.col_spacing_mm is None:
        return None
    try:
        return PixelSpacing(image.row_spacing_mm, image.col_spacing_mm)
    except GeometryError:
        return None


def _lengths(measurement: Columns, spacing: PixelSpacing | None) -> dict[str, Any]:
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
