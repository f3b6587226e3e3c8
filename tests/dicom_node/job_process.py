"""An engine of jobs as a process of its own: `python job_process.py FOLDER EXECUTOR COMMAND`; one line of JSON out.

Its way `three` has the steps A, B and C, which write their letter into the file `steps`; while the file `kill` is
there, B removes it and kills the process. The way `fail` ends with the error that its subject names.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from db.engine import utc_now
from db.errors import StorageFull
from dicom_node import logs
from dicom_node.jobs import Jobs, Way

FOLDER = Path(sys.argv[1])


def write(letter: str) -> Callable[[str], str]:
    def step(subject: str) -> str:
        with (FOLDER / "steps").open("a") as steps:
            steps.write(letter)
        if letter == "B" and (FOLDER / "kill").exists():
            (FOLDER / "kill").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return f"{letter} of {subject}"

    return step


def fail(subject: str) -> str:
    raise {"ours": StorageFull(free_bytes=7), "foreign": ValueError("Doe^John")}[subject]


def main(executor: str, command: str) -> dict[str, object]:
    ways = [Way("three", tuple((letter, write(letter)) for letter in "ABC")), Way("fail", (("fail", fail),))]
    with Jobs(f"sqlite:///{FOLDER}/node.sqlite", FOLDER, executor, ways) as jobs:
        ids = ["three-1"]
        taken = 0
        if command in ("enqueue", "wait"):
            jobs.enqueue("three-1", "three", "x")
            jobs.enqueue("three-1", "three", "x")
        elif command == "take over":
            taken = jobs.take_over(["gone-work"])
        elif command == "fail":
            ids = ["ours", "foreign"]
            for subject in ids:
                jobs.enqueue(subject, "fail", subject)
        elif command == "look":
            ids = ["ours", "foreign", "three-1", "unknown"]
        elif command == "forget":
            counts = [jobs.forget(utc_now() + timedelta(days=days)) for days in (0, 8)]
            return {"forgotten": counts, "left": len(jobs.states(["three-1"]))}
        until = time.monotonic() + 60
        while command != "look" and not all(s.ended for s in jobs.states(ids).values()) and time.monotonic() < until:
            time.sleep(0.1)
        return {"taken": taken, **{job: asdict(state) for job, state in jobs.states(ids).items()}}


if __name__ == "__main__":
    logs.configure(as_json=True)
    print(json.dumps(main(sys.argv[2], sys.argv[3])))
