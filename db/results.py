"""Rows of the ledger of results: every DICOM object that this node made, and what was drawn in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.errors import RequestError
from db.geometry import Axis, BoxPx, PointPx
from db.measurement import ImageReference
from db.models import Image
from db.outcomes import Analysis, DetectionRow, Result

BATCH = 500
"""UIDs asked for in one statement; SQLite takes no more than 999 variables in old builds."""


@dataclass(frozen=True, slots=True)
class ReportedShape:
    """The points of one measurement group as our SR draws them, in our pixel frame.

    box: the four corners, clipped to the image, in ring order. axes: both ends of the long axis, then of the short.
    """

    detection_id: str
    tracking_uid: str
    image: ImageReference
    box: tuple[PointPx, ...]
    axes: tuple[PointPx, ...]


def record(
    session: Session,
    *,
    result_sop_instance_uid: str,
    analysis_id: str,
    kind: str,
    profile: str,
    sop_class_uid: str,
    series_instance_uid: str,
    instance_number: int,
    file_name: str,
    header_sha256: str,
    now: datetime,
) -> Result:
    """Enter one object before it is sent. The same object again changes nothing and gives the row that stands.

    Raises RequestError if the UID stands for something else.
    """
    known = session.get(Result, result_sop_instance_uid)
    if known is not None:
        same = (known.analysis_id, known.profile, known.file_name, known.header_sha256)
        if same != (analysis_id, profile, file_name, header_sha256):
            raise RequestError("this result is entered already, as another", sop_instance_uid=result_sop_instance_uid)
        return known
    row = Result(
        result_sop_instance_uid=result_sop_instance_uid,
        analysis_id=analysis_id,
        kind=kind,
        profile=profile,
        sop_class_uid=sop_class_uid,
        series_instance_uid=series_instance_uid,
        instance_number=instance_number,
        file_name=file_name,
        header_sha256=header_sha256,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def current_results(session: Session, study_instance_uid: str) -> list[Result]:
    """The results of a study that no other has superseded, in the order they were made."""
    return list(
        session.scalars(
            select(Result)
            .join(Analysis, Analysis.analysis_id == Result.analysis_id)
            .where(Analysis.study_instance_uid == study_instance_uid, Result.superseded_by.is_(None))
            .order_by(Result.created_at, Result.result_sop_instance_uid)
        )
    )


def predecessor(session: Session, study_instance_uid: str, profile: str) -> Result | None:
    """The newest result of that encoding for a study, of whatever model, superseded or not.

    A new one goes into its series. It may be superseded by one of another encoding: nothing found has no SEG.
    """
    return session.scalars(
        select(Result)
        .join(Analysis, Analysis.analysis_id == Result.analysis_id)
        .where(Analysis.study_instance_uid == study_instance_uid, Result.profile == profile)
        .order_by(Result.instance_number.desc(), Result.created_at.desc())
        .limit(1)
    ).first()


def own_uids(session: Session, sop_instance_uids: Iterable[str]) -> set[str]:
    """Those of the UIDs that are objects of ours, superseded ones too."""
    uids = list(dict.fromkeys(sop_instance_uids))
    own: set[str] = set()
    for first in range(0, len(uids), BATCH):
        batch = uids[first : first + BATCH]
        own.update(
            session.scalars(select(Result.result_sop_instance_uid).where(Result.result_sop_instance_uid.in_(batch)))
        )
    return own


def supersede(session: Session, old: str, new: str) -> None:
    """Mark one result as replaced by another, both by SOP Instance UID. The same again changes nothing.

    Raises RequestError if either is unknown, if they are one, or if the old one was replaced by a third.
    """
    row = session.get(Result, old)
    if row is None or session.get(Result, new) is None or old == new:
        raise RequestError("one result supersedes another that is known", old=old, new=new)
    if row.superseded_by not in (None, new):
        raise RequestError("this result is superseded already", old=old, new=new, superseded_by=row.superseded_by)
    row.superseded_by = new
    session.flush()


def next_instance_number(session: Session, series_instance_uid: str) -> int:
    """1 for a new series, else one more than the highest that we gave in it."""
    highest = session.scalar(
        select(func.max(Result.instance_number)).where(Result.series_instance_uid == series_instance_uid)
    )
    return (highest or 0) + 1


def reported_points(session: Session, study_instance_uid: str) -> Sequence[ReportedShape]:
    """What our reports of a study drew, in all revisions and by all models: a group with these points is a copy."""
    rows = session.execute(
        select(DetectionRow, Image.rows, Image.columns)
        .join(Analysis, Analysis.analysis_id == DetectionRow.analysis_id)
        .outerjoin(Image, Image.sop_instance_uid == DetectionRow.sop_instance_uid)
        .where(Analysis.study_instance_uid == study_instance_uid, DetectionRow.reported)
        .order_by(DetectionRow.created_at, DetectionRow.detection_id)
    )
    return [_shape(row, image_rows, image_columns) for row, image_rows, image_columns in rows]


def _shape(row: DetectionRow, rows: int | None, columns: int | None) -> ReportedShape:
    box = BoxPx(row.box_x1, row.box_y1, row.box_x2, row.box_y2)
    if rows is not None and columns is not None:  # the image may have been removed meanwhile
        box = box.clipped(rows, columns)
    long_axis = Axis(PointPx(row.long_x1, row.long_y1), PointPx(row.long_x2, row.long_y2))
    short_axis = Axis(PointPx(row.short_x1, row.short_y1), PointPx(row.short_x2, row.short_y2))
    return ReportedShape(
        detection_id=row.detection_id,
        tracking_uid=row.tracking_uid,
        image=ImageReference(row.sop_instance_uid, row.frame_number),
        box=box.corners,
        axes=long_axis.points + short_axis.points,
    )
