"""The SQL views of what came in: studies, lesions and their sources, rejections, categories. `db.views` makes them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Float, Select, cast, func, literal, select, union_all

from db.models import (
    Category,
    CategoryStatistics,
    Instance,
    LabelGeneration,
    LesionRow,
    MeasurementRow,
    Patient,
    Rejection,
    SourceObject,
    Study,
)

Query = Select[*tuple[Any, ...]]


def lesions() -> Query:
    return select(*LesionRow.__table__.columns)


def studies() -> Query:
    instances = (
        select(Instance.study_instance_uid, func.count().label("instances"))
        .where(Instance.state == "current")
        .group_by(Instance.study_instance_uid)
        .subquery()
    )
    conflicts = (
        select(Instance.study_instance_uid, func.count().label("conflicts"))
        .where(Instance.state == "conflict")
        .group_by(Instance.study_instance_uid)
        .subquery()
    )
    return (
        select(
            Study.study_instance_uid,
            Patient.patient_id,
            Patient.issuer_of_patient_id,
            Study.state,
            func.coalesce(instances.c.instances, 0).label("instances"),
            Study.received_first_at,
            Study.received_last_at,
            Study.settled_at,
            Study.source_ae,
            Study.accession_number,
            Study.study_date,
            Study.description,
            Study.revision,
            Study.expected_instances,
            func.coalesce(conflicts.c.conflicts, 0).label("conflicts"),
            Study.analyse,
        )
        .outerjoin(Patient, Patient.patient_pk == Study.patient_pk)
        .outerjoin(instances, instances.c.study_instance_uid == Study.study_instance_uid)
        .outerjoin(conflicts, conflicts.c.study_instance_uid == Study.study_instance_uid)
    )


def rejections() -> Query:
    """What a reader rejected, and what a later document replaced."""
    r, m, by = Rejection, MeasurementRow, literal("the later document ")
    replaced = (
        select(
            m.source_sop_instance_uid,
            m.source_item,
            literal("superseded"),
            by + m.replaced_by + literal(" replaces it"),
            SourceObject.harvested_at,
        )
        .join(SourceObject, SourceObject.source_sop_instance_uid == m.source_sop_instance_uid)
        .where(m.replaced_by.is_not(None))
    )
    every = union_all(select(r.source_sop_instance_uid, r.source_item, r.reason_code, r.reason, r.at), replaced)
    return select(*every.subquery().columns)


def lesion_sources() -> Query:
    """Every document that shows a lesion of `lesions`: more than one where a drawing was saved again."""
    m = MeasurementRow
    # Two queries and not one with coalesce, so that a database that is asked for one lesion finds it by its indexes.
    every = union_all(_sources(m.lesion_id, m.same_as.is_(None)), _sources(m.same_as, m.same_as.is_not(None)))
    return select(*every.subquery().columns)


def _sources(lesion_id: Any, condition: ColumnElement[bool]) -> Query:
    m = MeasurementRow
    return (
        select(
            lesion_id.label("lesion_id"),
            m.source_sop_instance_uid,
            m.source_item,
            m.source_kind,
            SourceObject.writer.label("source_writer"),
            SourceObject.content_at,
        )
        .join(SourceObject, SourceObject.source_sop_instance_uid == m.source_sop_instance_uid)
        .where(m.replaced_by.is_(None), condition)
    )


def reader_spread() -> Query:
    """How exactly people measure: lesions that were measured more than once on one image."""
    lesion = LesionRow
    shortest, longest = func.min(lesion.long_axis_mm), func.max(lesion.long_axis_mm)
    mean = func.avg(lesion.long_axis_mm)
    return (
        select(
            lesion.lesion_identity,
            lesion.sop_instance_uid,
            lesion.frame_number,
            func.count().label("measurements"),
            func.count(lesion.reader.distinct()).label("readers"),
            shortest.label("shortest_mm"),
            longest.label("longest_mm"),
            mean.label("mean_mm"),
            ((longest - shortest) / func.nullif(mean, 0)).label("spread"),
        )
        .where(lesion.excluded_because.is_(None), lesion.long_axis_mm.is_not(None))
        .group_by(lesion.lesion_identity, lesion.sop_instance_uid, lesion.frame_number)
        .having(func.count() > 1)
    )


def categories() -> Query:
    return (
        select(
            Category.category_id,
            CategoryStatistics.label_generation,
            Category.name,
            CategoryStatistics.members,
            CategoryStatistics.stability,
            Category.finding_code,
            Category.site_code,
        )
        .join_from(Category, CategoryStatistics)
        .join(LabelGeneration)
    )


def lesion_growth() -> Query:
    """Per lesion and date: the long axis as a share of the first and of the smallest so far (RECIST 1.1, 4.3).

    Where several people measured on one date, their mean, for the next date is compared with the lesion and not with
    one of them. What has no date has no place in a history.
    """
    lesion = LesionRow
    dated = (
        select(
            lesion.lesion_identity,
            lesion.patient_id,
            lesion.issuer_of_patient_id,
            lesion.study_date,
            func.avg(lesion.long_axis_mm).label("long_axis_mm"),
        )
        .where(
            lesion.lesion_identity.is_not(None),
            lesion.excluded_because.is_(None),
            lesion.long_axis_mm.is_not(None),
            lesion.study_date.is_not(None),
        )
        .group_by(lesion.lesion_identity, lesion.patient_id, lesion.issuer_of_patient_id, lesion.study_date)
        .subquery()
        .c
    )
    # By patient too, for some writers have one tracking UID for all; and so that a database that is asked for one
    # patient need not look at all of them.
    one_lesion = (dated.lesion_identity, dated.patient_id, dated.issuer_of_patient_id)
    history = {"partition_by": one_lesion, "order_by": dated.study_date}
    baseline = func.first_value(dated.long_axis_mm).over(**history)  # type: ignore[arg-type]
    nadir = func.min(dated.long_axis_mm).over(**history)  # type: ignore[arg-type]
    return select(
        dated.lesion_identity,
        dated.patient_id,
        dated.study_date,
        dated.long_axis_mm,
        (dated.long_axis_mm / func.nullif(baseline, 0) - literal(1.0)).label("change_from_baseline"),
        cast(dated.long_axis_mm / func.nullif(nadir, 0) - literal(1.0), Float).label("change_from_nadir"),
    )
