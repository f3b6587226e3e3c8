"""The role `work`: settle what is quiet, and see that everything undone gets done. Shell. Never loads torch."""

from __future__ import annotations

import logging
import os
import socket
import threading
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import func, select

from db import lost, studies
from db.engine import reading, utc_now
from db.models import Study
from db.outcomes import Delivery, Task
from dicom_node.find import PeerCounts
from dicom_node.heartbeat import ALIVE, BEAT, beat, beating, forget_the_long_gone
from dicom_node.jobs import Jobs
from dicom_node.node import Node
from dicom_node.outage import Outage, Patience, outliving
from dicom_node.retract import retract
from dicom_node.settle import settle_due
from dicom_node.sweep import GONE_AFTER, schedule_tasks, sweep, take_over_the_gone
from dicom_node.workflows import ways

log = logging.getLogger(__name__)

ROUND_S = 0.5
CLEAN = timedelta(hours=6)


def executor_id() -> str:
    """The same after a restart: the engine gives a worker its interrupted jobs back by this name."""
    return f"{socket.gethostname()}-work"


def work(node: Node, stop: threading.Event) -> None:
    """Work until `stop` is set; a step that runs then is finished, or taken up again at the next start.

    An outage of the database, however long, ends neither this nor a step.
    """
    name, outage = executor_id(), Outage()
    lasting = [
        replace(way, steps=tuple((label, outliving(step, outage)) for label, step in way.steps)) for way in ways(node)
    ]
    with Jobs(node.config.url, node.config.data_dir, name, lasting) as jobs:
        log.info("working as %s", name)
        rounds, patience = Rounds(node, jobs, name), Patience(outage, ROUND_S)
        # A round may take long, with a silent peer or much to compare: another worker must not take that for our end.
        with beating(node.sessions, name, "work"):
            while not stop.wait(patience.wait_s):
                with patience.round():
                    rounds.run(utc_now())
        with patience.round(), node.sessions.begin() as session:
            beat(session, name, "work", utc_now(), stopped=True)
        if outage.lasts:
            log.warning("ending while the database is away; what was under way is taken up again at the next start")
            os._exit(0)  # the engine's threads wait for the database, and would hold up the end until it is back
    if jobs.under_way:
        log.warning("ending in the middle of %d steps, which are taken up again at the next start", jobs.under_way)
        os._exit(0)  # their threads would hold up the end for as long as they take


class Rounds:
    """What a worker does again and again, and when it did it last."""

    def __init__(self, node: Node, jobs: Jobs, name: str) -> None:
        self._node, self._jobs, self._name = node, jobs, name
        self._site_key, self._counts = node.site_key(), PeerCounts(node.config, node.sessions)
        self._quiet_for = timedelta(seconds=node.config.settle.quiet_s)
        began = utc_now()
        self._looked = self._minds_since = began - 2 * BEAT  # a restart loses no stroke of the clock
        self._cleaned = began - CLEAN
        self._may_take_over_at = began
        self._stuck: set[str] = set()
        self._not_taken_back: set[str] = set()

    def run(self, now: datetime) -> None:
        """One round. What it has not done when an error ends it, the next one does."""
        if now - self._looked >= BEAT:
            self._look_around(now)
        if now - self._cleaned >= CLEAN:
            self._jobs.forget(now)
            with self._node.sessions.begin() as session:
                forget_the_long_gone(session, now)
            self._cleaned = now
        node = self._node
        settle_due(node.sessions, node.files, now, self._quiet_for, self._site_key, self._counts.ask, self._stuck)
        sweep(node.sessions, self._jobs, now)

    def _look_around(self, now: datetime) -> None:
        """At the other workers, at what was lost, at the clock, and at what no longer holds where it was sent."""
        if now - self._looked > ALIVE:  # the database was away from all: who looks gone now may only be later than we
            self._may_take_over_at = now + GONE_AFTER
        with self._node.sessions.begin() as session:
            beat(session, self._name, "work", now)
            if now >= self._may_take_over_at:
                take_over_the_gone(session, self._jobs, self._name, now)
            lost.look_again(session, self._node.files, now)
            schedule_tasks(session, self._node.config.schedule, self._minds_since, now)
        retract(self._node, now, self._not_taken_back)
        self._looked = now


def undone_work(node: Node) -> int:
    """How much the tables show undone now, retries to come included: what `demo` and the tests wait for."""
    with reading(node.sessions) as session:
        receiving = select(func.count()).where(Study.state == "receiving")
        sending = select(func.count()).where(Delivery.state == "waiting")
        tasks = select(func.count()).where(Task.state.in_(("waiting", "running")))
        counted = sum(session.scalar(query) or 0 for query in (receiving, sending, tasks))
        return counted + len(studies.undone(session))
