"""A study as viewers are told of it, from its rows. Shell: reads only."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Patient, Study
from dicom_node.viewer_link import Place


def study_place(session: Session, study_instance_uid: str) -> Place:
    """By the patient id that stands in its images, after a merge, too: viewers know no other."""
    row = session.execute(
        select(Patient.patient_id, Study.accession_number)
        .join_from(Study, Patient, Patient.patient_pk == Study.patient_pk, isouter=True)
        .where(Study.study_instance_uid == study_instance_uid)
    ).one_or_none()
    patient_id, accession_number = row or ("", "")
    return Place(study_instance_uid, patient=patient_id or "", accession=accession_number or "")
