"""The worker as a process of its own, held up by what it does: it still beats, and it still ends."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from arriving import NOW, STUDY, ct, new_store, received
from node_process import free_port, wait_until
from sqlalchemy import select

from db.engine import Sessions
from db.outcomes import Heartbeat
from dicom_node.settle import settle_study

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("slow_worker.py")


@contextmanager
def worker(folder: Path, url: str, held_up_by: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker that is held up by now."""
    config = folder / "node.toml"
    config.write_text(f'data_dir = "."\ndatabase_url = "{url}"\n[dicom]\nport = {free_port()}\n')
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, PROGRAM, config, held_up_by], stderr=log)
    try:
        wait_until((folder / "held-up").exists, 60, "the worker is held up")
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def test_sigterm_ends_a_worker_in_the_middle_of_a_step_and_says_so(
    sessions: Sessions, database_url: str, tmp_path: Path
) -> None:
    store = new_store(sessions, tmp_path)
    store.keep(received(ct(1)), NOW)
    assert settle_study(sessions, store.files, STUDY, NOW + timedelta(minutes=5), b"a key of the site") is not None
    with worker(tmp_path, database_url, "step") as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert "ending in the middle of 1 steps, which are taken up again" in (tmp_path / "log").read_text()


def test_a_worker_beats_while_a_round_takes_long(sessions: Sessions, database_url: str, tmp_path: Path) -> None:
    def seen_at() -> datetime | None:
        with sessions() as session:
            return session.scalar(select(Heartbeat.seen_at).where(Heartbeat.role == "work"))

    with worker(tmp_path, database_url, "settle"):
        wait_until(lambda: seen_at() is not None, 10, "a beat")
        first = seen_at()
        assert first is not None
        wait_until(lambda: (seen_at() or first) > first + timedelta(seconds=1), 10, "more beats")
