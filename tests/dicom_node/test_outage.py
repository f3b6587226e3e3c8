"""An outage of the database: said once, waited for, and no excuse for an error that comes each time."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from command_line import unused_port
from sqlalchemy.exc import OperationalError
from whole_way import Site

from db.engine import open_sessions, reading, utc_now
from db.outcomes import Task
from dicom_node import workflows
from dicom_node.node import Node
from dicom_node.outage import STEP_TRIES, Outage, Patience, outliving, wait_until_reachable
from dicom_node.processes import ChildWithoutDatabase


def away() -> OperationalError:
    return OperationalError("SELECT :name", {"name": "Doe^John"}, ConnectionError("Doe^John"))


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "dicom_node.outage"]


def test_an_outage_is_one_line_at_its_begin_and_one_at_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    outage = Outage()
    patience = Patience(outage, 0.25)
    waits = []
    for _ in range(8):
        with patience.round():
            raise away()
        waits.append(patience.wait_s)
    assert outage.lasts
    for _ in range(3):
        with patience.round():
            pass
    assert not outage.lasts and patience.wait_s == 0.25
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]
    assert lines(caplog) == [
        "the database is away (ConnectionError); waiting until it is back",
        "the database is back after 0 s",
    ]


def test_another_error_ends_the_rounds() -> None:
    with pytest.raises(ValueError, match="a bug"), Patience(Outage(), 0.25).round():
        raise ValueError("a bug")


@pytest.mark.parametrize("lost", [away, lambda: ChildWithoutDatabase(status=69)])
def test_a_step_that_loses_the_database_runs_again_once_it_is_back(lost: Callable[[], Exception]) -> None:
    outage, ran, done = Outage(), [], []

    def step(subject: str) -> str:
        ran.append(subject)
        if len(ran) == 1:
            raise lost()
        return "done"

    thread = threading.Thread(target=lambda: done.append(outliving(step, outage)("7")))
    outage.begins("seen by another thread")
    thread.start()
    while not ran:
        thread.join(0.01)
    thread.join(0.2)
    assert thread.is_alive() and ran == ["7"]
    outage.ends()
    thread.join(20)
    assert (ran, done) == (["7", "7"], ["done"])


def test_a_step_that_loses_it_again_each_time_has_failed() -> None:
    outage, ran = Outage(), []
    outage.wait = outage.ends  # type: ignore[method-assign]  # another thread always finds the database there

    def step(subject: str) -> str:
        ran.append(subject)
        raise away()

    with pytest.raises(OperationalError):
        outliving(step, outage)("7")
    assert len(ran) == STEP_TRIES + 1


def test_a_role_waits_for_a_database_that_is_not_there_until_it_is_stopped(caplog: pytest.LogCaptureFixture) -> None:
    stop = threading.Event()
    url = f"postgresql+psycopg://node:secret@127.0.0.1:{unused_port()}/lesions"
    waiting = threading.Thread(target=wait_until_reachable, args=(url, stop))
    waiting.start()
    while not lines(caplog):
        waiting.join(0.01)
    stop.set()
    waiting.join(20)
    assert not waiting.is_alive()
    (line,) = lines(caplog)
    assert line.startswith("the database is away (the database cannot be reached: ") and "secret" not in line


def test_a_role_does_not_wait_for_a_database_that_answers(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    wait_until_reachable(database_url, threading.Event())
    assert lines(caplog) == []


def test_progress_that_cannot_be_noted_ends_no_training(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child reports while the database is away, and its outcome is noted after that."""
    with site.node.sessions.begin() as session:
        session.add(Task(task_pk=1, kind="train", asked_by="tests", asked_at=utc_now()))
    there, seen = replace(site.node), []
    gone = open_sessions(f"postgresql+psycopg://node@127.0.0.1:{unused_port()}/lesions")

    def train(node: Node, kind: str, run: object, on_event: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        object.__setattr__(node, "sessions", gone)
        on_event({"step": "train", "at_step": 1, "loss": 0.5})
        seen.append("trained on")
        object.__setattr__(node, "sessions", site.node.sessions)
        return {"model_id": "m", "gate": "promoted"}

    monkeypatch.setattr(workflows, "run_kind", train)
    assert workflows.run_task(there, 1) == "done"
    assert seen == ["trained on"]
    with reading(site.node.sessions) as session:
        assert session.get_one(Task, 1).outcome == "model m: promoted"
