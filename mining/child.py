"""The child's side of a process of its own: read the order, tell the progress, die with the parent. Shell.

The parent (the worker or a command line) writes one line of JSON to stdin and keeps the pipe open for as long as it
lives: its end of file means that the parent is gone, however it died, and the child must not go on by itself. Every
event is one line of JSON on stdout; a failure is such an event, too, and exit status 1. Nobody reads the words on
stderr: a library may quote a patient there.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from db.engine import NO_DATABASE, driver_error
from db.errors import NodeError

PARENT_GONE = 75
"""Exit status after the parent's death (EX_TEMPFAIL: the same order may be given again)."""

WITHOUT_DATABASE = 69
"""Exit status of a child that lost the database (EX_UNAVAILABLE: the same order may be given again)."""

STDIN = 0

Progress = Callable[..., None]
"""`progress(step, done, total, **figures)`: how far a long function has come."""


def read_order() -> dict[str, Any]:
    """The order from stdin; from now on the process ends when the parent does."""
    order: dict[str, Any] = json.loads(_first_line())
    threading.Thread(target=_exit_with_parent, name="parent-watch", daemon=True).start()
    return order


def _first_line() -> bytes:
    """Unbuffered: a thread that waits inside sys.stdin would hold its lock when the process ends."""
    line = b""
    while not line.endswith(b"\n"):
        more = os.read(STDIN, 65536)
        if not more:
            break
        line += more
    return line


def _exit_with_parent() -> None:
    while os.read(STDIN, 1):
        pass
    os._exit(PARENT_GONE)


def report(step: str, done: int, total: int, **figures: object) -> None:
    _say({"step": step, "done": done, "total": total, **figures})


def finish(outcome: dict[str, Any]) -> None:
    _say({"outcome": outcome})


def _say(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event, default=str) + "\n")
    sys.stdout.flush()


def run(work: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """The whole life of a child: order in, outcome out; a NodeError becomes an event and exit status 1.

    A lost database has a status of its own, for the order was not to blame.
    """
    try:
        finish(work(read_order()))
    except NodeError as error:
        _say({"error": str(error)})
        sys.exit(1)
    except NO_DATABASE as error:
        _say({"error": f"the database did not answer: {driver_error(error)}"})
        sys.exit(WITHOUT_DATABASE)
