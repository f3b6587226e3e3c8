"""Processes of their own: order in, progress and outcome out, and none outlives who started it."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dicom_node.processes import ChildFailed, ChildWithoutDatabase, run_child

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def child_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(HERE))


def run(do: str, on_event: Any = None, **more: Any) -> dict[str, Any]:
    return run_child("obedient_child", {"do": do, **more}, on_event)


def is_running(pid: int) -> bool:
    """Not when it waits only for somebody to ask for its exit status."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def ends(pid: int, within_s: float = 20.0) -> bool:
    until = time.monotonic() + within_s
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.05)
    return not is_running(pid)


def test_progress_comes_in_order_and_then_the_outcome() -> None:
    events: list[dict[str, Any]] = []
    assert run("count", events.append, of=[1, 2]) == {"counted": 3, "of": [1, 2]}
    assert events == [{"step": "count", "done": done, "total": 3, "loss": 0.5 * done} for done in range(3)]


def test_what_a_library_prints_is_no_event_and_stops_nothing() -> None:
    events: list[dict[str, Any]] = []
    assert run("chatter", events.append) == {}
    assert events == []


def test_a_child_that_refuses_says_why_in_its_own_words() -> None:
    with pytest.raises(ChildFailed) as failed:
        run("refuse")
    assert failed.value.message == "the series has no geometry (series=1.2.3)"
    assert failed.value.facts == {"module": "obedient_child", "status": 1}


def test_a_child_that_lost_the_database_is_told_from_one_that_failed() -> None:
    with pytest.raises(ChildWithoutDatabase) as failed:
        run("lose the database")
    assert failed.value.message == "the database did not answer: ConnectionError"


@pytest.mark.parametrize("do", ["break", "break at length"])
def test_of_a_foreign_error_class_and_frames_are_told_and_its_text_nowhere(
    do: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ChildFailed) as failed:
        run(do)
    assert failed.value.message == "ValueError (unexpected; the worker's log has the traceback)"
    assert "Doe" not in str(failed.value)
    assert "obedient_child.py" in caplog.text and "in work" in caplog.text
    assert "Doe" not in caplog.text


def test_what_a_library_says_before_a_failure_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ChildFailed, match="ended without a message"):
        run("mutter and leave")
    assert "obedient_child" in caplog.text
    assert "Doe" not in caplog.text


def test_a_child_that_vanishes_has_failed() -> None:
    with pytest.raises(ChildFailed) as failed:
        run("vanish")
    assert failed.value.message == "it ended without a message"
    assert failed.value.facts["status"] == 9


def test_a_child_ends_when_its_parent_cannot_go_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    pids = []

    def lose_the_database(event: dict[str, Any]) -> None:
        pids.append(event["pid"])
        raise OSError("no database")

    with pytest.raises(OSError, match="no database"):
        run("wait", lose_the_database)
    assert ends(pids[0])


def test_a_child_ends_when_its_parent_is_killed() -> None:
    code = "from dicom_node.processes import run_child\n" \
           "run_child('obedient_child', {'do': 'wait'}, lambda event: print(event['pid'], flush=True))"  # fmt: skip
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent:
        child = int(parent.stdout.readline())
        assert is_running(child)
        os.kill(parent.pid, signal.SIGKILL)
    assert parent.returncode == -signal.SIGKILL
    assert ends(child)
