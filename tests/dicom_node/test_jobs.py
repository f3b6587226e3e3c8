"""The engine of jobs: it goes on at the interrupted step, for itself and for others, and tells no foreign text."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("job_process.py")


def engine(folder: Path, command: str, executor: str = "here-work") -> Any:
    """What a process with the engine prints; its exit status if that is not 0."""
    ended = run(folder, command, executor)
    return ended.returncode if ended.returncode else json.loads(ended.stdout.splitlines()[-1])


def run(folder: Path, command: str, executor: str = "here-work") -> "subprocess.CompletedProcess[str]":
    arguments = [sys.executable, PROGRAM, folder, executor, command]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)


def steps(folder: Path) -> str:
    return (folder / "steps").read_text()


def test_a_job_is_done_once_however_often_it_is_asked_for(tmp_path: Path) -> None:
    done = {"taken": 0, "three-1": {"ended": True, "error": ""}}
    assert engine(tmp_path, "enqueue") == done
    assert engine(tmp_path, "enqueue") == done
    assert steps(tmp_path) == "ABC"


def test_a_killed_job_goes_on_at_the_interrupted_step(tmp_path: Path) -> None:
    (tmp_path / "kill").touch()
    assert engine(tmp_path, "enqueue") == -signal.SIGKILL
    assert steps(tmp_path) == "AB"
    assert engine(tmp_path, "wait")["three-1"]["ended"]
    assert steps(tmp_path) == "ABBC"


def test_another_worker_goes_on_with_the_jobs_of_one_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "kill").touch()
    assert engine(tmp_path, "enqueue", "gone-work") == -signal.SIGKILL
    assert engine(tmp_path, "take over") == {"taken": 1, "three-1": {"ended": True, "error": ""}}
    assert steps(tmp_path) == "ABBC"


def test_an_error_is_told_by_its_message_if_it_is_ours_and_else_by_its_name(tmp_path: Path) -> None:
    foreign = {"ended": True, "error": "ValueError (unexpected; the worker's log has the traceback)"}
    told = engine(tmp_path, "fail")
    assert told["foreign"] == foreign
    assert told["ours"]["error"].startswith("There is not enough free space to store what arrived.")
    later = engine(tmp_path, "look")  # from the engine's database, by another process
    assert later["foreign"] == foreign
    assert later["ours"]["error"].startswith("There is not enough free space to store what arrived.")
    assert "unknown" not in later


def test_the_text_of_a_foreign_error_is_neither_kept_nor_printed(tmp_path: Path) -> None:
    said = run(tmp_path, "fail").stderr
    lines = [json.loads(line) for line in said.splitlines()]  # what the engine says, too, is JSON as was asked for
    assert any("in fail\nValueError" in line.get("traceback", "") for line in lines)
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("jobs.sqlite*"))
    assert b"ValueError (unexpected" in kept
    assert b"Doe" not in kept and "Doe" not in said


def test_jobs_that_ended_well_are_forgotten_after_a_week(tmp_path: Path) -> None:
    engine(tmp_path, "enqueue")
    assert engine(tmp_path, "forget") == {"forgotten": [0, 1], "left": 0}
