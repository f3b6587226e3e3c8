"""One process a role, watched: started again when it dies, ended with its parent. Shell.

Every child holds the reading end of a pipe from its parent (its stdin) and exits at end of file: so the supervisor may
die in any way, even by kill -9, and its ports are free within seconds. (PR_SET_PDEATHSIG would fire when the thread
that forked ends, not the process.)
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from db.errors import NodeError

log = logging.getLogger(__name__)

ROLES = ("receive", "work", "web")
SUPERVISED = "--supervised"

DEATHS = 5
WITHIN_S = 60.0
"""So many deaths of one role in so short a time end the node with the reason."""

DRAIN_S = 35.0
"""How long a role may take to end after SIGTERM: longer than it waits itself for its associations or steps, 30 s."""


class RoleKeepsDying(NodeError):
    """A role of the node died again and again; its last message says why."""


END_S = 3.0
"""How long a process without its parent may take to end: its port must be free within 5 s."""


def restart_delay_s(deaths_in_a_row: int) -> float:
    """Pure: at once after the first death, then 0.5 s, doubling to 10 s."""
    return 0.0 if deaths_in_a_row <= 1 else float(min(10.0, 0.5 * 2 ** (deaths_in_a_row - 2)))


def keeps_dying(deaths_at: deque[float], now: float) -> bool:
    """Pure: whether the newest `DEATHS` deaths all lie within `WITHIN_S`."""
    return len(deaths_at) >= DEATHS and now - deaths_at[-DEATHS] <= WITHIN_S


@dataclass
class _Role:
    name: str
    process: subprocess.Popen[bytes] | None = None
    deaths_at: deque[float] = field(default_factory=lambda: deque(maxlen=DEATHS))
    start_at: float = 0.0


def supervise(config_path: Path, stop: threading.Event, options: Sequence[str] = ()) -> None:
    """Run the roles until `stop` is set; raises RoleKeepsDying. options: given to each, before its command."""
    watched = [_Role(name) for name in ROLES]
    try:
        while not stop.wait(0.1):
            for role in watched:
                _look_after(role, config_path, options)
    finally:
        _drain([role.process for role in watched if role.process is not None])


def _look_after(role: _Role, config_path: Path, options: Sequence[str]) -> None:
    now = time.monotonic()
    if role.process is None:
        if now >= role.start_at:
            role.process = _start(role.name, config_path, options)
            log.info("role=%s started pid=%d", role.name, role.process.pid)
        return
    status = role.process.poll()
    if status is None:
        return
    role.process = None
    role.deaths_at.append(now)
    recent = sum(now - at <= WITHIN_S for at in role.deaths_at)
    log.error("role=%s died with status %d (death %d within %d s)", role.name, status, recent, int(WITHIN_S))
    if keeps_dying(role.deaths_at, now):
        raise RoleKeepsDying(role=role.name, deaths=DEATHS, within_s=int(WITHIN_S), last_status=status)
    role.start_at = now + restart_delay_s(recent)


def _start(role: str, config_path: Path, options: Sequence[str]) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "dicom_node.cli",
        "serve",
        "--config",
        str(config_path),
        "--role",
        role,
        SUPERVISED,
    ]
    # A session of its own: Ctrl-C on the terminal reaches only the supervisor, which then drains the roles in order.
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def _drain(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + DRAIN_S
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.error("pid=%d did not end in %d s and is killed", process.pid, int(DRAIN_S))
            process.kill()
            process.wait()


def end_with_parent(stop: Callable[[], None]) -> None:
    """In a supervised process: when the parent is gone, stop; soon after, the process is gone by force."""

    def watch() -> None:
        while os.read(0, 1):  # not sys.stdin: its lock would be held when the process ends
            pass
        last_word = threading.Timer(END_S, os._exit, (75,))
        last_word.daemon = True
        last_word.start()
        stop()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
