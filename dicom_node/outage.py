"""The database may be away for any time: that is said once, waited for, and ends nothing. Shell."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from db.engine import NO_DATABASE, driver_error, open_engine
from dicom_node import backoff
from dicom_node.database import DatabaseAway, current_revision
from dicom_node.processes import ChildWithoutDatabase

log = logging.getLogger(__name__)

FIRST_S, LONGEST_S = 0.5, 10.0
"""Between two looks whether the database is back."""

STEP_TRIES = 5
"""Outages that one step may outlive. An error that looks like one and comes again each time is none: the job fails."""


class Outage:
    """Whether the database answers one process, as its threads find out: one line when it is lost, one at the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since = 0.0
        self._over = threading.Event()
        self._over.set()

    def begins(self, because: str) -> None:
        """A thread lost the database. because: no value and no secret."""
        with self._lock:
            if self._over.is_set():
                self._over.clear()
                self._since = time.monotonic()
                log.error("the database is away (%s); waiting until it is back", because)

    def ends(self) -> None:
        """The database did all that was asked of it."""
        with self._lock:
            if not self._over.is_set():
                self._over.set()
                log.warning("the database is back after %.0f s", time.monotonic() - self._since)

    @property
    def lasts(self) -> bool:
        return not self._over.is_set()

    def wait(self) -> None:
        """Until somebody found that it is over."""
        self._over.wait()


class Patience:
    """Rounds of one thread that go on in spite of outages: which of them fail, and how long to wait before the next."""

    def __init__(self, outage: Outage, round_s: float) -> None:
        self._outage, self._round_s, self._failures = outage, round_s, 0

    @property
    def wait_s(self) -> float:
        if not self._failures:
            return self._round_s
        return backoff.delay(self._failures, FIRST_S, LONGEST_S).total_seconds()

    @contextmanager
    def round(self) -> Iterator[None]:
        """What runs in this block may lose the database; if it ends well, an outage is over."""
        try:
            yield
        except NO_DATABASE as error:
            self._failures += 1
            self._outage.begins(driver_error(error))
        else:
            self._failures = 0
            self._outage.ends()


def outliving(step: Callable[[str], str], outage: Outage) -> Callable[[str], str]:
    """A step that waits for a lost database, its own or its child's, and then runs again."""

    def run(subject: str) -> str:
        for _ in range(STEP_TRIES):
            try:
                return step(subject)
            except ChildWithoutDatabase:
                outage.begins("a process of its own lost it")
            except NO_DATABASE as error:
                outage.begins(driver_error(error))
            outage.wait()
        return step(subject)

    return run


def wait_until_reachable(url: str, stop: threading.Event) -> None:
    """Return once the database answers, whatever its revision, or once `stop` is set."""
    engine, outage, tries = open_engine(url), Outage(), 0
    while not stop.is_set():
        try:
            current_revision(engine)
        except DatabaseAway as error:
            tries += 1
            outage.begins(error.message)
            stop.wait(backoff.delay(tries, FIRST_S, LONGEST_S).total_seconds())
        else:
            outage.ends()
            break
    engine.dispose()
