"""How the node logs: one line of text or JSON an event, on stderr. Shell.

A line holds UIDs, counts and durations, never a patient. What the DICOM libraries say stays out: pynetdicom's debug
lines print whole data sets, and pydicom's warnings quote the values that they complain about.
"""

from __future__ import annotations

import json
import logging
import sys
import time

OURS = ("db", "mining", "detector", "dicom_node")


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(as_json: bool = False, level: int = logging.INFO) -> None:
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(_JsonLines() if as_json else plain)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    for name in ("pydicom", "py.warnings", "pynetdicom"):  # we say what went wrong, with the peer's name
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name in ("pynetdicom.service_class", "pynetdicom.events"):  # but a bug in a handler of ours shows its traceback
        logging.getLogger(name).setLevel(logging.ERROR)
    for name in OURS:
        logging.getLogger(name).setLevel(level)


def read_without_complaint() -> None:
    """Let pydicom read values that break their VR in silence, in this process; to judge them is the reader's part."""
    from pydicom import config

    config.settings.reading_validation_mode = config.IGNORE
