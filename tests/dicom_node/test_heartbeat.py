"""Every role shows that it lives, and that it ended by itself."""

import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command_line import unused_port
from node_process import NodeProcess, wait_until
from sqlalchemy import select

from db.engine import Sessions, open_sessions
from db.outcomes import Heartbeat
from dicom_node import heartbeat
from dicom_node.heartbeat import FORGET_AFTER, beat, beating, forget_the_long_gone, listener_id

NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)


def beats(sessions: Sessions) -> list[Heartbeat]:
    with sessions() as session:
        return list(session.scalars(select(Heartbeat).order_by(Heartbeat.role)))


def test_a_process_beats_at_once_and_again_and_says_when_it_ends(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT", timedelta(seconds=0.05))
    with beating(sessions, listener_id("receive", 104), "receive"):
        wait_until(lambda: bool(beats(sessions)), 10, "the first beat")
        (first,) = beats(sessions)
        assert (first.role, first.facts) == ("receive", {"stopped": False})
        assert first.executor_id.endswith("-receive-104")
        wait_until(lambda: beats(sessions)[0].seen_at > first.seen_at, 10, "another beat")
    (last,) = beats(sessions)
    assert last.facts == {"stopped": True}


def test_a_process_that_ends_by_an_error_says_so_too(sessions: Sessions) -> None:
    with pytest.raises(OSError, match="in use"), beating(sessions, "here-web-8042", "web"):
        raise OSError("in use")
    assert [row.facts for row in beats(sessions)] == [{"stopped": True}]


def test_without_the_database_nothing_is_told_and_nothing_ends_or_waits(
    recwarn: pytest.WarningsRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    began = time.monotonic()
    with beating(open_sessions(f"postgresql+psycopg://u@127.0.0.1:{unused_port()}/d"), "here-receive-104", "receive"):
        pass
    assert time.monotonic() - began < 10
    assert failed == []


def test_a_machine_that_was_taken_away_is_missed_for_a_week(sessions: Sessions) -> None:
    with sessions.begin() as session:
        beat(session, "old", "receive", NOW - FORGET_AFTER - timedelta(seconds=1))
        beat(session, "new", "receive", NOW - FORGET_AFTER + timedelta(seconds=1))
        beat(session, "worker with jobs", "work", NOW - 2 * FORGET_AFTER)
        forget_the_long_gone(session, NOW)
    assert [row.executor_id for row in beats(sessions)] == ["new", "worker with jobs"]


@pytest.mark.slow
def test_all_roles_of_a_node_beat_and_end(sessions: Sessions, tmp_path: Path, database_url: str) -> None:
    node = NodeProcess(tmp_path, database_url)
    node.start("all")
    try:
        wait_until(lambda: len(beats(sessions)) == 3, 60, "three beats")
        assert [(row.role, row.facts) for row in beats(sessions)] == [
            (role, {"stopped": False}) for role in ("receive", "web", "work")
        ]
    finally:
        node.send(signal.SIGTERM)
        assert node.wait(60) == 0
    assert [(row.role, row.facts) for row in beats(sessions)] == [
        (role, {"stopped": True}) for role in ("receive", "web", "work")
    ]
