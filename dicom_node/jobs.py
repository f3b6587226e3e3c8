"""Durable jobs: a job follows a way, step by step, for one subject. Shell; the only module that knows the engine.

The engine (DBOS) remembers which steps of a job are done, so that a killed worker goes on at the interrupted step. It
is disposable: our tables alone say what is undone (`dicom_node.sweep`), so its database may be deleted at any time. A
step may run twice. A step that fails ends its job; the sweep sees that and decides when to try again.
"""

from __future__ import annotations

import fcntl
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSConfiguredInstance, DBOSPortableJSONSerializer, EnqueueOptions
from sqlalchemy import make_url

from db.engine import driver_error
from db.errors import NodeError

log = logging.getLogger(__name__)

Step = Callable[[str], str]
"""From a job's subject (a UID, a row's number) to one line on what was done."""

APPLICATION = "lesion-node"
APPLICATION_VERSION = "1"
"""Raised only when steps change so that a job begun by the older version could not go on with the newer."""

POLL_S = 0.5

DRAIN_S = 30
"""How long the end waits for the steps under way."""

FORGET_AT_ONCE = 500
"""Jobs deleted in one statement: a week of a busy node is more than SQLite takes variables."""


@dataclass(frozen=True, slots=True)
class Way:
    """The steps of one kind of job, in order, and how many jobs may follow it at one time."""

    name: str
    steps: tuple[tuple[str, Step], ...]
    at_once: int = 1
    partitioned: bool = False
    """Jobs of one partition (a destination) follow each other; `at_once` counts over all partitions."""


@dataclass(frozen=True, slots=True)
class JobState:
    """What the engine knows of a job: it may still run, or it ended, well or with an error."""

    ended: bool
    error: str = ""


class ExecutorBusy(NodeError):
    """A worker with this name is running already; stop it first, or give this one another name."""


class StepBroke(NodeError):
    """A step ended by an error that is not ours."""


WAYS = "ways"


@DBOS.dbos_class()
class _Ways(DBOSConfiguredInstance):
    """The registered ways; the engine finds them again by this instance's name after a crash."""

    def __init__(self, ways: Mapping[str, Way]) -> None:
        super().__init__(config_name=WAYS)
        self.ways = ways
        self.under_way = 0
        self._lock = threading.Lock()

    @DBOS.workflow()
    def follow(self, way: str, subject: str) -> list[str]:
        steps = self.ways[way].steps
        return [
            DBOS.run_step({"name": name}, self._counted(_without_foreign_text(step)), subject) for name, step in steps
        ]

    def _counted(self, step: Step) -> Step:
        def run(subject: str) -> str:
            self._count(1)
            try:
                return step(subject)
            finally:
                self._count(-1)

        return run

    def _count(self, more: int) -> None:
        with self._lock:
            self.under_way += more


def _without_foreign_text(step: Step) -> Step:
    def run(subject: str) -> str:
        with _OwnWordsOnly():
            return step(subject)

    return run


class _OwnWordsOnly:
    """The engine keeps the text of every error that reaches it, and prints it; a foreign one may quote a patient.

    Nothing is swallowed here: a foreign error goes on as one of ours, which names its class.
    """

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, NodeError):
            log.error("a step broke", exc_info=error)
            raise StepBroke(f"{driver_error(error)} (unexpected; the worker's log has the traceback)") from None


