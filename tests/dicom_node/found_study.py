"""A study that was looked at: two findings, one of them grown, and something unsure; with its results in the outbox."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from pydicom import uid
from sqlalchemy.orm import Session

from db import deliveries
from db.models import Image, LesionRow, Series, Study
from db.outcomes import Analysis, Assessment, DetectionRow, Result

FOUND_STUDY, FOUND_SERIES, ANALYSIS = "1.2.3.5", "1.2.3.5.1", "analysis-of-found"
SLICES = tuple(f"{FOUND_SERIES}.{number}" for number in range(4))
"""Coronal, 2.5 mm apart: the normal is -y, so that their positions along it are 40.0, 37.5, 35.0 and 32.5 mm."""
SURE, LIKELY, UNSURE = "finding-sure", "finding-likely", "finding-unsure"
MARK_ON_SURE, MARK_MISSED = "mark-on-sure", "mark-missed"
FOUND_REPORT, FOUND_SEG = "2.25.501", "2.25.502"
ROWS, COLUMNS, ROW_MM, COL_MM = 90, 140, 1.25, 0.75


def found_study(session: Session, now: datetime, model_id: str | None = None, **study: Any) -> None:
    session.add(
        Study(
            study_instance_uid=FOUND_STUDY, state="settled", revision=1, harvested_revision=1, analysed_revision=1,
            analyse=True, received_first_at=now, received_last_at=now, study_date=date(2026, 5, 6),
            accession_number="ACC-18", **study,
        )
    )  # fmt: skip
    session.flush()
    session.add(Series(series_instance_uid=FOUND_SERIES, study_instance_uid=FOUND_STUDY, modality="CT"))
    session.flush()
    for number, sop_instance_uid in enumerate(SLICES):
        session.add(
            Image(
                sop_instance_uid=sop_instance_uid, series_instance_uid=FOUND_SERIES, rows=ROWS, columns=COLUMNS,
                row_spacing_mm=ROW_MM, col_spacing_mm=COL_MM,
                planes=[[-50.0, -40.0 + 2.5 * number, 200.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]],
            )
        )  # fmt: skip
    session.add(
        Analysis(
            analysis_id=ANALYSIS, study_instance_uid=FOUND_STUDY, study_revision=1, series_instance_uid=FOUND_SERIES,
            model_id=model_id, state="found", started_at=now - timedelta(minutes=2), finished_at=now,
        )
    )  # fmt: skip
    session.flush()
    session.add_all(
        [
            finding(SURE, 0.91, now, col=60, prior_long_axis_mm=19.5, prior_study_date=date(2025, 11, 2)),
            finding(LIKELY, 0.62, now, col=10),
            finding(UNSURE, 0.08, now, col=30, reported=False),
        ]
    )
    session.flush()


def finding(detection_id: str, score: float, now: datetime, col: float, **more: Any) -> DetectionRow:
    """39 columns of 0.75 mm wide and 18 rows of 1.25 mm high, on slices 1 to 2 of the study."""
    return DetectionRow(
        detection_id=detection_id, analysis_id=ANALYSIS, sop_instance_uid=SLICES[1], box_x1=col - 5, box_y1=26,
        box_x2=col + 44, box_y2=54, z_first=1, z_last=2, z_first_mm=35.0, z_last_mm=37.5, long_x1=col, long_y1=40,
        long_x2=col + 39, long_y2=40, short_x1=col + 20, short_y1=31, short_x2=col + 20, short_y2=49,
        long_axis_mm=29.25, short_axis_mm=22.5, score=score, category="liver <b>cyst</b>", tracking_uid=f"2.25.{score}",
        created_at=now, **more,
    )  # fmt: skip


def found_results(session: Session, now: datetime, *destinations: tuple[str, str]) -> None:
    """An SR and a SEG of the study for each (destination, mode)."""
    for sop_instance_uid, kind, profile in ((FOUND_REPORT, "SR", "ohif"), (FOUND_SEG, "SEG", "seg")):
        session.add(
            Result(
                result_sop_instance_uid=sop_instance_uid, analysis_id=ANALYSIS, kind=kind, profile=profile,
                sop_class_uid=uid.Comprehensive3DSRStorage if kind == "SR" else uid.SegmentationStorage,
                series_instance_uid=f"{sop_instance_uid}.1", file_name=f"results/{sop_instance_uid}.dcm",
                created_at=now,
            )
        )  # fmt: skip
        session.flush()
        for destination, mode in destinations:
            deliveries.put(session, sop_instance_uid, destination, mode, now)
    session.flush()


def found_marks(session: Session, now: datetime, **lesion: Any) -> None:
    """What a person marked in it: the sure finding's lesion, on its other slice, and one that was not found."""
    for lesion_id, image, col in ((MARK_ON_SURE, SLICES[2], 62.0), (MARK_MISSED, SLICES[1], 100.0)):
        session.add(
            LesionRow(
                lesion_id=lesion_id, study_instance_uid=FOUND_STUDY, series_instance_uid=FOUND_SERIES,
                sop_instance_uid=image, frame_number=1, modality="CT", long_x1=col, long_y1=41, long_x2=col + 30,
                long_y2=41, long_axis_px=30, long_axis_mm=22.5, box_x1=col - 5, box_y1=36, box_x2=col + 35, box_y2=46,
                source_kind="SR", source_sop_instance_uid="1.2.3.5.9", source_item=lesion_id, measured_at=now,
                reader_version=1, derived=False, image_present=True, possibly_noisy=False, split="test", **lesion,
            )
        )  # fmt: skip
    session.flush()


def found_answers(session: Session, now: datetime, reader: str) -> None:
    """A reader moved the sure finding in a document, and added a lesion."""
    for detection_id, verdict, shift_px in ((SURE, "modified", 3.25), (None, "added", None)):
        session.add(
            Assessment(
                detection_id=detection_id, analysis_id=ANALYSIS, verdict=verdict, reader=reader, assessed_at=now,
                source_sop_instance_uid="1.2.3.5.8", shift_px=shift_px,
            )
        )  # fmt: skip
    session.flush()
