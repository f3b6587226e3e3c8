"""Many who store at the same time, on either database."""

import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier

import pytest
from arriving import NOW, STUDY, ct, new_store, received
from sqlalchemy import select

from db.engine import Sessions, open_sessions, reading
from db.models import Instance, Patient, Series, Study
from db.upsert import BATCH, insert_once, insert_or_update
from dicom_node.store import Store


@pytest.fixture
def store(any_sessions: Sessions, tmp_path: Path) -> Store:
    return new_store(any_sessions, tmp_path)


def rows(store: Store) -> list[Instance]:
    with reading(store.sessions) as session:
        return list(session.scalars(select(Instance).order_by(Instance.instance_pk)))


def dicom_files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "dicom").rglob("*") if path.is_file())


def at_once(number: int, act: Callable[[int], object]) -> None:
    """Let so many threads begin together; what one of them raises is raised here."""
    barrier = threading.Barrier(number)

    def begin(index: int) -> None:
        barrier.wait()
        act(index)

    with ThreadPoolExecutor(number) as pool:
        list(pool.map(begin, range(number)))


def test_eight_threads_that_keep_the_same_and_different_instances_lose_none(store: Store) -> None:
    new: list[bool] = []

    def keep_all(index: int) -> None:
        numbers = [1 + (index + step) % 5 for step in range(5)]
        new.extend(store.keep(received(ct(number)), NOW).new for number in numbers)

    at_once(8, keep_all)
    assert (len(new), sum(new)) == (40, 5)
    assert sorted(row.sop_instance_uid for row in rows(store)) == [ct(n).SOPInstanceUID for n in range(1, 6)]
    assert {row.state for row in rows(store)} == {"current"}
    assert len(dicom_files(store.files.data_dir)) == 5


def test_of_eight_contents_of_one_instance_that_arrive_at_once_one_is_current(store: Store) -> None:
    at_once(8, lambda index: store.keep(received(ct(1, PatientID=f"P-{index}")), NOW))
    assert sorted(row.state for row in rows(store)) == ["conflict"] * 7 + ["current"]
    assert len(dicom_files(store.files.data_dir)) == 8


def test_instances_of_eight_studies_that_arrive_at_once_open_eight_studies(store: Store) -> None:
    at_once(8, lambda index: store.keep(received(ct(1, study=f"{STUDY}.{index + 1}")), NOW))
    with reading(store.sessions) as session:
        found = session.scalars(select(Study.study_instance_uid).where(Study.state == "receiving")).all()
    assert sorted(found) == [f"{STUDY}.{number}" for number in range(1, 9)]


_barrier: Barrier | None = None


def _meet(barrier: Barrier) -> None:
    global _barrier
    _barrier = barrier


def _keep_in_a_process(url: str, folder: str) -> list[bool]:
    """New or not, of 12 instances that each process keeps in the same order."""
    sessions = open_sessions(url)
    store = new_store(sessions, Path(folder))
    assert _barrier is not None
    new = []
    for number in range(1, 13):
        _barrier.wait(60)
        new.append(store.keep(received(ct(number)), NOW + timedelta(seconds=number)).new)
    sessions.kw["bind"].dispose()
    return new


@pytest.mark.slow
def test_of_two_processes_that_store_the_same_instance_at_once_one_finds_it_new(store: Store, any_url: str) -> None:
    spawn = get_context("spawn")
    with ProcessPoolExecutor(2, spawn, _meet, (spawn.Barrier(2),)) as pool:
        asked = [pool.submit(_keep_in_a_process, any_url, str(store.files.data_dir)) for _ in range(2)]
        first, second = (answer.result(120) for answer in asked)
    assert [one + other for one, other in zip(first, second, strict=True)] == [1] * 12
    assert len(rows(store)) == len(dicom_files(store.files.data_dir)) == 12
    assert {row.state for row in rows(store)} == {"current"}


# --- INSERT … ON CONFLICT ----------------------------------------------------------------------------------------


def test_a_row_is_inserted_once_by_whichever_unique_key(any_sessions: Sessions) -> None:
    with any_sessions.begin() as session:
        assert insert_once(session, Patient, patient_id="P", issuer_of_patient_id="", split="train")
        assert not insert_once(session, Patient, patient_id="P", issuer_of_patient_id="", split="test")
        assert insert_once(session, Patient, patient_id="P", issuer_of_patient_id="Ward", split="test")
    with reading(any_sessions) as session:
        assert [patient.split for patient in session.scalars(select(Patient).order_by(Patient.patient_pk))] == [
            "train",
            "test",
        ]


def test_who_waits_for_a_row_that_is_rolled_back_inserts_it(any_sessions: Sessions) -> None:
    wanted = {"patient_id": "P", "issuer_of_patient_id": "", "split": "val"}
    inserted: list[bool] = []

    def insert() -> None:
        with any_sessions.begin() as session:
            inserted.append(insert_once(session, Patient, **wanted))

    other = threading.Thread(target=insert)
    with any_sessions() as session:
        assert insert_once(session, Patient, **wanted)
        other.start()
        other.join(0.3)
        assert other.is_alive(), "it did not wait for the row that is not yet committed"
        session.rollback()
    other.join(30)
    assert inserted == [True]


def test_rows_of_several_batches_are_written_and_then_written_over(any_sessions: Sessions) -> None:
    def series(description: str) -> list[dict[str, object]]:
        return [
            {"series_instance_uid": f"1.2.{number}", "study_instance_uid": STUDY, "description": description}
            for number in range(2 * BATCH + 1)
        ]

    for description in ("first", "second"):
        with any_sessions.begin() as session:
            insert_once(
                session, Study, study_instance_uid=STUDY, received_first_at=NOW, received_last_at=NOW, state="receiving"
            )
            insert_or_update(session, Series, series(description))
    with reading(any_sessions) as session:
        found = session.scalars(select(Series.description)).all()
    assert found == ["second"] * (2 * BATCH + 1)
