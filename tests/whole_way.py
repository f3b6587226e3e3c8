"""A node as a site runs it, its PACS, and a model that finds something at once: for the tests of the whole way."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from pynetdicom.dsutils import encode
from sqlalchemy import select

from db import analyses, registry, results
from db.engine import open_engine, reading, utc_now
from db.models import Study
from db.outcomes import Delivery, Result
from dicom_node.config import Config, load_config
from dicom_node.database import upgrade
from dicom_node.demo import free_port
from dicom_node.node import Node
from dicom_node.pacs_stand_in import PacsStandIn, send_study
from dicom_node.phantom.settings import PhantomSettings
from dicom_node.phantom.study import PhantomStudy, make_study
from dicom_node.receive import open_store
from dicom_node.store import Received
from dicom_node.work import undone_work

PACS, NODE = "PACS", "LESION_NODE"
SETTINGS = PhantomSettings(rows=96, slices=(12, 13), lesions=(3, 4), unread_share=0.0, odd_geometry_share=1.0)


@cache
def study(index: int) -> PhantomStudy:
    return make_study(23, index, SETTINGS)


@dataclass(frozen=True, slots=True)
class Site:
    """A configured node with an upgraded database; nothing of it runs by itself."""

    folder: Path
    config: Config
    node: Node

    @property
    def config_path(self) -> Path:
        return self.folder / "node.toml"

    @property
    def log(self) -> str:
        path = self.folder / "node.log"
        return path.read_text(errors="replace")[-6000:] if path.exists() else "no log"


def configure(
    folder: Path,
    database_url: str,
    pacs_port: int,
    *,
    mode: str = "send",
    quiet_s: float = 2.0,
    pacs_ae_title: str = PACS,
    port: int = 0,
) -> Site:
    """node.toml as a site writes it: one PACS that sends studies to be analysed and takes results."""
    path = folder / "node.toml"
    path.write_text(f"""
database_url = "{database_url}"
[dicom]
ae_title = "{NODE}"
port = {port or free_port()}
[[peers]]
name = "pacs"
ae_title = "{pacs_ae_title}"
port = {pacs_port}
analyse = true
deliver = ["seg", "ohif"]
mode = "{mode}"
[detector]
device = "cpu"
keep_score = 0.0
max_findings = 3
[settle]
quiet_s = {quiet_s}
[web]
port = {free_port()}
token = "tests"
""")
    config = load_config(path, {})
    config.data_dir.mkdir(mode=0o700, exist_ok=True)
    engine = open_engine(config.url)
    upgrade(engine)
    engine.dispose()
    return Site(folder, config, Node.open(config))


@contextmanager
def site_with_pacs(
    folder: Path, database_url: str, commits: bool = False, **settings: Any
) -> Iterator[tuple[Site, PacsStandIn]]:
    """The site, and its PACS as a service of this process; commits: whether that offers storage commitment."""
    with PacsStandIn(PACS, folder / "pacs", commits) as pacs:
        site = configure(folder, database_url, pacs.port, **settings)
        yield site, pacs
        site.node.sessions.kw["bind"].dispose()


# --- processes ----------------------------------------------------------------------------------------------------


@contextmanager
def serving(site: Site, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """`dicom-node serve` until the end of the block; it ends with this process in any case."""
    command = [sys.executable, "-m", "dicom_node.cli", "serve", "--supervised", "--config", str(site.config_path)]
    with (site.folder / "node.log").open("ab") as log:
        process = subprocess.Popen([*command, *more], stdin=subprocess.PIPE, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()
            process.wait()
            assert process.stdin is not None
            process.stdin.close()


def until(reached: Callable[[], bool], what: str, longest_s: float = 120.0, every_s: float = 0.2) -> None:
    end = time.monotonic() + longest_s
    while not reached():
        assert time.monotonic() < end, f"{what}: not within {longest_s:.0f} s"
        time.sleep(every_s)


def wait_for_work(site: Site, longest_s: float = 150.0) -> None:
    """Until the tables show nothing undone."""
    try:
        until(lambda: undone_work(site.node) == 0, "the node's work", longest_s)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{site.log}") from None


def wait_until_it_listens(site: Site) -> None:
    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", site.config.dicom.port)) == 0

    until(listens, f"the node's port\n{site.log}", 60.0)


def send(site: Site, objects: Sequence[Dataset]) -> None:
    """Over the network, once the node listens."""
    wait_until_it_listens(site)
    send_study(objects, PACS, NODE, site.config.dicom.port)


def keep(site: Site, objects: Sequence[Dataset]) -> None:
    """Straight into the store, as the receiver does it for a peer with `analyse = true`."""
    store = open_store(site.config)
    for ds in objects:
        store.keep(received(ds), utc_now())
    store.sessions.kw["bind"].dispose()


def received(ds: Dataset) -> Received:
    syntax = ds.file_meta.TransferSyntaxUID
    content = encode(ds, syntax.is_implicit_VR, syntax.is_little_endian)
    assert content is not None
    return Received(content, str(syntax), str(ds.SOPClassUID), str(ds.SOPInstanceUID), PACS, analyse=True)


# --- a model ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TinyModel:
    card: dict[str, Any]
    weights: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.weights).hexdigest()


@cache
def tiny_model(seed: int = 1) -> TinyModel:
    """A network that never learnt, with an operating point that lets all it sees through: it finds, but no lesions."""
    import torch

    from detector.merge import MergeSettings
    from detector.model import NetworkSettings, build
    from detector.model_files import card_of, weights_bytes
    from detector.prepare import InputSettings

    torch.manual_seed(seed)
    inputs = InputSettings(pixel_mm=1.5, windows_hu=((-175.0, 275.0),))
    network = build(NetworkSettings(body="resnet18", channels=3, pyramid=16, head=16, freeze_norm=False))
    return TinyModel(card_of(network, inputs, MergeSettings(), ["lesion"], [(0.0, 1.0)]), weights_bytes(network))


def register(site: Site, seed: int = 1, promote: bool = True) -> str:
    """The tiny model into the node's registry, and to use; returns its id."""
    from detector.model_files import card_bytes, names_of

    model, now = tiny_model(seed), utc_now()
    weights_name, card_name = names_of(model.sha256)
    site.node.files.write(weights_name, model.weights)
    site.node.files.write(card_name, card_bytes(model.card))
    with site.node.sessions.begin() as session:
        registry.keep_training_set(session, "empty", [], None, now)
        row = registry.register(
            session, weights_sha256=model.sha256, weights_name=weights_name, training_set_id="empty",
            label_generation=None, card=model.card, froc={}, gate={}, git_commit="", now=now,
        )  # fmt: skip
        if promote:
            registry.promote(session, row.model_id, "tests", now)
        return str(row.model_id)


