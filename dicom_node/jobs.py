"""Durable jobs: a job follows a way, step by step, for one subject. Shell; the only module that knows the engine.

The engine (DBOS) remembers which steps of a job are done, so that a killed worker goes on at the interrupted step. It
is disposable: our tables alone say what is undone (`dicom_node.sweep`), so its database may be deleted at any time. A
step may run twice. A step that fails ends its job; the sweep sees that and decides when to try again.
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from dbos import DBOS, DBOSConfig, DBOSConfiguredInstance, DBOSPortableJSONSerializer, SetEnqueueOptions, SetWorkflowID
from sqlalchemy import make_url

from db.errors import NodeError

Step = Callable[[str], str]
"""From a job's subject (a UID, a row's number) to one line on what was done."""

APPLICATION_VERSION = "1"
"""Raised only when steps change so that a job begun by the older version could not go on with the newer."""

POLL_S = 0.5

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


@DBOS.dbos_class()
class _Ways(DBOSConfiguredInstance):
    """The registered ways; the engine finds them again by this instance's name after a crash."""

    def __init__(self, ways: Mapping[str, Way]) -> None:
        super().__init__(config_name="ways")
        self.ways = ways

    @DBOS.workflow()
    def follow(self, way: str, subject: str) -> list[str]:
        return [DBOS.run_step({"name": name}, step, subject) for name, step in self.ways[way].steps]


class Jobs:
    """The running engine of one worker. Use as a context manager."""

    def __init__(self, database_url: str, data_dir: Path, executor_id: str, ways: Iterable[Way]) -> None:
        self._ways = {way.name: way for way in ways}
        self._executor_id = executor_id
        self._lock = self._take_name(data_dir / "locks" / f"{executor_id}.lock")
        self._follow = _Ways(self._ways).follow
        DBOS(config=_engine_config(database_url, data_dir, executor_id))

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
        return self

    def __exit__(self, *_: object) -> None:
        DBOS.destroy(workflow_completion_timeout_sec=30)
        self._lock.close()

    def enqueue(self, job_id: str, way: str, subject: str, partition: str = "") -> None:
        """Start a job, once: the same job_id again does nothing."""
        options = SetEnqueueOptions(queue_partition_key=partition or "all") if self._ways[way].partitioned else None
        with SetWorkflowID(job_id):
            if options is None:
                DBOS.enqueue_workflow(way, self._follow, way, subject)
            else:
                with options:
                    DBOS.enqueue_workflow(way, self._follow, way, subject)

    def states(self, job_ids: list[str]) -> dict[str, JobState]:
        """Of those jobs that the engine knows."""
        found = DBOS.list_workflows(workflow_ids=job_ids, load_input=False, load_output=True) if job_ids else []
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
        jobs = DBOS.list_workflows(status="PENDING", executor_id=dead_executor_ids)
        DBOS.resume_workflows([job.workflow_id for job in jobs])
        return len(jobs)

    def forget(self, now: datetime, keep: timedelta = timedelta(days=7)) -> int:
        """Delete the engine's record of jobs that ended well; our tables keep theirs. Returns how many."""
        jobs = DBOS.list_workflows(status="SUCCESS", end_time=(now - keep).isoformat(), load_input=False)
        for first in range(0, len(jobs), FORGET_AT_ONCE):
            DBOS.delete_workflows([job.workflow_id for job in jobs[first : first + FORGET_AT_ONCE]])
        return len(jobs)


def _engine_config(database_url: str, data_dir: Path, executor_id: str) -> DBOSConfig:
    url = database_url
    if make_url(url).get_backend_name() == "sqlite":
        # A file of its own: writers of one SQLite file exclude each other. The engine does not ask for WAL itself.
        path = data_dir / "jobs.sqlite"
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        connection.close()
        path.chmod(0o600)
        url = f"sqlite:///{path.absolute()}"
    return DBOSConfig(
        name="lesion-node",
        system_database_url=url,
        application_version=APPLICATION_VERSION,
        executor_id=executor_id,
        serializer=DBOSPortableJSONSerializer(),  # readable in SQL, and nothing foreign is unpickled
        log_level="WARNING",
        notification_listener_polling_interval_sec=POLL_S,
    )


def _explain(error: Exception) -> str:
    """The line that a person reads. Only our own errors are known to hold no patient's data."""
    name = getattr(error, "name", type(error).__name__)
    ours = {cls.__name__ for cls in _families(NodeError)}
    text = getattr(error, "message", str(error))
    return str(text) if name in ours else f"{name} (unexpected; the worker's log has the traceback)"


def _families(cls: type[Exception]) -> list[type[Exception]]:
    return [cls, *(c for child in cls.__subclasses__() for c in _families(child))]
