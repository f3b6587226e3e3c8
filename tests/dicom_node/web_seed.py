"""A node in which everything that the pages show has happened once. Names hold markup, to prove that it stays text."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, uid
from pydicom.dataset import FileMetaDataset
from sqlalchemy.orm import Session

from db.models import (
    Category,
    CategoryMember,
    CategoryStatistics,
    Image,
    Instance,
    LabelGeneration,
    LesionRow,
    MeasurementRow,
    Patient,
    Refusal,
    Rejection,
    Series,
    SourceObject,
    Study,
)
from db.outcomes import Analysis, Delivery, DetectionRow, Heartbeat, Model, Result, Task, TrainingSet

MARKUP = "<script>alert(1)</script>"
STUDY, OPEN_STUDY, LATE_STUDY = "1.2.3.1", "1.2.3.2", "1.2.3.3"
SERIES, IMAGE = "1.2.3.1.1", "1.2.3.1.1.7"
LESION, OTHER_LESION, DETECTION = "lesion-a", "lesion-b", "detection-a"
ROWS, COLUMNS, ROW_MM, COL_MM = 90, 140, 1.25, 0.75
PROMOTED, CANDIDATE, RETIRED = "aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"
HELD, WAITING, DELIVERED, DEAD, REPLACED = "2.25.11", "2.25.12", "2.25.13", "2.25.14", "2.25.15"


def write_ct(path: Path, image: str = IMAGE, series: str = SERIES, study: str = STUDY) -> None:
    """A CT image of soft tissue at 40 HU with a bright rectangle, its rows and columns of different spacing."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = uid.CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = image
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
    ds.Rows, ds.Columns, ds.SamplesPerPixel = ROWS, COLUMNS, 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.RescaleSlope, ds.RescaleIntercept = 1, -1000
    ds.PixelSpacing = [ROW_MM, COL_MM]
    pixels = np.full((ROWS, COLUMNS), 1040, np.int16)
    pixels[30:50, 60:100] = 1140
    ds.PixelData = pixels.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)


def seed(session: Session, data_dir: Path, now: datetime) -> None:
    write_ct(data_dir / "dicom" / "ct.dcm")
    _received(session, now)
    _harvested(session, now)
    _categorised(session, now)
    _trained(session, now)
    _delivered(session, now)
    session.add_all(
        [
            Task(kind="train", state="failed", asked_by="schedule", asked_at=now, finished_at=now, outcome=MARKUP),
            Task(
                kind="categorise",
                state="running",
                asked_by="web",
                asked_at=now,
                started_at=now,
                progress={"step": "cluster", "done": 3, "total": 8},
            ),
            Heartbeat(executor_id="worker-1", role="work", seen_at=now - timedelta(minutes=9)),
            Heartbeat(executor_id="receiver-1", role="receive", seen_at=now),
        ]
    )


def _received(session: Session, now: datetime) -> None:
    patient = Patient(patient_id=MARKUP, split="train")
    session.add(patient)
    session.flush()
    received: dict[str, Any] = {"received_first_at": now, "patient_pk": patient.patient_pk, "source_ae": "PACS"}
    session.add_all(
        [
            Study(
                study_instance_uid=STUDY,
                received_last_at=now - timedelta(hours=1),
                state="settled",
                revision=2,
                harvested_revision=2,
                analysed_revision=1,
                attempted_revision=2,
                attempts=5,
                error="the detector ran out of memory",
                analyse=True,
                study_date=date(2026, 3, 4),
                description=MARKUP,
                accession_number="ACC-17",
                **received,
            ),
            Study(study_instance_uid=OPEN_STUDY, received_last_at=now, **received),
            Study(
                study_instance_uid=LATE_STUDY,
                received_last_at=now - timedelta(days=2),
                state="incomplete",
                revision=1,
                harvested_revision=1,
                expected_instances=9,
                **received,
            ),
        ]
    )
    session.flush()
    for number, (sha, state) in enumerate((("a" * 64, "current"), ("b" * 64, "conflict"))):
        session.add(
            Instance(
                sop_instance_uid=IMAGE,
                study_instance_uid=STUDY,
                series_instance_uid=SERIES,
                sop_class_uid=uid.CTImageStorage,
                transfer_syntax_uid=uid.ExplicitVRLittleEndian,
                content_sha256=sha,
                file_name="dicom/ct.dcm" if number == 0 else "dicom/ct-other.dcm",
                size_bytes=25_000,
                state=state,
                received_at=now,
                indexed=True,
            )
        )
    session.add(Series(series_instance_uid=SERIES, study_instance_uid=STUDY, modality="CT"))
    session.flush()
    session.add(
        Image(
            sop_instance_uid=IMAGE,
            series_instance_uid=SERIES,
            rows=ROWS,
            columns=COLUMNS,
            row_spacing_mm=ROW_MM,
            col_spacing_mm=COL_MM,
        )
    )
    session.add(Refusal(at=now, source="STRANGER", reason_code="unknown_ae", reason="the AE title is not known"))