# --- what came of it ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the ledger says of one result."""

    uid: str
    kind: str
    series: str
    number: int
    superseded_by: str | None
    delivery: str


def ledger(site: Site, study_uid: str) -> list[Outcome]:
    """All results of a study in order of their making: SEG before SR, the oldest first."""
    with reading(site.node.sessions) as session:
        rows = session.execute(
            select(Result, Delivery.state)
            .outerjoin(Delivery, Delivery.result_sop_instance_uid == Result.result_sop_instance_uid)
            .where(Result.file_name.like(f"%{study_uid}%"))
            .order_by(Result.instance_number, Result.kind)
        ).all()
    return [
        Outcome(r.result_sop_instance_uid, r.kind, r.series_instance_uid, r.instance_number, r.superseded_by, state)
        for r, state in rows
    ]


def current(site: Site, study_uid: str) -> dict[str, str]:
    """Kind → UID of what stands; fails if a kind has two."""
    with reading(site.node.sessions) as session:
        found = [(r.kind, r.result_sop_instance_uid) for r in results.current_results(session, study_uid)]
    assert len(dict(found)) == len(found), f"two current results of one kind: {found}"
    return dict(found)


def analysis_state(site: Site, study_uid: str) -> str:
    with reading(site.node.sessions) as session:
        row = analyses.newest(session, study_uid, session.get_one(Study, study_uid).revision)
    return "" if row is None else f"{row.state}: {row.reason}" if row.reason else str(row.state)


def at_pacs(site: Site, study_uid: str) -> dict[str, Dataset]:
    """By SOP Instance UID: what the PACS holds of ours in a study."""
    return {str(ds.SOPInstanceUID): ds for ds in map(dcmread, (site.folder / "pacs" / study_uid).glob("*.dcm"))}


def command(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`dicom-node ARGUMENTS --config …` as a process of its own."""
    line = [sys.executable, "-m", "dicom_node.cli", *arguments, "--config", str(site.config_path)]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
