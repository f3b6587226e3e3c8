"""Every process of a role tells the database that it lives: so one that died on another machine is missed. Shell."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.engine import NO_DATABASE, Sessions, utc_now
from db.outcomes import Heartbeat

BEAT = timedelta(seconds=20)

ALIVE = timedelta(seconds=60)
"""For so long after its last beat a worker counts as living."""

FORGET_AFTER = timedelta(days=7)
"""A process that has been silent for so long is no longer missed: its machine was taken away."""

LAST_WORD_S = 2.0
"""How long the end of a process may wait until the database knows of it."""


def beat(session: Session, executor_id: str, role: str, now: datetime, stopped: bool = False) -> None:
    """Tell that a process lives, or with `stopped` that it ended by itself; what it left undone is not forgotten."""
    session.merge(Heartbeat(executor_id=executor_id, role=role, seen_at=now, facts={"stopped": stopped}))


def listener_id(role: str, port: int) -> str:
    """The name of a process that listens on a port of this host, the same after a restart."""
    return f"{socket.gethostname()}-{role}-{port}"


@contextmanager
def beating(sessions: Sessions, executor_id: str, role: str) -> Iterator[None]:
    """Beat from a thread for as long as the block runs. While the database is away nothing is told and nothing ends."""
    over = threading.Event()

    def tell() -> None:
        with suppress(*NO_DATABASE), sessions.begin() as session:
            beat(session, executor_id, role, utc_now(), stopped=over.is_set())

    def beat_on() -> None:
        tell()
        while not over.wait(BEAT.total_seconds()):
            tell()
        tell()

    thread = threading.Thread(target=beat_on, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(LAST_WORD_S)


def worker_is_alive(session: Session, now: datetime) -> bool:
    """Whether a worker beat lately and did not stop since."""
    lately = select(Heartbeat).where(Heartbeat.role == "work", Heartbeat.seen_at > now - ALIVE)
    return any(not worker.facts.get("stopped") for worker in session.scalars(lately))


def forget_the_long_gone(session: Session, now: datetime) -> None:
    """Of workers `sweep.take_over_the_gone` does it: they leave jobs behind."""
    session.execute(delete(Heartbeat).where(Heartbeat.role != "work", Heartbeat.seen_at < now - FORGET_AFTER))