def _harvested(session: Session, now: datetime) -> None:
    session.add(
        SourceObject(source_sop_instance_uid="1.2.3.1.9", study_instance_uid=STUDY, kind="SR", harvested_at=now)
    )
    session.flush()
    for number, lesion_id in enumerate((LESION, OTHER_LESION)):
        session.add(
            MeasurementRow(
                lesion_id=lesion_id,
                source_sop_instance_uid="1.2.3.1.9",
                source_item=f"1.{number}",
                source_kind="SR",
                sop_instance_uid=IMAGE,
                long_x1=60,
                long_y1=40,
                long_x2=99,
                long_y2=40,
            )
        )
        session.add(
            LesionRow(
                lesion_id=lesion_id,
                patient_id=MARKUP,
                study_instance_uid=STUDY,
                series_instance_uid=SERIES,
                sop_instance_uid=IMAGE,
                frame_number=1,
                modality="CT",
                long_x1=60,
                long_y1=40,
                long_x2=99,
                long_y2=40,
                short_x1=80,
                short_y1=31,
                short_x2=80,
                short_y2=49,
                long_axis_px=39,
                long_axis_mm=29.25,
                short_axis_mm=22.5,
                box_x1=55,
                box_y1=26,
                box_x2=104,
                box_y2=54,
                site=MARKUP,
                source_kind="SR",
                source_sop_instance_uid="1.2.3.1.9",
                source_item=f"1.{number}",
                measured_at=now - timedelta(days=number),
                reader_version=1,
                derived=False,
                image_present=True,
                possibly_noisy=False,
                split="train" if number == 0 else None,
                excluded_because=None if number == 0 else "duplicate",
            )
        )
    for reason in ("no_spatial_coordinates", "no_spatial_coordinates", "reader_failed"):
        session.add(Rejection(source_sop_instance_uid="1.2.3.1.9", reason_code=reason, reason=MARKUP, at=now))


def _categorised(session: Session, now: datetime) -> None:
    session.add(
        LabelGeneration(label_generation=1, created_at=now, extractor="hu-features", settings={}, lesions=2, figures={})
    )
    session.add(Category(category_id=1, name=f"liver {MARKUP}"))
    session.flush()
    session.add(CategoryStatistics(label_generation=1, category_id=1, members=2, stability=0.83))
    for distance, lesion_id in enumerate((LESION, OTHER_LESION)):
        session.add(CategoryMember(label_generation=1, lesion_id=lesion_id, category_id=1, distance=float(distance)))


def _trained(session: Session, now: datetime) -> None:
    session.add(TrainingSet(training_set_id="d" * 64, created_at=now, label_generation=1))
    session.flush()
    states = ((RETIRED, "retired", 3), (PROMOTED, "promoted", 2), (CANDIDATE, "candidate", 1))
    for model_id, state, days in states:
        session.add(
            Model(
                model_id=model_id,
                state=state,
                trained_at=now - timedelta(days=days),
                promoted_at=now - timedelta(days=days) if state != "candidate" else None,
                label_generation=1,
                training_set_id="d" * 64,
                weights_sha256=model_id + "0" * 52,
                weights_name=f"models/{model_id}.safetensors",
                card={},
                froc_at_0_5=0.41,
                froc_at_1=0.52,
                froc_at_2=0.61,
                froc_at_4=0.7,
                froc_at_8=0.78,
                gate={"sentence": "not worse than before"},
            )
        )
    session.flush()


def _delivered(session: Session, now: datetime) -> None:
    session.add(
        Analysis(
            analysis_id="analysis-1",
            study_instance_uid=STUDY,
            study_revision=2,
            series_instance_uid=SERIES,
            model_id=PROMOTED,
            state="failed",
            reason=MARKUP,
            started_at=now,
            finished_at=now,
        )
    )
    session.flush()
    session.add(
        DetectionRow(
            detection_id=DETECTION,
            analysis_id="analysis-1",
            sop_instance_uid=IMAGE,
            box_x1=55,
            box_y1=26,
            box_x2=104,
            box_y2=54,
            z_first=0,
            z_last=0,
            long_x1=60,
            long_y1=40,
            long_x2=99,
            long_y2=40,
            short_x1=80,
            short_y1=31,
            short_x2=80,
            short_y2=49,
            long_axis_mm=29.25,
            short_axis_mm=22.5,
            score=0.91,
            category=MARKUP,
            tracking_uid="2.25.77",
            created_at=now,
        )
    )
    states = ((HELD, "held"), (WAITING, "waiting"), (DELIVERED, "delivered"), (DEAD, "dead"), (REPLACED, "held"))
    for result_uid, state in states:
        session.add(
            Result(
                result_sop_instance_uid=result_uid,
                analysis_id="analysis-1",
                kind="SR",
                profile="ohif",
                sop_class_uid=uid.Comprehensive3DSRStorage,
                series_instance_uid="2.25.10",
                file_name=f"results/{result_uid}.dcm",
                created_at=now,
                superseded_by=HELD if result_uid == REPLACED else None,
            )
        )
        session.flush()
        session.add(
            Delivery(
                result_sop_instance_uid=result_uid,
                destination="READING <ROOM>",
                state=state,
                tries=30 if state == "dead" else 0,
                last_answer=MARKUP if state == "dead" else "",
                created_at=now - timedelta(hours=3),
                delivered_at=now - timedelta(hours=2) if state == "delivered" else None,
                next_try_at=now if state == "waiting" else None,
            )
        )
