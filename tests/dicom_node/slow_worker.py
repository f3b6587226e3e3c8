"""A worker that is held up for ten minutes by what it does: `python slow_worker.py node.toml step|settle`.

The file `held-up` in the data directory says that it is. It beats five times a second, and waits one for its steps.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

from dicom_node import heartbeat, jobs, logs, work
from dicom_node.config import load_config
from dicom_node.jobs import Way
from dicom_node.node import Node


def main(config_path: str, by: str) -> None:
    logs.configure()
    node, stop = Node.open(load_config(Path(config_path))), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    def take_long(*_: object) -> str:
        (node.config.data_dir / "held-up").touch()
        time.sleep(600)
        return "done"

    jobs.DRAIN_S = 1
    heartbeat.BEAT = timedelta(seconds=0.2)
    if by == "step":
        work.ways = lambda _: [Way("study", (("harvest", take_long),))]
    else:
        work.settle_due = take_long
    work.work(node, stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
