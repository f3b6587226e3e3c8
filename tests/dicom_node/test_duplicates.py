"""Several contents under one SOP Instance UID: which of them counts, decided and then written."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from arriving import NOW, SITE_KEY, STUDY, ct, new_store, received
from broken_pixels import jpeg_without_its_tables, rle_with_a_long_segment
from pydicom import Dataset
from sqlalchemy import select

from db import studies
from db.engine import Sessions, reading
from db.models import Instance, Patient, Study
from dicom_node.duplicates import Candidate, resolve
from dicom_node.settle import settle_study
from dicom_node.store import Store

NEW, OLD = True, False


def decided(*contents: tuple[str, bool, str]) -> list[str]:
    """contents: (state, new, digest), in the order in which they last arrived."""
    candidates = [Candidate(pk, state, new, digest) for pk, (state, new, digest) in enumerate(contents)]
    states = resolve(candidates)
    return [states[candidate.instance_pk] for candidate in candidates]


@pytest.mark.parametrize(
    ("contents", "states"),
    [
        ([("current", NEW, "p")], ["current"]),
        ([("current", OLD, "p"), ("conflict", NEW, "p")], ["superseded", "current"]),
        ([("current", OLD, "p"), ("conflict", NEW, "q")], ["current", "conflict"]),
        (
            [("current", NEW, "p"), ("conflict", NEW, "q"), ("conflict", NEW, "p")],
            ["superseded", "conflict", "current"],
        ),
        # it came again, after the one that had superseded it
        ([("current", OLD, "p"), ("superseded", NEW, "p")], ["superseded", "current"]),
        ([("conflict", NEW, "p"), ("current", OLD, "p")], ["superseded", "current"]),
        # superseded by another study's settling before its own study settled: it is older, and stays out
        ([("superseded", NEW, "p"), ("current", OLD, "p")], ["superseded", "current"]),
        # a person chose the other pixels
        ([("current", OLD, "q"), ("superseded", NEW, "p")], ["current", "superseded"]),
        ([("superseded", OLD, "p"), ("current", NEW, "q")], ["superseded", "current"]),
        # an open conflict waits for a person, whatever comes beside it
        (
            [("current", OLD, "p"), ("conflict", OLD, "q"), ("conflict", NEW, "q")],
            ["current", "conflict", "conflict"],
        ),
        ([("conflict", NEW, "p"), ("conflict", NEW, "p")], ["superseded", "current"]),
        # the current one is lost with its file, and another is all that the sender has
        ([("superseded", OLD, "p"), ("superseded", NEW, "q")], ["superseded", "current"]),
    ],
)
def test_of_equal_pixels_the_newest_header_counts_and_of_others_a_person_decides(
    contents: list[tuple[str, bool, str]], states: list[str]
) -> None:
    assert decided(*contents) == states


# --- as it is written -------------------------------------------------------------------------------------------


@pytest.fixture
def store(any_sessions: Sessions, tmp_path: Path) -> Store:
    return new_store(any_sessions, tmp_path)


@pytest.fixture
def arrive(store: Store) -> Callable[..., None]:
    """An object arrives at an hour; its study settles half an hour later, if it is not settled."""

    def keep(ds: Dataset, hour: int, settle: bool = True) -> None:
        store.keep(received(ds), NOW + timedelta(hours=hour))
        if settle:
            settle_study(store.sessions, store.files, STUDY, NOW + timedelta(hours=hour + 0.5), SITE_KEY)

    return keep


def states(store: Store) -> list[str]:
    with reading(store.sessions) as session:
        return list(session.scalars(select(Instance.state).order_by(Instance.instance_pk)))


def patient_id(store: Store) -> str | None:
    with reading(store.sessions) as session:
        return session.scalar(select(Patient.patient_id).join(Study, Study.patient_pk == Patient.patient_pk))


def revision(store: Store) -> int | None:
    with reading(store.sessions) as session:
        return session.scalar(select(Study.revision).where(Study.state == "settled"))


def test_a_correction_that_is_taken_back_counts_no_more(store: Store, arrive: Callable[..., None]) -> None:
    first, corrected = ct(1, PatientID="P-17"), ct(1, PatientID="P-18")
    arrive(first, 0)
    arrive(corrected, 1)
    assert (states(store), patient_id(store)) == (["superseded", "current"], "P-18")
    arrive(first, 2)
    assert (states(store), patient_id(store), revision(store)) == (["current", "superseded"], "P-17", 3)
    arrive(first, 3)
    assert (states(store), revision(store)) == (["current", "superseded"], 3)
    arrive(corrected, 4)
    assert (states(store), patient_id(store)) == (["superseded", "current"], "P-18")


def test_a_correction_that_is_taken_back_before_the_study_settled_never_counts(
    store: Store, arrive: Callable[..., None]
) -> None:
    first, corrected = ct(1, PatientID="P-17"), ct(1, PatientID="P-18")
    arrive(first, 0, settle=False)
    arrive(corrected, 1, settle=False)
    arrive(first, 2)
    assert (states(store), patient_id(store)) == (["current", "superseded"], "P-17")


def test_what_a_person_has_chosen_against_stays_out_when_it_comes_again(
    store: Store, arrive: Callable[..., None]
) -> None:
    wrong, right = ct(1, PatientID="P-17"), ct(1, PatientID="P-18", PixelData=np.full(24, 7, "<i2").tobytes())
    arrive(wrong, 0)
    arrive(right, 1)
    with store.sessions.begin() as session:
        studies.choose(session, studies.conflicts(session, STUDY)[1].instance_pk)
    arrive(wrong, 2)
    assert (states(store), patient_id(store)) == (["superseded", "current"], "P-18")
    with reading(store.sessions) as session:
        assert studies.conflicts(session, STUDY) == []


def test_a_correction_whose_file_is_lost_is_replaced_by_what_the_sender_has(
    store: Store, arrive: Callable[..., None]
) -> None:
    first, corrected = ct(1, PatientID="P-17"), ct(1, PatientID="P-18")
    arrive(first, 0)
    arrive(corrected, 1)
    with reading(store.sessions) as session:
        (current,) = studies.current_instances(session, STUDY)
    store.files.path(current.file_name).unlink()
    arrive(first, 2)
    assert (states(store), patient_id(store)) == (["current", "superseded"], "P-17")


@pytest.mark.parametrize("broken", [jpeg_without_its_tables, rle_with_a_long_segment])
def test_pixels_that_no_decoder_survives_are_a_conflict_like_any_other(
    broken: Callable[..., Dataset], store: Store, arrive: Callable[..., None]
) -> None:
    store.keep(received(ct(2)), NOW)
    hostile = broken(1)
    for patient_id in ("P-17", "P-18"):
        hostile.PatientID = patient_id
        store.keep(received(hostile, hostile.file_meta.TransferSyntaxUID), NOW)
    arrive(ct(2, PatientID="P-18"), 1)
    assert states(store) == ["superseded", "current", "conflict", "current"]
