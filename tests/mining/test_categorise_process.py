"""`python -m mining.categorise` as the worker starts it: order in, events and outcome out, gone with its parent."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select
from test_categorise import EACH, KINDS, seeded  # noqa: F401  (a fixture)

from db.engine import Sessions, open_sessions
from db.local_files import LocalFiles
from db.models import LabelGeneration
from mining.child import PARENT_GONE

pytestmark = pytest.mark.slow

Seeded = tuple[Sessions, LocalFiles]


def start() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mining.categorise"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def order(database_url: str, folder: Path, **settings: int) -> str:
    return json.dumps({"database_url": database_url, "data_dir": str(folder), "settings": settings}) + "\n"


def generations(database_url: str) -> int:
    sessions = open_sessions(database_url)
    with sessions() as session:
        count = session.scalar(select(func.count()).select_from(LabelGeneration))
    sessions.kw["bind"].dispose()
    return int(count or 0)


def test_it_tells_its_steps_and_its_outcome_and_ends(seeded: Seeded, database_url: str, tmp_path: Path) -> None:  # noqa: F811
    with start() as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(order(database_url, tmp_path, k_min=3, k_max=3, min_lesions=10))
        child.stdin.flush()
        events = [json.loads(line) for line in child.stdout]
        assert child.wait(60) == 0
    *steps, last = events
    assert {event["step"] for event in steps} == {"features", "group"}
    assert steps[-1]["groups"] == 3
    outcome = last["outcome"]
    assert (outcome["label_generation"], outcome["lesions"]) == (1, len(KINDS) * EACH)
    assert {category["name"] for category in outcome["categories"]} == set(KINDS)
    assert generations(database_url) == 1


def test_too_few_lesions_are_one_event_and_status_one(seeded: Seeded, database_url: str, tmp_path: Path) -> None:  # noqa: F811
    with start() as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(order(database_url, tmp_path, min_lesions=99))
        child.stdin.flush()
        last = [json.loads(line) for line in child.stdout][-1]
        assert child.wait(60) == 1
    assert "too few lesions" in last["error"]
    assert generations(database_url) == 0


def test_it_ends_when_its_parent_does_and_leaves_no_generation(
    seeded: Seeded,  # noqa: F811
    database_url: str,
    tmp_path: Path,
) -> None:
    with start() as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(order(database_url, tmp_path, k_min=3, k_max=3, min_lesions=10))
        child.stdin.flush()
        child.stdout.readline()  # it has begun
        child.stdin.close()
        until = time.monotonic() + 30
        while child.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        assert child.returncode == PARENT_GONE
    assert generations(database_url) == 0
