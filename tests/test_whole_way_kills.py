"""A worker may die at any moment, and its engine's database with it: nothing is lost, nothing is doubled."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, make_url, select, text
from whole_way import (
    Site,
    analysis_state,
    at_pacs,
    configure,
    current,
    keep,
    ledger,
    register,
    serving,
    site_with_pacs,
    study,
    until,
    wait_for_work,
)

from db.engine import reading
from db.models import LesionRow, Study
from db.outcomes import Analysis, Result
from dicom_node.work import executor_id

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MOMENTS = (
    ("settle", "before"), ("settle", "after"), ("harvest", "before"), ("harvest", "after"), ("detect", "before"),
    ("detect", "after"), ("report", "before"), ("report", "after"), ("send", "before"), ("send", "unnoted"),
    ("send", "after"), ("ask", "before"), ("ask", "after"),
)  # fmt: skip
WORKER = Path(__file__).with_name("killed_worker.py")


def work_until_killed(site: Site, step: str, moment: str) -> None:
    with (site.folder / "node.log").open("ab") as log:
        log.write(f"--- to be killed: {step} {moment}\n".encode())
        log.flush()
        command = [sys.executable, "-P", WORKER, site.config_path, step, moment]
        ended = subprocess.run(command, stdout=log, stderr=log, timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL, f"{step} {moment}\n{site.log}"


def delete_engine(site: Site) -> None:
    """As docs/operations.md tells: the engine's file, or its schema."""
    if make_url(site.config.url).get_backend_name() == "sqlite":
        for path in site.config.data_dir.glob("jobs.sqlite*"):
            path.unlink()
        return
    engine = create_engine(site.config.url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA IF EXISTS dbos CASCADE"))
    engine.dispose()


@pytest.mark.parametrize("engine", ["kept", "deleted"])
def test_a_worker_killed_at_every_step_ends_with_one_result(tmp_path: Path, any_url: str, engine: str) -> None:
    phantom = study(0)
    uid = phantom.study_instance_uid
    with site_with_pacs(tmp_path, any_url, commits=True, quiet_s=0.3) as (site, pacs):
        register(site)
        keep(site, [*phantom.images, *phantom.reports])
        for step, moment in MOMENTS:
            work_until_killed(site, step, moment)
            if engine == "deleted":
                delete_engine(site)
        with serving(site, "--role", "work"):
            wait_for_work(site)
            until(lambda: {row.delivery for row in ledger(site, uid)} == {"committed"}, "the PACS's promise", 60)

        standing, made = current(site, uid), ledger(site, uid)
        assert set(standing) == {"SR", "SEG"} and analysis_state(site, uid) == "found"
        assert {row.uid for row in made} == set(standing.values()) == set(at_pacs(site, uid))
        assert {(row.number, row.superseded_by, row.delivery) for row in made} == {(1, None, "committed")}
        assert "PredecessorDocumentsSequence" not in at_pacs(site, uid)[standing["SR"]]
        # Twice, under its UID: the one whose success was not noted, and perhaps one that was under way when another
        # thread of the worker died over the commitment of the first.
        assert len(made) + 1 <= pacs.stored <= len(made) + 2
        with reading(site.node.sessions) as session:
            row = session.get_one(Study, uid)
            assert (row.revision, row.harvested_revision, row.analysed_revision) == (1, 1, 1)
            counts = [session.scalar(select(func.count()).select_from(m)) for m in (Analysis, Result, LesionRow)]
        assert counts == [1, 2, sum(lesion.marked for lesion in phantom.lesions)]


def test_a_second_worker_of_the_same_name_refuses(tmp_path: Path, database_url: str) -> None:
    site = configure(tmp_path, database_url, 104)
    with serving(site, "--role", "work"):
        until(lambda: "working as" in site.log, "the first worker", 60)
        command = [sys.executable, "-m", "dicom_node.cli", "serve", "--role", "work", "--config", site.config_path]
        second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert second.stderr == (
        "dicom-node: A worker with this name is running already; stop it first, or give this one another name."
        f" (executor_id={executor_id()})\n"
    )
