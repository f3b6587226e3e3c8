"""The SQL views of what goes out and comes back: analyses, detections, deliveries, answers. `db.views` makes them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Float, Select, Subquery, case, cast, func, literal, select

from db.deliveries import ARRIVED
from db.outcomes import Analysis, Assessment, Delivery, DetectionRow, Model, Result

Query = Select[*tuple[Any, ...]]


def analyses() -> Query:
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


def detections() -> Query:
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


def deliveries() -> Query:
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


def receipts() -> Query:
    """Per study and destination: what of the newest results has arrived there, and what it has promised to keep."""
    arrived = Delivery.state.in_(ARRIVED)
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


def models() -> Query:
    columns = [c for c in Model.__table__.columns if c.name not in ("card", "gate", "weights_name")]
    return select(*columns)


def assessments() -> Query:
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


def override_rates() -> Query:
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
