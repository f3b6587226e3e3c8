"""What the clock and new lesions ask for: once, by whichever worker, and never again for the same reason."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, update
from whole_way import Site

from db import categories
from db.categories import MIN_LESIONS, NewGeneration, NewGroup
from db.engine import Sessions, reading, utc_now
from db.models import Instance, LesionRow, SourceObject, Study
from db.outcomes import Task
from dicom_node.config import Schedule
from dicom_node.jobs import JobState
from dicom_node.sweep import schedule_tasks
from dicom_node.work import Rounds

BEGAN = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)
TWO = datetime(2026, 3, 15, 2, 0, tzinfo=UTC)
NIGHTLY = Schedule(categorise="0 2 * * *")
BOTH = ["categorise", "train"]


def ask(sessions: Sessions, schedule: Schedule, now: datetime, began: datetime = BEGAN) -> list[str]:
    with sessions.begin() as session:
        return schedule_tasks(session, schedule, began, now)


def end_all(sessions: Sessions, state: str = "done") -> None:
    with sessions.begin() as session:
        session.execute(update(Task).values(state=state))


def add_lesions(sessions: Sessions, count: int, at: datetime, **different: object) -> None:
    """Lesions of one report on a CT image that is here."""
    report = f"1.5.{at.timestamp()}"
    row = {
        "sop_instance_uid": "1.2.1", "modality": "CT", "row_spacing_mm": 0.8, "col_spacing_mm": 0.5, "derived": False,
        "source_sop_instance_uid": report, "source_item": "1", "source_kind": "SR", "reader_version": 1,
        "image_present": True, "possibly_noisy": False, "frame_number": 1, "long_axis_px": 9.0,
        **dict.fromkeys(("long_x1", "long_y1", "long_y2", "box_x1", "box_y1"), 0.0),
        **dict.fromkeys(("long_x2", "box_x2", "box_y2"), 9.0), **different,
    }  # fmt: skip
    with sessions.begin() as session:
        if session.get(Study, "1.2") is None:
            session.add(Study(study_instance_uid="1.2", received_first_at=at, received_last_at=at))
            session.flush()
            session.add(
                Instance(
                    sop_instance_uid="1.2.1", study_instance_uid="1.2", series_instance_uid="1.2", sop_class_uid="1",
                    transfer_syntax_uid="1", content_sha256="x", file_name="x", size_bytes=1, received_at=at,
                )
            )  # fmt: skip
        session.add(SourceObject(source_sop_instance_uid=report, study_instance_uid="1.2", kind="SR", harvested_at=at))
        session.flush()
        session.execute(insert(LesionRow), [{**row, "lesion_id": f"{report} {n}"} for n in range(count)])


@pytest.mark.parametrize(("hours", "asked"), [(1, []), (20, ["categorise"])])
def test_cron_asks_once_after_it_struck(sessions: Sessions, hours: int, asked: list[str]) -> None:
    now = BEGAN + timedelta(hours=hours)
    assert ask(sessions, NIGHTLY, now) == asked
    assert ask(sessions, NIGHTLY, now) == []


def test_what_was_asked_for_is_not_asked_again_by_another_worker_or_after_a_restart(sessions: Sessions) -> None:
    assert ask(sessions, NIGHTLY, TWO + timedelta(seconds=1)) == ["categorise"]
    end_all(sessions)
    assert ask(sessions, NIGHTLY, TWO + timedelta(seconds=11)) == []
    assert ask(sessions, NIGHTLY, TWO + timedelta(seconds=40), began=TWO - timedelta(seconds=5)) == []
    assert ask(sessions, NIGHTLY, TWO + timedelta(days=1, seconds=1)) == ["categorise"]


def test_a_stroke_that_a_long_round_slept_through_is_not_lost(sessions: Sessions) -> None:
    assert ask(sessions, NIGHTLY, TWO - timedelta(minutes=1)) == []
    assert ask(sessions, NIGHTLY, TWO + timedelta(hours=3)) == ["categorise"]


class NoJobs:
    """An engine of jobs that takes all and never runs one."""

    def enqueue(self, job_id: str, way: str, subject: str, partition: str = "") -> None: ...

    def states(self, job_ids: list[str]) -> dict[str, JobState]:
        return {}

    def forget(self, now: datetime) -> int:
        return 0


def test_a_worker_forgets_no_stroke_while_it_works(site: Site) -> None:
    """It looks many times while the last task of that kind goes on."""
    began = utc_now()
    cron = f"{(began + timedelta(minutes=5)).minute} * * * *"
    schedule = site.config.schedule.model_copy(update={"train": cron})
    node = replace(site.node, config=site.config.model_copy(update={"schedule": schedule}))
    rounds = Rounds(node, NoJobs(), "tests-work")  # type: ignore[arg-type]
    with node.sessions.begin() as session:
        session.add(Task(kind="train", asked_by="page", asked_at=began, state="running"))
    for minutes in (1, 9, 12):
        rounds.run(began + timedelta(minutes=minutes))
    end_all(node.sessions)
    for minutes in (14, 16):
        rounds.run(began + timedelta(minutes=minutes))
    with reading(node.sessions) as session:
        assert session.scalars(select(Task.asked_by).order_by(Task.task_pk)).all() == ["page", "schedule"]


def test_a_stroke_during_a_task_of_its_kind_waits_for_the_end_of_that_task(sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.add(Task(kind="categorise", asked_by="page", asked_at=TWO - timedelta(minutes=5), state="running"))
    assert ask(sessions, NIGHTLY, TWO + timedelta(minutes=1)) == []
    end_all(sessions)
    assert ask(sessions, NIGHTLY, TWO + timedelta(minutes=9)) == ["categorise"]


def test_what_the_clock_struck_before_the_worker_began_is_past(sessions: Sessions) -> None:
    assert ask(sessions, NIGHTLY, TWO + timedelta(hours=1), began=TWO + timedelta(minutes=1)) == []


def test_two_workers_at_the_same_moment_ask_once(any_sessions: Sessions) -> None:
    together = threading.Barrier(4)

    def look() -> None:
        together.wait()
        ask(any_sessions, Schedule(categorise="0 2 * * *", train="0 2 * * *"), TWO + timedelta(seconds=1))

    workers = [threading.Thread(target=look) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with any_sessions() as session:
        assert sorted(session.scalars(select(Task.kind))) == BOTH


@pytest.mark.parametrize("outcome", ["done", "failed"])
def test_new_lesions_ask_once_whatever_comes_of_it(any_sessions: Sessions, outcome: str) -> None:
    schedule = Schedule(train_after_lesions=MIN_LESIONS)
    add_lesions(any_sessions, MIN_LESIONS, BEGAN)
    assert ask(any_sessions, schedule, BEGAN + timedelta(minutes=1)) == BOTH
    end_all(any_sessions, outcome)
    assert ask(any_sessions, schedule, BEGAN + timedelta(minutes=2)) == []
    add_lesions(any_sessions, MIN_LESIONS - 1, BEGAN + timedelta(minutes=3))
    assert ask(any_sessions, schedule, BEGAN + timedelta(minutes=4)) == []
    add_lesions(any_sessions, 1, BEGAN + timedelta(minutes=5))
    assert ask(any_sessions, schedule, BEGAN + timedelta(minutes=6)) == BOTH


@pytest.mark.parametrize(
    "different",
    [
        {"modality": "MR"},
        {"row_spacing_mm": None},
        {"image_present": False},
        {"excluded_because": "drawn by an algorithm"},
        {"sop_instance_uid": "1.2.77"},
    ],
)
def test_lesions_that_cannot_be_grouped_ask_for_nothing(sessions: Sessions, different: dict[str, object]) -> None:
    add_lesions(sessions, MIN_LESIONS, BEGAN, **different)
    assert ask(sessions, Schedule(train_after_lesions=1), BEGAN + timedelta(minutes=1)) == []


def test_fewer_lesions_than_are_grouped_ask_for_nothing(sessions: Sessions) -> None:
    add_lesions(sessions, MIN_LESIONS - 1, BEGAN)
    assert ask(sessions, Schedule(train_after_lesions=1), BEGAN + timedelta(minutes=1)) == []


def test_grouped_lesions_that_are_harvested_again_are_not_new(sessions: Sessions) -> None:
    add_lesions(sessions, MIN_LESIONS, BEGAN)
    with sessions.begin() as session:
        distances = dict.fromkeys(session.scalars(select(LesionRow.lesion_id)), 0.0)
        group = NewGroup(None, "Lung", "Lung", None, None, 0.9, distances)
        rows = list(session.execute(select(LesionRow.__table__.columns)).mappings())
        categories.add_generation(session, NewGeneration("hu", "", {}, {}, [group]), BEGAN)
        session.execute(insert(LesionRow), [dict(row) for row in rows])  # the generation wrote them from no measurement
    assert ask(sessions, Schedule(train_after_lesions=1), BEGAN + timedelta(minutes=1)) == []


def test_new_lesions_wait_while_a_task_runs(sessions: Sessions) -> None:
    schedule = Schedule(train_after_lesions=MIN_LESIONS)
    with sessions.begin() as session:
        session.add(Task(kind="train", asked_by="page", asked_at=BEGAN, state="running"))
    add_lesions(sessions, MIN_LESIONS, BEGAN + timedelta(minutes=1))
    assert ask(sessions, schedule, BEGAN + timedelta(minutes=2)) == []
    end_all(sessions)
    assert ask(sessions, schedule, BEGAN + timedelta(minutes=3)) == BOTH
