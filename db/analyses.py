"""Analyses and their detections ↔ rows. Shell.

Every function works inside the caller's transaction: an analysis and its detections are one fact.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

import numpy as np
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from db import studies
from db.detection import Detection, Mask, Prior
from db.errors import RequestError
from db.files import FileStore
from db.geometry import Axis, BoxPx, PointPx
from db.measurement import ImageReference
from db.models import Study
from db.outcomes import Analysis, DetectionRow

FOUND, NONE_FOUND, NOT_ANALYSED, FAILED = "found", "none found", "not analysed", "failed"


def newest(session: Session, study_instance_uid: str, revision: int) -> Analysis | None:
    """The last analysis of a revision, whatever its model and outcome."""
    return session.scalar(
        select(Analysis)
        .where(Analysis.study_instance_uid == study_instance_uid, Analysis.study_revision == revision)
        .order_by(Analysis.finished_at.desc(), Analysis.analysis_id)
        .limit(1)
    )


def carry_over(session: Session, study: Study) -> Analysis | None:
    """Let the last analysis hold for the study's present revision, too, if the images are those it looked at.

    What came since was no image: a reader's report, or our own results from a PACS that routes them back, and these
    must not bring forth another result. Returns None where the study must be looked at.
    """
    last = session.scalar(
        select(Analysis)
        .where(Analysis.study_instance_uid == study.study_instance_uid)
        .order_by(Analysis.study_revision.desc(), Analysis.finished_at.desc(), Analysis.analysis_id)
        .limit(1)
    )
    if last is None or last.state not in (FOUND, NONE_FOUND):
        return None
    if last.images_sha256 != studies.images_sha256(session, study.study_instance_uid):
        return None
    if study.analysed_revision >= last.study_revision:  # and reported, then
        study.analysed_revision = study.revision
    last.study_revision = study.revision
    session.flush()
    return last


def of_model(session: Session, study_instance_uid: str, revision: int, model_id: str | None) -> Analysis | None:
    """The analysis of a revision by one model; there is at most one."""
    is_model = Analysis.model_id.is_(None) if model_id is None else Analysis.model_id == model_id
    return session.scalar(
        select(Analysis).where(
            Analysis.study_instance_uid == study_instance_uid, Analysis.study_revision == revision, is_model
        )
    )


def save(
    session: Session,
    *,
    study_instance_uid: str,
    study_revision: int,
    series_instance_uid: str,
    model_id: str,
    detections: Sequence[tuple[Detection, bool, str]],
    started_at: datetime,
    now: datetime,
    reason: str = "",
    images_sha256: str = "",
    positions_mm: Sequence[float] = (),
) -> Analysis:
    """Enter what a model found: each detection, whether it is reported, and the name of its mask's file.

    positions_mm: of each slice of the sorted series along its normal; the views tell them instead of slice numbers.

    The same study, revision and model again changes nothing and gives the analysis that stands.
    """
    known = of_model(session, study_instance_uid, study_revision, model_id)
    if known is not None:
        return known
    analysis = Analysis(
        analysis_id=str(uuid4()),
        study_instance_uid=study_instance_uid,
        study_revision=study_revision,
        series_instance_uid=series_instance_uid,
        model_id=model_id,
        state=FOUND if any(reported for _, reported, _ in detections) else NONE_FOUND,
        reason=reason,
        images_sha256=images_sha256,
        started_at=started_at,
        finished_at=now,
    )
    session.add(analysis)
    session.flush()
    for detection, reported, mask_name in detections:
        session.add(_row(detection, analysis.analysis_id, reported, mask_name, now, positions_mm))
    session.flush()
    return analysis


def save_without_detections(
    session: Session,
    analysis_id: str,
    study_instance_uid: str,
    revision: int,
    *,
    state: str,
    reason: str,
    now: datetime,
    model_id: str | None = None,
    started_at: datetime | None = None,
) -> Analysis:
    """Enter that a study was not analysed, or that the analysis failed, and why; no patient's data in the reason.

    The same study, revision and model again changes nothing and gives the analysis that stands.
    """
    if state not in (NOT_ANALYSED, FAILED):
        raise RequestError("an analysis without detections is 'not analysed' or 'failed'", state=state)
    known = of_model(session, study_instance_uid, revision, model_id)
    if known is not None:
        return known
    analysis = Analysis(
        analysis_id=analysis_id,
        study_instance_uid=study_instance_uid,
        study_revision=revision,
        series_instance_uid=None,
        model_id=model_id,
        state=state,
        reason=reason,
        started_at=started_at or now,
        finished_at=now,
    )
    session.add(analysis)
    session.flush()
    return analysis


def mark_issued(session: Session, analysis_id: str, edition: int) -> None:
    """Note that the results of an edition are in the ledger and the outbox."""
    analysis = session.get_one(Analysis, analysis_id)
    analysis.issued_edition, analysis.issue_attempts, analysis.next_issue_at = edition, 0, None
    session.flush()


def unissued(session: Session, due_at: datetime) -> list[tuple[str, int, int]]:
    """(analysis, edition, failed tries) of reported analyses whose results a person's change has made stale, and due.

    Of a study's newest revision only: an older one is not reported any more.
    """
    rows = session.execute(
        select(Analysis.analysis_id, Analysis.edition, Analysis.issue_attempts)
        .join(Study, Study.study_instance_uid == Analysis.study_instance_uid)
        .where(
            Analysis.issued_edition < Analysis.edition,
            Analysis.study_revision == Study.revision,
            Study.analysed_revision >= Study.revision,
            or_(Analysis.issue_attempts == 0, Analysis.next_issue_at <= due_at),
        )
        .order_by(Analysis.analysis_id)
    )
    return [(analysis_id, edition, tries) for analysis_id, edition, tries in rows]


def note_issue_failure(
    session: Session, analysis_id: str, edition: int, tries: int, next_try_at: datetime | None
) -> None:
    """`tries`: those before this one."""
    analysis = session.get_one(Analysis, analysis_id)
    if analysis.edition == edition:
        analysis.issue_attempts, analysis.next_issue_at = tries + 1, next_try_at
    session.flush()


def add_reason(session: Session, analysis_id: str, reason: str) -> None:
    """Enter what else is to be said of an analysis; no patient's data in the reason."""
    analysis = session.get_one(Analysis, analysis_id)
    analysis.reason = f"{analysis.reason}; {reason}" if analysis.reason else reason
    session.flush()


