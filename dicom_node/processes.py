"""The parent's side of a process of its own (`mining.child` is the child's): order in, progress and outcome out. Shell.

Training, inference and categorising with a network run so: a crash or an out-of-memory there never touches the worker,
and the worker never imports torch.
"""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import IO, Any

from db.errors import NodeError
from mining.child import WITHOUT_DATABASE

log = logging.getLogger(__name__)

Event = dict[str, Any]
OnEvent = Callable[[Event], None]

FRAME = re.compile(r'  File "[^"]+", line \d+, in [\w<>]+')
ERROR_CLASS = re.compile(r"((?:\w+\.)*\w+(?:Error|Exception|Interrupt|Exit))(?::|$)")
SILENT = "it ended without a message"


class ChildFailed(NodeError):
    """A process of its own ended with an error."""


class ChildWithoutDatabase(ChildFailed):
    """A process of its own lost the database; the same order may be given again."""


def run_child(module: str, order: dict[str, Any], on_event: OnEvent | None = None) -> dict[str, Any]:
    """The outcome of `python -m module` given the order.

    The order goes through stdin, so that no password shows in a process list. What the child says of its failure is the
    message of the ChildFailed that this raises; ChildWithoutDatabase where the database was to blame. Of a traceback on
    its stderr only frames and classes are told, of the rest nothing: the text of a foreign error may be anything.
    """
    # A file, for a pipe that nobody reads would fill and stop the child.
    errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115  (closed with the process, below)
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        # Passive: on a busy machine OpenMP's threads would spin for each other most of the time (measured: six-fold).
        env={"OMP_WAIT_POLICY": "passive", **os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdin and process.stdout  # noqa: S101  (PIPE was asked for)
    outcome, message = None, ""
    with errors, process:
        try:
            process.stdin.write(json.dumps(order, default=str) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                event = _parse(line)
                if "outcome" in event:
                    outcome = event["outcome"]
                elif "error" in event:
                    message = str(event["error"])
                elif event and on_event is not None:
                    on_event(event)
        finally:
            process.stdin.close()  # the child ends with us
        if process.wait() or outcome is None:
            raise _failure(module, process.returncode, message, errors)
    return outcome


def _failure(module: str, status: int, message: str, errors: IO[str]) -> ChildFailed:
    errors.seek(0)
    frames, name = _without_text(errors.read()[-100_000:].splitlines())
    message = message or (f"{name} (unexpected; the worker's log has the traceback)" if name else SILENT)
    log.error("child %s ended with status %d: %s", module, status, "\n".join([*frames, message]))
    kind = ChildWithoutDatabase if status == WITHOUT_DATABASE else ChildFailed
    return kind(message, module=module, status=status)


def _without_text(said: list[str]) -> tuple[list[str], str]:
    """Pure: the frames of the tracebacks among a child's lines on stderr, and the class of the last error or ''."""
    if not any(line.startswith("Traceback ") for line in said):
        return [], ""
    names = [match[1] for line in said if (match := ERROR_CLASS.match(line))]
    return [line for line in said if FRAME.fullmatch(line)], names[-1] if names else "an error"


def _parse(line: str) -> Event:
    """An event, or nothing: a library's print on stdout is not one of ours."""
    try:
        event = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return event if isinstance(event, dict) else {}
