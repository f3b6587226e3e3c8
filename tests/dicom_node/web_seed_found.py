"""What the pages show of findings, receipts and commitment, beside what `web_seed` leaves."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from found_study import (
    FOUND_REPORT,
    FOUND_SERIES,
    FOUND_STUDY,
    SLICES,
    found_answers,
    found_marks,
    found_results,
    found_study,
)
from pydicom import uid
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from web_seed import MARKUP, PROMOTED, write_ct

from db.models import Instance, Patient
from db.outcomes import Circuit, Commitment, CommitmentRequest, Delivery


def seed_found(session: Session, data_dir: Path, now: datetime) -> None:
    """A study with findings: held for the reading room, committed, in shadow and taken back elsewhere."""
    patient_pk = session.scalar(select(Patient.patient_pk))
    found_study(session, now - timedelta(days=3), PROMOTED, description=MARKUP, patient_pk=patient_pk)
    for number in (1, 2):
        write_ct(data_dir / "dicom" / f"found-{number}.dcm", SLICES[number], FOUND_SERIES, FOUND_STUDY)
        session.add(
            Instance(
                sop_instance_uid=SLICES[number],
                study_instance_uid=FOUND_STUDY,
                series_instance_uid=FOUND_SERIES,
                sop_class_uid=uid.CTImageStorage,
                transfer_syntax_uid=uid.ExplicitVRLittleEndian,
                content_sha256=f"{number}" * 64,
                file_name=f"dicom/found-{number}.dcm",
                size_bytes=25_000,
                received_at=now,
                indexed=True,
            )
        )
    found_marks(session, now - timedelta(days=4), patient_id=MARKUP)
    found_answers(session, now - timedelta(days=1), MARKUP)
    others = ("ARCHIVE", "send"), ("SHADOW", "send"), ("GONE", "send")
    found_results(session, now - timedelta(days=2), ("READING <ROOM>", "hold"), *others)
    for destination, state in (("ARCHIVE", "committed"), ("SHADOW", "shadow"), ("GONE", "retracted")):
        arrived = None if state == "shadow" else now - timedelta(hours=30)
        session.execute(
            update(Delivery)
            .where(Delivery.destination == destination)
            .values(state=state, delivered_at=arrived, next_try_at=None)
        )
    committed = (Delivery.destination == "ARCHIVE", Delivery.result_sop_instance_uid == FOUND_REPORT)
    session.execute(update(Delivery).where(*committed).values(committed_at=now - timedelta(hours=29)))
    opened = {"opened_at": now - timedelta(hours=5), "probe_at": now + timedelta(minutes=4)}
    session.add(Circuit(destination="ARCHIVE", failures=6, reason=f"no association {MARKUP}", **opened))
    session.add(Commitment(transaction_uid="2.25.900", destination="ARCHIVE", asked_at=now, committed=1, failed=1))
    session.add_all(
        CommitmentRequest(
            ae_title=ae_title,
            transaction_uid=f"2.25.90{number}",
            instances=[["1.2.840.10008.5.1.4.1.1.2", "1.2.3"]],
            received_at=now - timedelta(hours=number),
            state=state,
            last_answer=MARKUP,
        )
        for number, (ae_title, state) in enumerate((("READING", "waiting"), ("PACS", "dead"), ("PACS", "answered")))
    )
