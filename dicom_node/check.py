"""`dicom-node check`: the self-test that a site runs after an installation or an upgrade. Shell."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from db import registry
from db.engine import reading
from db.errors import NodeError
from dicom_node.config import Config
from dicom_node.node import Node
from dicom_node.receive import GB
from dicom_node.ways_out import reach


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `ok` None: nothing is wrong, but a person should know."""

    what: str
    ok: bool | None
    message: str

    def as_row(self) -> dict[str, object]:
        return {"what": self.what, "ok": self.ok, "message": self.message}

    def __str__(self) -> str:
        mark = {True: "ok  ", False: "FAIL", None: "note"}[self.ok]
        return f"{mark}  {self.what}: {self.message}"


def check(config: Config) -> Iterator[Finding]:
    """Look at everything that the node needs, one finding after the other."""
    yield Finding("configuration", True, f"{len(config.peers)} peers, data in {config.data_dir}")
    yield from _database(config)
    yield _disk(config)
    yield _port("dicom.port", config.dicom.host, config.dicom.port)
    for peer in config.peers:
        if peer.deliver or peer.find:
            yield _peer(config, peer.name)
    yield _device(config)


def _database(config: Config) -> Iterator[Finding]:
    try:
        node = Node.open(config)
        with reading(node.sessions) as session:
            model = registry.promoted(session)
    except (NodeError, SQLAlchemyError) as error:
        yield Finding("database", False, str(error).splitlines()[0])
        return
    yield Finding("database", True, "at this version's revision")
    if model is None:
        yield Finding("model", None, "none is promoted: nothing is detected or sent; see `dicom-node models list`")
    elif not node.files.path(model.weights_name).exists():
        yield Finding("model", False, f"the weights of {model.model_id} are missing from data_dir; roll back")
    else:
        yield Finding("model", True, f"{model.model_id} is promoted")
    node.sessions.kw["bind"].dispose()


def _disk(config: Config) -> Finding:
    free = shutil.disk_usage(config.data_dir if config.data_dir.exists() else config.data_dir.parent).free
    enough = free >= config.retention.min_free_gb * GB
    return Finding("disk", enough, f"{free / GB:.1f} GB free; receiving stops below {config.retention.min_free_gb} GB")


def _port(what: str, host: str, port: int) -> Finding:
    every = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (an address to ask at, where every one is listened on)
    try:
        socket.create_connection((every.get(host, host), port), timeout=2).close()
    except socket.gaierror as error:
        return Finding(what, False, f"the host {host} has no address: {error.strerror}")
    except OSError:
        return Finding(what, None, f"{port} is free: the node does not run")
    return Finding(what, None, f"{port} is answered: the node seems to run")


def _peer(config: Config, name: str) -> Finding:
    try:
        return Finding(f"peer {name}", True, reach(config.peer(name), config.dicom.ae_title))
    except NodeError as error:
        return Finding(f"peer {name}", False, str(error))


def _device(config: Config) -> Finding:
    """Asked in a process of its own: this one must stay free of torch."""
    code = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else 'CPU')"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    name = answer.stdout.strip() or "torch cannot be loaded"
    wanted = config.detector.device
    ok = answer.returncode == 0 and not (wanted == "cuda" and name == "CPU")
    return Finding("device", ok, f"{name}; detector.device = {wanted}")