def detections_of(session: Session, analysis_id: str, files: FileStore, reported_only: bool = True) -> list[Detection]:
    """The detections of an analysis, the highest score first; with their masks, read from the file store.

    reported_only: those that belong into a result; not what is below the operating point or was taken out by a person.
    """
    query = select(DetectionRow).where(DetectionRow.analysis_id == analysis_id)
    if reported_only:
        query = query.where(DetectionRow.reported, DetectionRow.discarded_by == "")
    rows = session.scalars(query.order_by(DetectionRow.score.desc(), DetectionRow.detection_id))
    return [_detection(row, files) for row in rows]


def earlier_detections(session: Session, study_instance_uid: str) -> list[Detection]:
    """What was found in a study before, in all revisions and by all models, the newest first; without masks."""
    rows = session.scalars(
        select(DetectionRow)
        .join(Analysis, Analysis.analysis_id == DetectionRow.analysis_id)
        .where(Analysis.study_instance_uid == study_instance_uid)
        .order_by(DetectionRow.created_at.desc(), DetectionRow.score.desc(), DetectionRow.detection_id)
    )
    return [_detection(row, None) for row in rows]


# --- masks ------------------------------------------------------------------------------------------------------


def mask_name(study_instance_uid_part: str, detection_id: str) -> str:
    """Where a mask lies in the file store; the first part is a study's name part (`db.files.name_part`)."""
    return f"masks/{study_instance_uid_part}/{detection_id}.npz"


def mask_bytes(mask: Mask) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, corner=np.array([mask.z, mask.row, mask.col]), voxels=mask.voxels)
    return buffer.getvalue()


def read_mask(content: bytes) -> Mask:
    with np.load(io.BytesIO(content), allow_pickle=False) as parts:
        z, row, col = (int(value) for value in parts["corner"])
        return Mask(z, row, col, parts["voxels"].astype(np.bool_))


# --- rows -------------------------------------------------------------------------------------------------------


def _row(
    detection: Detection,
    analysis_id: str,
    reported: bool,
    mask_name: str,
    now: datetime,
    positions_mm: Sequence[float],
) -> DetectionRow:
    long_axis, short_axis = detection.long_axis, detection.short_axis
    return DetectionRow(
        detection_id=detection.detection_id,
        analysis_id=analysis_id,
        sop_instance_uid=detection.image.sop_instance_uid,
        frame_number=detection.image.frame_number,
        box_x1=detection.box.x1,
        box_y1=detection.box.y1,
        box_x2=detection.box.x2,
        box_y2=detection.box.y2,
        z_first=detection.z_first,
        z_last=detection.z_last,
        z_first_mm=float(positions_mm[detection.z_first]) if len(positions_mm) else None,
        z_last_mm=float(positions_mm[detection.z_last]) if len(positions_mm) else None,
        long_x1=long_axis.a.col,
        long_y1=long_axis.a.row,
        long_x2=long_axis.b.col,
        long_y2=long_axis.b.row,
        short_x1=short_axis.a.col,
        short_y1=short_axis.a.row,
        short_x2=short_axis.b.col,
        short_y2=short_axis.b.row,
        long_axis_mm=detection.long_axis_mm,
        short_axis_mm=detection.short_axis_mm,
        score=detection.score,
        category=detection.category,
        tracking_uid=detection.tracking_uid,
        mask_name=mask_name,
        reported=reported,
        prior_detection_id=detection.prior.detection_id if detection.prior else None,
        prior_long_axis_mm=detection.prior.long_axis_mm if detection.prior else None,
        prior_study_date=detection.prior.study_date if detection.prior else None,
        created_at=now,
    )


def _detection(row: DetectionRow, files: FileStore | None) -> Detection:
    mask = read_mask(files.path(row.mask_name).read_bytes()) if files is not None and row.mask_name else None
    return Detection(
        detection_id=row.detection_id,
        image=ImageReference(row.sop_instance_uid, row.frame_number),
        box=BoxPx(row.box_x1, row.box_y1, row.box_x2, row.box_y2),
        z_first=row.z_first,
        z_last=row.z_last,
        long_axis=Axis(PointPx(row.long_x1, row.long_y1), PointPx(row.long_x2, row.long_y2)),
        short_axis=Axis(PointPx(row.short_x1, row.short_y1), PointPx(row.short_x2, row.short_y2)),
        long_axis_mm=row.long_axis_mm,
        short_axis_mm=row.short_axis_mm,
        score=row.score,
        category=row.category,
        tracking_uid=row.tracking_uid,
        mask=mask,
        prior=_prior(row),
    )


def _prior(row: DetectionRow) -> Prior | None:
    if row.prior_detection_id is None or row.prior_long_axis_mm is None or row.prior_study_date is None:
        return None
    return Prior(row.prior_detection_id, row.prior_study_date, row.prior_long_axis_mm)