class Jobs:
    """The running engine of one worker. Use as a context manager.

    Where the engine's database is away, the jobs under way wait for it without an end; every function here raises one
    of `db.engine.NO_DATABASE` at once, so that the thread that asks can be stopped.
    """

    def __init__(self, database_url: str, data_dir: Path, executor_id: str, ways: Iterable[Way]) -> None:
        self._ways = {way.name: way for way in ways}
        self._executor_id = executor_id
        self._lock = self._take_name(data_dir / "locks" / f"{executor_id}.lock")
        self._engine_url = _engine_url(database_url, data_dir)
        self._steps = _Ways(self._ways)
        # With a handler here the engine adds none of its own, and what it says goes the way of all logs.
        logging.getLogger("dbos").addHandler(logging.NullHandler())
        DBOS(config=_engine_config(self._engine_url, executor_id))

    def _take_name(self, path: Path) -> IO[str]:
        """Two live workers of one name would run each other's jobs twice; the lock goes with the process."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = path.open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise ExecutorBusy(executor_id=self._executor_id) from error
        return lock

    def __enter__(self) -> Jobs:
        DBOS.launch()
        for way in self._ways.values():
            DBOS.register_queue(
                way.name,
                worker_concurrency=way.at_once,
                partition_concurrency=1 if way.partitioned else None,
                polling_interval_sec=POLL_S,
            )
        self._client = DBOSClient(
            system_database_url=self._engine_url,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            retry_connection_errors=False,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._client.destroy()
        DBOS.destroy(workflow_completion_timeout_sec=DRAIN_S)
        self._lock.close()

    @property
    def under_way(self) -> int:
        """How many steps run. One that does so after the end keeps the process alive for as long as it takes."""
        return self._steps.under_way

    def enqueue(self, job_id: str, way: str, subject: str, partition: str = "") -> None:
        """Start a job, once: the same job_id again does nothing."""
        options = EnqueueOptions(
            workflow_name=_Ways.follow.__qualname__,
            class_name=_Ways.__qualname__,
            instance_name=WAYS,
            queue_name=way,
            workflow_id=job_id,
            app_version=APPLICATION_VERSION,
        )
        if self._ways[way].partitioned:
            options["queue_partition_key"] = partition or "all"
        self._client.enqueue(options, way, subject)

    def states(self, job_ids: list[str]) -> dict[str, JobState]:
        """Of those jobs that the engine knows."""
        found = self._client.list_workflows(workflow_ids=job_ids, load_input=False, load_output=True) if job_ids else []
        return {
            job.workflow_id: JobState(
                ended=job.status not in ("PENDING", "ENQUEUED", "DELAYED"),
                error=_explain(job.error) if job.error else "",
            )
            for job in found
        }

    def take_over(self, dead_executor_ids: list[str]) -> int:
        """Resume the jobs of executors that are gone for good; returns how many."""
        if not dead_executor_ids:
            return 0
        jobs = self._client.list_workflows(status="PENDING", executor_id=dead_executor_ids)
        self._client.resume_workflows([job.workflow_id for job in jobs])
        return len(jobs)

    def forget(self, now: datetime, keep: timedelta = timedelta(days=7)) -> int:
        """Delete the engine's record of jobs that ended well; our tables keep theirs. Returns how many."""
        jobs = self._client.list_workflows(status="SUCCESS", end_time=(now - keep).isoformat(), load_input=False)
        for first in range(0, len(jobs), FORGET_AT_ONCE):
            self._client.delete_workflows([job.workflow_id for job in jobs[first : first + FORGET_AT_ONCE]])
        return len(jobs)


def _engine_url(database_url: str, data_dir: Path) -> str:
    if make_url(database_url).get_backend_name() != "sqlite":
        return database_url
    # A file of its own: writers of one SQLite file exclude each other. The engine does not ask for WAL itself.
    path = data_dir / "jobs.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    path.chmod(0o600)
    return f"sqlite:///{path.absolute()}"


def _engine_config(engine_url: str, executor_id: str) -> DBOSConfig:
    return DBOSConfig(
        name=APPLICATION,
        system_database_url=engine_url,
        application_version=APPLICATION_VERSION,
        executor_id=executor_id,
        serializer=DBOSPortableJSONSerializer(),  # readable in SQL, and nothing foreign is unpickled
        log_level="ERROR",  # its warnings repeat for as long as the database is away; `dicom_node.outage` says it once
        notification_listener_polling_interval_sec=POLL_S,
    )


def _explain(error: Exception) -> str:
    """The line that a person reads. Only our own errors are known to hold no patient's data."""
    name = getattr(error, "name", type(error).__name__)
    ours = {cls.__name__ for cls in _families(NodeError)}
    text = getattr(error, "message", str(error))
    return str(text) if name in ours else f"{name} of the engine of jobs"


def _families(cls: type[Exception]) -> list[type[Exception]]:
    return [cls, *(c for child in cls.__subclasses__() for c in _families(child))]
