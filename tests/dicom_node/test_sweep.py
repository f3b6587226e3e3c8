"""The sweep: what is started, what counts as failed, and that a lost engine changes nothing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from outbox import Outbox

from db import deliveries
from db.engine import Sessions
from db.models import Study
from db.outcomes import Heartbeat
from dicom_node.backoff import DELIVERY_TRIES, STUDY_TRIES, next_delivery_try, next_study_try
from dicom_node.heartbeat import beat, worker_is_alive
from dicom_node.jobs import JobState
from dicom_node.store import LocalFiles
from dicom_node.sweep import (
    Undone,
    decide,
    sweep,
    take_over_the_gone,
    undone_studies,
)

NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)


@pytest.fixture
def outbox(sessions: Sessions, tmp_path: Path) -> Outbox:
    return Outbox(sessions, LocalFiles(tmp_path))


class Engine:
    """An engine of jobs in memory: what `Jobs` promises, without running anything."""

    def __init__(self) -> None:
        self.known: dict[str, JobState] = {}
        self.taken_from: list[str] = []

    def enqueue(self, job_id: str, way: str, subject: str, partition: str = "") -> None:
        self.known.setdefault(job_id, JobState(ended=False))

    def states(self, job_ids: list[str]) -> dict[str, JobState]:
        return {job_id: self.known[job_id] for job_id in job_ids if job_id in self.known}

    def take_over(self, dead: list[str]) -> int:
        self.taken_from += dead
        return len(dead)


def add_study(sessions: Sessions, uid: str = "1.2.3") -> None:
    with sessions.begin() as session:
        session.add(
            Study(
                study_instance_uid=uid, state="settled", revision=2, harvested_revision=1,
                received_first_at=NOW, received_last_at=NOW, settled_at=NOW,
            )
        )  # fmt: skip


def test_work_that_the_engine_does_not_know_is_started() -> None:
    work = Undone("study", "1.2.3", 1, 0)
    assert decide([work], {}) == ([work], [])


def test_work_that_the_engine_is_at_is_left_alone() -> None:
    work = Undone("study", "1.2.3", 1, 0)
    assert decide([work], {work.job_id: JobState(ended=False)}) == ([], [])


def test_a_job_that_ended_with_its_work_undone_has_failed() -> None:
    work = Undone("study", "1.2.3", 1, 0)
    assert decide([work], {work.job_id: JobState(ended=True)}) == ([], [(work, "ended without finishing its work")])


def test_a_failed_study_is_tried_again_later_under_another_id(sessions: Sessions) -> None:
    add_study(sessions)
    engine = Engine()
    assert sweep(sessions, engine, NOW) == 1
    (first,) = engine.known
    engine.known[first] = JobState(ended=True, error="no disk")
    assert sweep(sessions, engine, NOW) == 0
    with sessions() as session:
        study = session.get_one(Study, "1.2.3")
        assert (study.attempts, study.error) == (1, "no disk")
        assert undone_studies(session, NOW) == []
    assert sweep(sessions, engine, NOW + timedelta(minutes=1)) == 1
    assert len(engine.known) == 2


def test_a_lost_engine_gets_the_same_jobs_again(sessions: Sessions) -> None:
    add_study(sessions)
    engine, other = Engine(), Engine()
    sweep(sessions, engine, NOW)
    sweep(sessions, engine, NOW)
    sweep(sessions, other, NOW)
    assert list(engine.known) == list(other.known)


def test_a_new_revision_starts_its_tries_afresh(sessions: Sessions) -> None:
    add_study(sessions)
    with sessions.begin() as session:
        study = session.get_one(Study, "1.2.3")
        study.attempted_revision, study.attempts, study.next_try_at = 2, STUDY_TRIES, None
    with sessions.begin() as session:
        assert undone_studies(session, NOW) == []
        session.get_one(Study, "1.2.3").revision = 3
    with sessions() as session:
        assert [work.tries for work in undone_studies(session, NOW)] == [0]


def test_a_commitment_job_that_broke_is_put_off(outbox: Outbox) -> None:
    pk = outbox.put()
    with outbox.sessions.begin() as session:
        deliveries.note_success(session, pk, "Success", NOW, commit_at=NOW)
    engine = Engine()
    sweep(outbox.sessions, engine, NOW)
    (first,) = [job_id for job_id in engine.known if job_id.startswith("commit-Archive-")]
    engine.known[first] = JobState(ended=True, error="unexpected")
    assert sweep(outbox.sessions, engine, NOW) == 0
    assert outbox.row(pk).next_commit_at == NOW + timedelta(minutes=15)
    assert sweep(outbox.sessions, engine, NOW + timedelta(minutes=15)) == 1


def test_tries_get_rarer_and_end() -> None:
    gaps = [next_delivery_try(NOW, tries) for tries in range(1, DELIVERY_TRIES + 1)]
    assert gaps[0] == NOW + timedelta(seconds=30)
    assert gaps[-1] is None
    total = sum(((gap or NOW) - NOW for gap in gaps), timedelta())
    assert timedelta(days=2) < total < timedelta(days=5)
    assert next_study_try(NOW, STUDY_TRIES) is None


def test_the_first_living_worker_takes_over_from_the_gone(sessions: Sessions) -> None:
    with sessions.begin() as session:
        for name, age in (("a-work", 1), ("b-work", 1), ("c-work", 3600)):
            session.add(Heartbeat(executor_id=name, role="work", seen_at=NOW - timedelta(seconds=age), facts={}))
    engine = Engine()
    with sessions.begin() as session:
        assert take_over_the_gone(session, engine, "b-work", NOW) == 0
        assert take_over_the_gone(session, engine, "a-work", NOW) == 1
    assert engine.taken_from == ["c-work"]


@pytest.mark.parametrize(
    ("age_s", "stopped", "alive"), [(20, False, True), (20, True, False), (61, False, False), (600, True, False)]
)
def test_a_command_leaves_its_task_to_a_worker_only_while_one_works(
    sessions: Sessions, age_s: int, stopped: bool, alive: bool
) -> None:
    with sessions.begin() as session:
        beat(session, "a-work", "work", NOW - timedelta(seconds=age_s), stopped=stopped)
    with sessions() as session:
        assert worker_is_alive(session, NOW) is alive


def test_the_engine_gets_a_part_of_a_large_archive_and_what_failed_for_good_takes_no_place(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicom_node.sweep.AT_ONE_LOOK", 2)
    for number in range(5):
        add_study(sessions, f"1.2.{number}")
    with sessions.begin() as session:
        given_up = session.get_one(Study, "1.2.0")
        given_up.attempted_revision, given_up.attempts, given_up.next_try_at = 2, STUDY_TRIES, None
        later = session.get_one(Study, "1.2.1")
        later.attempted_revision, later.attempts, later.next_try_at = 2, 1, NOW + timedelta(seconds=10)
    with sessions() as session:
        assert [work.job_id for work in undone_studies(session, NOW)] == ["study-1.2.2-r2-t0", "study-1.2.3-r2-t0"]
        after = undone_studies(session, NOW + timedelta(seconds=10))
    assert [work.job_id for work in after] == ["study-1.2.1-r2-t1", "study-1.2.2-r2-t0"]


def test_analyses_that_wait_take_no_place_of_a_harvest(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_node.sweep.AT_ONE_LOOK", 2)
    for number in range(6):
        add_study(sessions, f"1.2.{number}")
    with sessions.begin() as session:
        for number in range(3):
            study = session.get_one(Study, f"1.2.{number}")
            study.harvested_revision, study.analyse = 2, True
    with sessions() as session:
        assert [work.job_id for work in undone_studies(session, NOW)] == [
            "study-1.2.3-r2-t0", "study-1.2.4-r2-t0", "analysis-1.2.0-r2-t0", "analysis-1.2.1-r2-t0",
        ]  # fmt: skip


def test_a_failed_analysis_is_tried_again_later(sessions: Sessions) -> None:
    add_study(sessions)
    with sessions.begin() as session:
        study = session.get_one(Study, "1.2.3")
        study.harvested_revision, study.analyse = 2, True
    engine = Engine()
    sweep(sessions, engine, NOW)
    engine.known["analysis-1.2.3-r2-t0"] = JobState(ended=True, error="no memory")
    sweep(sessions, engine, NOW)
    with sessions() as session:
        study = session.get_one(Study, "1.2.3")
        assert (study.attempts, study.error) == (1, "no memory")
        assert undone_studies(session, NOW) == []
