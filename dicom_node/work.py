"""The role `work`: settle what is quiet, and see that everything undone gets done. Shell. Never loads torch."""

from __future__ import annotations

import logging
import socket
import threading
from datetime import timedelta

from sqlalchemy import func, select

from db import studies
from db.engine import reading, utc_now
from db.models import Study
from db.outcomes import Delivery, Task
from dicom_node.find import PeerCounts
from dicom_node.jobs import Jobs
from dicom_node.node import Node
from dicom_node.settle import settle_due
from dicom_node.sweep import beat, schedule_tasks, sweep, take_over_the_gone
from dicom_node.workflows import ways

log = logging.getLogger(__name__)

ROUND_S = 0.5
BEAT = timedelta(seconds=20)
CLEAN = timedelta(hours=6)


def executor_id() -> str:
    """The same after a restart: the engine gives a worker its interrupted jobs back by this name."""
    return f"{socket.gethostname()}-work"


def work(node: Node, stop: threading.Event) -> None:
    """Work until `stop` is set; a step that runs then is finished, or taken up again at the next start."""
    name, site_key, counts = executor_id(), node.site_key(), PeerCounts(node.config)
    quiet_for = timedelta(seconds=node.config.settle.quiet_s)
    with Jobs(node.config.url, node.config.data_dir, name, ways(node)) as jobs:
        log.info("working as %s", name)
        beaten = cleaned = asked = utc_now() - CLEAN
        while not stop.wait(ROUND_S):
            now = utc_now()
            if now - beaten >= BEAT:
                with node.sessions.begin() as session:
                    beat(session, name, "work", now)
                    take_over_the_gone(session, jobs, name, now)
                    schedule_tasks(session, node.config.schedule, max(asked, now - 2 * BEAT), now)
                beaten = asked = now
            if now - cleaned >= CLEAN:
                jobs.forget(now)
                node.files.remove_leftovers(now - timedelta(days=1))
                cleaned = now
            settle_due(node.sessions, node.files, now, quiet_for, site_key, counts.ask)
            sweep(node.sessions, jobs, now)
        with node.sessions.begin() as session:
            beat(session, name, "work", utc_now(), stopped=True)


def undone_work(node: Node) -> int:
    """How much the tables show undone now, retries to come included: what `demo` and the tests wait for."""
    with reading(node.sessions) as session:
        receiving = select(func.count()).where(Study.state == "receiving")
        sending = select(func.count()).where(Delivery.state == "waiting")
        tasks = select(func.count()).where(Task.state.in_(("waiting", "running")))
        counted = sum(session.scalar(query) or 0 for query in (receiving, sending, tasks))
        return counted + len(studies.undone(session))
