"""The child process that trains: `python -m detector.train`, one order in, one registered candidate out. Shell."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import torch

from db.engine import open_sessions
from db.local_files import LocalFiles
from detector.candidate import Order, make_candidate
from mining import child


def work(order: dict[str, Any]) -> dict[str, Any]:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    torch.set_num_threads(os.cpu_count() or 1)
    names = ("gate_margin", "gate_min_lesions", "max_steps", "exclude", "let_in")
    optional = {name: order[name] for name in names if name in order}
    wanted = Order(order.get("budget_s"), order["seed"], order["device"], order["body"], order["run_dir"], **optional)
    sessions = open_sessions(order["database_url"])
    return make_candidate(sessions, LocalFiles(Path(order["data_dir"])), wanted, child.report)


if __name__ == "__main__":
    child.run(work)
