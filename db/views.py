"""The SQL views: what researchers and tools read, the same on SQLite and PostgreSQL (docs/sql.md).

Views hold no data. They are dropped before and made again after every migration (alembic/env.py), so that this file
alone says what they are.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    MetaData,
    Select,
    Subquery,
    case,
    cast,
    func,
    literal,
    select,
    text,
    union_all,
)
from sqlalchemy.sql.ddl import CreateView

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
from db.outcomes import Analysis, Assessment, Delivery, DetectionRow, Model, Result

Query = Select[*tuple[Any, ...]]

READER_ROLE = "lesion_reader"
"""On PostgreSQL: the role that may read the views and nothing else; `sql` works as this role."""


def _lesions() -> Query:
    return select(*LesionRow.__table__.columns)


def _studies() -> Query:
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


def _reports() -> Subquery:
    """The newest SR of each analysis, and the result that superseded it."""
    newest = (
        select(Result.analysis_id, func.max(Result.instance_number).label("instance_number"))
        .where(Result.kind == "SR")
        .group_by(Result.analysis_id)
        .subquery()
    )
    return (
        select(Result.analysis_id, Result.result_sop_instance_uid, Result.superseded_by)
        .join(
            newest,
            (newest.c.analysis_id == Result.analysis_id) & (newest.c.instance_number == Result.instance_number),
        )
        .where(Result.kind == "SR")
        .subquery()
    )


def _detections() -> Query:
    """Every detection once, with the SR that reports it and the newest assessment."""
    report, answer, d = _reports(), newest_answers(), DetectionRow
    return (
        select(
            d.detection_id,
            Analysis.study_instance_uid,
            Analysis.series_instance_uid,
            d.sop_instance_uid,
            d.frame_number,
            d.box_x1,
            d.box_y1,
            d.box_x2,
            d.box_y2,
            d.z_first_mm.label("z_first"),
            d.z_last_mm.label("z_last"),
            d.long_axis_mm,
            d.short_axis_mm,
            d.score,
            d.category,
            Analysis.model_id,
            d.tracking_uid,
            d.tracking_uid_axes,
            case((d.reported, report.c.result_sop_instance_uid)).label("result_sop_instance_uid"),
            report.c.superseded_by,
            answer.c.verdict.label("assessment"),
            answer.c.reader.label("assessed_by"),
            d.created_at,
            d.reported,
            Analysis.study_revision,
            d.discarded_by,
            d.discarded_at,
            d.prior_detection_id,
            d.prior_study_date,
            d.prior_long_axis_mm,
            (d.long_axis_mm / func.nullif(d.prior_long_axis_mm, 0) - literal(1.0)).label("change_from_prior"),
        )
        .join(Analysis, Analysis.analysis_id == d.analysis_id)
        .outerjoin(report, report.c.analysis_id == d.analysis_id)
        .outerjoin(answer, answer.c.detection_id == d.detection_id)
    )


def newest_answers() -> Subquery:
    """Of each detection that anybody answered, the newest assessment: detection_id, verdict, reader, lesion_id."""
    a = Assessment
    place = func.row_number().over(partition_by=a.detection_id, order_by=(a.assessed_at.desc(), a.assessment_pk.desc()))
    ranked = (
        select(a.detection_id, a.verdict, a.reader, a.lesion_id, place.label("place"))
        .where(a.detection_id.is_not(None))
        .subquery()
    )
    return (
        select(ranked.c.detection_id, ranked.c.verdict, ranked.c.reader, ranked.c.lesion_id)
        .where(ranked.c.place == 1)
        .subquery()
    )


def _rejections() -> Query:
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


def _lesion_sources() -> Query:
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


def _reader_spread() -> Query:
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


def _deliveries() -> Query:
    return (
        select(
            Delivery.result_sop_instance_uid,
            Result.kind,
            Result.profile,
            Delivery.destination,
            Delivery.state,
            Delivery.tries,
            Delivery.last_answer,
            Delivery.committed_at,
            Delivery.next_try_at,
            Delivery.delivered_at,
            Analysis.study_instance_uid,
            Result.superseded_by,
            Result.edition,
            Result.rejects,
        )
        .join_from(Delivery, Result)
        .join(Analysis, Analysis.analysis_id == Result.analysis_id)
    )


def _receipts() -> Query:
    """Per study and destination: what of the newest results has arrived there, and what it has promised to keep."""
    arrived = Delivery.state.in_(("delivered", "committed"))
    committed = case((Delivery.state == "committed", 1), else_=0)
    return (
        select(
            Analysis.study_instance_uid,
            Delivery.destination,
            func.count().label("objects"),
            func.sum(case((arrived, 1), else_=0)).label("arrived"),
            func.sum(committed).label("committed"),
            func.max(Delivery.delivered_at).label("delivered_at"),
            func.max(Delivery.committed_at).label("committed_at"),
            (func.sum(committed) == func.count()).label("complete"),
        )
        .join_from(Delivery, Result)
        .join(Analysis, Analysis.analysis_id == Result.analysis_id)
        # By what they are not, or SQLite would go by the index of states through all deliveries for one study.
        .where(Result.superseded_by.is_(None), Delivery.state.not_in(("discarded", "shadow", "retracted")))
        .group_by(Analysis.study_instance_uid, Delivery.destination)
    )


def _models() -> Query:
    columns = [c for c in Model.__table__.columns if c.name not in ("card", "gate", "weights_name")]
    return select(*columns)


def _assessments() -> Query:
    a = Assessment
    return select(
        a.detection_id,
        a.tracking_uid,
        a.verdict,
        a.reader,
        a.assessed_at,
        a.source_sop_instance_uid,
        a.shift_px,
        a.lesion_id,
        a.analysis_id,
        Analysis.study_instance_uid,
        Analysis.model_id,
    ).outerjoin(Analysis, Analysis.analysis_id == a.analysis_id)


def _override_rates() -> Query:
    """Per model and category: what people said of what was reported. Overridden is what they moved or rejected."""
    answer, d = newest_answers(), DetectionRow

    def said(*verdicts: str) -> ColumnElement[int]:
        return func.sum(case((answer.c.verdict.in_(verdicts), 1), else_=0))

    answered = func.count(answer.c.verdict)
    return (
        select(
            Analysis.model_id,
            d.category,
            func.count().label("reported"),
            answered.label("answered"),
            said("accepted").label("accepted"),
            said("modified").label("modified"),
            said("rejected").label("rejected"),
            (cast(said("modified", "rejected"), Float) / func.nullif(answered, 0)).label("override_rate"),
        )
        .join_from(d, Analysis, Analysis.analysis_id == d.analysis_id)
        .outerjoin(answer, answer.c.detection_id == d.detection_id)
        .where(d.reported)
        .group_by(Analysis.model_id, d.category)
    )


def _categories() -> Query:
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


def _lesion_growth() -> Query:
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


def _analyses() -> Query:
    """Every study that was looked at, or not and why."""
    report, a = _reports(), Analysis
    outcome = case((a.state == "found", "findings"), (a.state == "none found", "none"), else_=a.state)
    return select(
        a.analysis_id,
        a.study_instance_uid,
        a.study_revision,
        a.series_instance_uid,
        a.model_id,
        outcome.label("outcome"),
        a.reason,
        report.c.result_sop_instance_uid,
        report.c.superseded_by,
        a.started_at,
        a.finished_at,
    ).outerjoin(report, report.c.analysis_id == a.analysis_id)


VIEWS = {
    "lesions": _lesions,
    "lesion_sources": _lesion_sources,
    "reader_spread": _reader_spread,
    "rejections": _rejections,
    "studies": _studies,
    "detections": _detections,
    "deliveries": _deliveries,
    "receipts": _receipts,
    "models": _models,
    "assessments": _assessments,
    "override_rates": _override_rates,
    "categories": _categories,
    "lesion_growth": _lesion_growth,
    "analyses": _analyses,
}


def drop_views(connection: Connection) -> None:
    for name in reversed(VIEWS):
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))


def create_views(connection: Connection) -> None:
    """Make all views, and let the reader role read them (PostgreSQL)."""
    metadata = MetaData()
    for name, query in VIEWS.items():
        connection.execute(CreateView(query(), name, metadata=metadata))
    if connection.dialect.name == "postgresql":
        _grant_reader(connection)


def _grant_reader(connection: Connection) -> None:
    """Without CREATEROLE the role must be made by the database's administrator (docs/sql.md); views work anyway."""
    role = reader_role(connection)
    exists = connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role})
    may_create = connection.scalar(text("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user"))
    if not exists and not may_create:
        return
    if not exists:
        connection.execute(text(f'CREATE ROLE "{role}" NOLOGIN'))
        connection.execute(text(f'GRANT "{role}" TO current_user'))
    schema = connection.scalar(text("SELECT current_schema()"))
    connection.execute(text(f'GRANT USAGE ON SCHEMA "{schema}" TO "{role}"'))
    for name in VIEWS:
        connection.execute(text(f'GRANT SELECT ON {name} TO "{role}"'))


def reader_role(connection: Connection) -> str:
    """Roles belong to the server, views to one database: so the name holds the database's."""
    return f"{READER_ROLE}_{connection.scalar(text('SELECT current_database()'))}"
