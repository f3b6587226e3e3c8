"""The whole product on synthetic CT, with real processes and real associations: `dicom-node demo`. Shell.

A PACS stand-in in this process sends studies to a node that runs as its users run it, and takes its results back. What
is left in the folder is a complete node, and report.html. Test equipment: its figures are no clinical evidence.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from pydicom import Dataset

from db import registry
from db.engine import open_engine, reading, utc_now
from db.errors import NodeError, RequestError
from dicom_node.config import Config, load_config
from dicom_node.database import upgrade
from dicom_node.demo_facts import gather_facts
from dicom_node.foreground import ask_for, wait_for_task
from dicom_node.node import Node
from dicom_node.pacs_stand_in import PacsStandIn, send_study
from dicom_node.phantom.study import make_study
from dicom_node.phantom.truth import PhantomLesion
from dicom_node.showcase import write_report
from dicom_node.supervise import SUPERVISED
from dicom_node.work import undone_work

Progress = Callable[..., None]

MARKER = ".demo"
"""Stands in every demo folder: only such a folder is emptied for another run."""

UNSEEN_SEED = 1_000_000
"""Added to the seed for the studies that are analysed, so that none of their patients was trained on."""

ARCHIVE, PACS, NODE = "DEMO_ARCHIVE", "DEMO_PACS", "LESION_NODE"


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """How large the demonstration is."""

    folder: Path
    train: bool = True
    studies: int = 210
    """How many the archive holds, to harvest and learn from."""
    unseen: int = 12
    """How many arrive afterwards, to be analysed."""
    budget_minutes: float = 3.5
    """Of training."""
    seed: int = 1
    database_url: str = ""
    """Empty: SQLite in the folder."""


def run_demo(settings: DemoSettings, progress: Progress) -> Path:
    """Run it and write report.html; returns its path. Raises NodeError where a step fails."""
    folder = settings.folder
    _empty(folder)
    with PacsStandIn(PACS, folder / "pacs") as pacs:
        config = _configure(folder, pacs.port, settings)
        node = Node.open(config)
        with _running(folder / "node.toml", config.dicom.port):
            seconds: dict[str, float] = {}
            with _timed(seconds, "receive and harvest"):
                archive = _send_all(config, ARCHIVE, settings.seed, settings.studies, progress, "send studies")
                _wait_for_work(node, progress)
            with _timed(seconds, "categorise"):
                _as_the_button_does(node, "categorise", progress)
            truths: dict[str, tuple[PhantomLesion, ...]] = {}
            if settings.train:
                with _timed(seconds, "train"):
                    _as_the_button_does(node, "train", progress)
                _promote(node)
                with _timed(seconds, "detect and deliver"):
                    seed = settings.seed + UNSEEN_SEED
                    truths = _send_all(config, PACS, seed, settings.unseen, progress, "send unseen studies")
                    _wait_for_work(node, progress)
        with reading(node.sessions) as session:
            facts = gather_facts(session, node.files, truths, archive, seconds, _remarks(settings, pacs))
        path = folder / "report.html"
        write_report(path, facts)
        return path


def _empty(folder: Path) -> None:
    if folder.exists():
        if any(folder.iterdir()) and not (folder / MARKER).exists():
            raise RequestError("this folder holds something that is no demo; choose another --dir", folder=folder)
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _configure(folder: Path, pacs_port: int, settings: DemoSettings) -> Config:
    """A node.toml as a site would write it: an archive that is only harvested, and a PACS that wants results."""
    path = folder / "node.toml"
    path.write_text(f"""# The demo's node. Start it again with: dicom-node serve --config {path.name}
database_url = "{settings.database_url}"

[dicom]
ae_title = "{NODE}"
port = {free_port()}

[[peers]]
name = "archive"
ae_title = "{ARCHIVE}"

[[peers]]
name = "pacs"
ae_title = "{PACS}"
port = {pacs_port}
analyse = true
deliver = ["seg", "ohif"]
mode = "send"

[detector]
budget_minutes = {settings.budget_minutes}
seed = {settings.seed}
keep_score = 0.01
# The simulated readers measure fewer than half of the lesions, so much that the validation set calls false is a lesion
# that nobody marked: hence more than the default of 1.
max_fp_per_scan = 4.0

[settle]
quiet_s = 2.0

[web]
port = {free_port()}
token = "demo"
""")
    config = load_config(path, {})
    config.data_dir.mkdir(mode=0o700)
    engine = open_engine(config.url)
    upgrade(engine)
    engine.dispose()
    return config


@contextmanager
def _running(config_path: Path, port: int) -> Iterator[None]:
    """The node as a process of its own, until the end of the block; it ends with us in any case."""
    command = [sys.executable, "-m", "dicom_node.cli", "serve", "--config", str(config_path), SUPERVISED]
    with (config_path.parent / "node.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
    try:
        _wait_for_port(process, port, config_path.parent / "node.log")
        yield
    finally:
        process.terminate()
        process.wait(60)
        if process.stdin is not None:
            process.stdin.close()


def _wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path, longest_s: float = 60.0) -> None:
    until = time.monotonic() + longest_s
    while time.monotonic() < until:
        if process.poll() is not None:
            raise NodeError("the node ended at its start; its log says why", log=log)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise NodeError("the node does not answer; its log says why", log=log)


# --- the steps ----------------------------------------------------------------------------------------------------


def _made(seed: int, index: int) -> tuple[list[Dataset], str, tuple[PhantomLesion, ...]]:
    study = make_study(seed, index)
    return [*study.images, *study.reports], study.study_instance_uid, study.lesions


def _send_all(
    config: Config, ae_title: str, seed: int, count: int, progress: Progress, step: str
) -> dict[str, tuple[PhantomLesion, ...]]:
    """Make and send so many studies, one association each; returns what is really in them."""
    truths = {}
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as makers:
        for start in range(0, count, 4):  # few at a time: a study is some megabytes
            indices = range(start, min(start + 4, count))
            for objects, study_uid, lesions in makers.map(_made, [seed] * len(indices), indices):
                send_study(objects, ae_title, NODE, config.dicom.port)
                truths[study_uid] = lesions
                progress(step, len(truths), count)
    return truths


def _wait_for_work(node: Node, progress: Progress, longest_s: float = 900.0) -> None:
    """Until the tables show nothing undone."""
    until, most = time.monotonic() + longest_s, 0
    while left := undone_work(node):
        most = max(most, left)
        progress("work", most - left, most)
        if time.monotonic() > until:
            raise NodeError("the node did not finish its work in time; its log says why", undone=left)
        time.sleep(0.5)
    progress("work", most, most)


def _as_the_button_does(node: Node, kind: str, progress: Progress) -> None:
    wait_for_task(node, ask_for(node, kind, "demo"), progress)


def _promote(node: Node) -> None:
    """As a person does with `models promote`: the first model has no incumbent, so no gate can promote it."""
    with node.sessions.begin() as session:
        newest = registry.models(session)[0]
        registry.promote(session, newest.model_id, "demo (stands for a person)", utc_now())


@contextmanager
def _timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[part] = time.monotonic() - started


def _remarks(settings: DemoSettings, pacs: PacsStandIn) -> Sequence[tuple[str, str]]:
    return (
        ("seed", str(settings.seed)),
        ("studies to learn from", str(settings.studies)),
        ("studies analysed", str(settings.unseen) if settings.train else "none: --no-train"),
        ("objects that the PACS stand-in holds of ours", str(pacs.stored)),
        ("promotion", "by command: with no incumbent only a person promotes"),
    )
