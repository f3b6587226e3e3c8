"""How the node logs: one line of text or JSON an event, on stderr. Shell.

A line holds UIDs, counts and durations, never a patient. What others say may quote one: pynetdicom's debug lines print
whole data sets, pydicom's warnings the values that they complain about, PostgreSQL's errors whole rows. So of a library
only the place where it spoke is told, of a foreign error its class and frames, never a text.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
import traceback
from types import TracebackType

from db.engine import driver_error
from db.errors import NodeError

OURS = ("db", "mining", "detector", "dicom_node")
UNHEARD = ("pydicom", "py.warnings", "pynetdicom")
"""Libraries of which nothing is told: we say what went wrong, with the peer's name."""
OUR_BUGS = ("pynetdicom.service_class", "pynetdicom.events")
"""But here an error in a handler of ours is told."""

log = logging.getLogger(__name__)


def configure(as_json: bool = False, level: int = logging.INFO) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines() if as_json else _Lines("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(_is_told)  # not by the loggers' levels: pydicom sets its own when it is imported
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    for name in OURS:
        logging.getLogger(name).setLevel(level)


def _is_told(record: logging.LogRecord) -> bool:
    if record.name in OUR_BUGS:
        return record.levelno >= logging.ERROR
    return not record.name.startswith(UNHEARD)


class _Lines(logging.Formatter):
    """What may be told of a record, as text."""

    def format(self, record: logging.LogRecord) -> str:
        told = logging.makeLogRecord(record.__dict__)  # other handlers see the record as it was
        told.msg, told.args = _words(record), None
        told.exc_text = told.stack_info = None
        return super().format(told)

    def formatException(self, exc_info: object) -> str:  # noqa: N802  (logging's own name)
        error = exc_info[1] if isinstance(exc_info, tuple) else None
        return without_text(error) if isinstance(error, BaseException) else ""


class _JsonLines(_Lines):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": _words(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def _words(record: logging.LogRecord) -> str:
    if record.name.partition(".")[0] in OURS:
        return record.getMessage()
    return f"said something at {record.filename}:{record.lineno}"


def without_text(error: BaseException) -> str:
    """Frames and class of an error and of what led to it, first causes first; only our own errors keep their text."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    lines = [without_text(before)] if before else []
    lines += [f'  File "{f.filename}", line {f.lineno}, in {f.name}' for f in traceback.extract_tb(error.__traceback__)]
    lines.append(f"{type(error).__name__}: {error}" if isinstance(error, NodeError) else driver_error(error))
    return "\n".join(lines)


def catch_the_last_errors() -> None:
    """An error that ends this process, or a thread of it, is logged like any other."""

    def ends(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.critical("this process ends by an error", exc_info=(kind, error, trace))

    def ends_a_thread(last: threading.ExceptHookArgs) -> None:
        if last.exc_value is not None:
            log.critical("a thread ends by an error", exc_info=last.exc_value)

    sys.excepthook, threading.excepthook = ends, ends_a_thread


def read_without_complaint() -> None:
    """Let pydicom read values that break their VR in silence, in this process; to judge them is the reader's part."""
    from pydicom import config

    config.settings.reading_validation_mode = config.IGNORE
