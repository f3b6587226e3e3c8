"""A worker that ends itself by SIGKILL at one moment of one step: `python killed_worker.py node.toml STEP MOMENT`.

Moments: `before` its commit, `after` it; for `send` also `unnoted`: the PACS has the object, our row does not yet.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from db import deliveries
from dicom_node import work, workflows
from dicom_node.config import load_config
from dicom_node.jobs import Step, Way
from dicom_node.node import Node


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def deadly(step: Callable[..., Any], moment: str) -> Callable[..., Any]:
    """The step, with death before its first commit or after its end; one that gives nothing back had nothing to do."""
    commits_kill = threading.local()

    @event.listens_for(Session, "before_commit")
    def before_commit(_session: Session) -> None:
        if getattr(commits_kill, "now", False):
            die()

    def run(*arguments: Any) -> Any:
        commits_kill.now = moment == "before"
        done = step(*arguments)
        commits_kill.now = False
        if done and moment == "after":
            die()
        return done

    return run


def deadly_ways(wanted: str, moment: str) -> Callable[[Node], list[Way]]:
    def steps(way: Way) -> tuple[tuple[str, Step], ...]:
        return tuple((name, deadly(step, moment) if name == wanted else step) for name, step in way.steps)

    return lambda node: [replace(way, steps=steps(way)) for way in workflows.ways(node)]


def main(config_path: str, step: str, moment: str) -> None:
    if step == "settle":
        work.settle_due = deadly(work.settle_due, moment)
    elif (step, moment) == ("detect", "before"):  # its commit is made by a child, which tells first that it reads
        run_child = workflows.run_child
        workflows.run_child = lambda module, order: run_child(module, order, die)
    elif moment == "unnoted":
        deliveries.note_success = die
    else:
        work.ways = deadly_ways(step, moment)
    work.work(Node.open(load_config(Path(config_path))), threading.Event())


if __name__ == "__main__":
    main(*sys.argv[1:])
