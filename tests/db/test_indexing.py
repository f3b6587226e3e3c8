"""Whose study it is: what images say of the patient stands, whatever a viewer leaves out of what it saves."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import permutations

import pytest

from db.engine import Sessions
from db.headers import Header, PatientHeader, SeriesHeader, StudyHeader
from db.indexing import IndexedInstance, index
from db.models import Patient, Study

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
IMAGES, OF_A_VIEWER = PatientHeader("P-17", "Ward"), PatientHeader("P-17", "")
NOBODY, ANOTHER = PatientHeader("", ""), PatientHeader("P-18", "")


def patient_of(sessions: Sessions, *arrivals: PatientHeader) -> tuple[str, str]:
    """Patient and issuer of a study after objects that came one after the other."""
    with sessions.begin() as session:
        study = Study(
            study_instance_uid="1.2.3", state="settled", revision=1, received_first_at=NOW, received_last_at=NOW
        )
        session.add(study)
        session.flush()
        for number, patient in enumerate(arrivals):
            header = Header(
                patient, StudyHeader("A1", date(2026, 1, 2), ""), SeriesHeader("SR", 1, "", "", "", "", ""), None
            )
            index(session, study, [IndexedInstance(f"1.2.3.{number}", f"1.2.4.{number}", header)], b"key")
        row = session.get_one(Patient, study.patient_pk)
        return row.patient_id, row.issuer_of_patient_id


@pytest.mark.parametrize("order", list(permutations((IMAGES, OF_A_VIEWER, NOBODY))))
def test_an_object_that_leaves_out_the_issuer_names_nobody_else(
    sessions: Sessions, order: tuple[PatientHeader, ...]
) -> None:
    assert patient_of(sessions, *order) == ("P-17", "Ward")


def test_another_patient_id_is_another_patient(sessions: Sessions) -> None:
    assert patient_of(sessions, IMAGES, ANOTHER) == ("P-18", "")


def test_a_study_that_names_nobody_is_a_patient_of_its_own_until_somebody_is_named(sessions: Sessions) -> None:
    assert patient_of(sessions, NOBODY, NOBODY) == ("", "1.2.3")


def test_a_study_of_nobody_becomes_that_of_whom_a_later_object_names(sessions: Sessions) -> None:
    assert patient_of(sessions, NOBODY, OF_A_VIEWER) == ("P-17", "")
