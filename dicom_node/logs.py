"""How the node logs: one line of text or JSON an event, on stderr. Shell.

A line holds UIDs, counts and durations, never a patient. What libraries say below WARNING stays out: pynetdicom's
debug lines print whole data sets.
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
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)  # we say what went wrong, with the peer's name
    for name in OURS:
        logging.getLogger(name).setLevel(level)
