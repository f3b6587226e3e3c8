"""The receiving role in this process: how it begins."""

import os
import socket
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from node_process import free_port, wait_until

from db.engine import utc_now
from db.errors import ConfigError, DatabaseError
from dicom_node.config import Config, Dicom, Peer
from dicom_node.receive import callers, receive
from dicom_node.scp import Sender


def config(folder: Path, url: str, port: int) -> Config:
    return Config(data_dir=folder, database_url=url, dicom=Dicom(port=port))


def test_at_its_start_it_removes_what_a_killed_process_left_half_written(tmp_path: Path, database_url: str) -> None:
    old, young = (tmp_path / f".{name}.tmp" for name in ("old", "young"))
    for path, age in ((old, timedelta(hours=25)), (young, timedelta(hours=1))):
        path.write_bytes(b"half")
        at = (utc_now() - age).timestamp()
        os.utime(path, (at, at))
    stop = threading.Event()
    role = threading.Thread(target=receive, args=(config(tmp_path, database_url, free_port()), stop))
    role.start()
    try:
        wait_until(lambda: not old.exists(), 10, "the old one is removed")
    finally:
        stop.set()
        role.join(20)
    assert young.exists()
    assert not role.is_alive()


def test_a_port_that_is_taken_is_said_with_its_key(tmp_path: Path, database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=r"cannot listen on dicom.host and dicom.port: .* \(host=127.0.0.1"):
            receive(config(tmp_path, database_url, port), threading.Event())


def test_a_database_of_another_revision_is_refused_before_anything_listens(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="run `dicom-node db upgrade`"):
        receive(config(tmp_path, f"sqlite:///{tmp_path}/empty.sqlite", free_port()), threading.Event())


def test_who_may_not_send_may_call_to_answer_what_it_was_asked_and_nobody_else() -> None:
    peers = [
        Peer(name="a", ae_title="SENDS", analyse=True),
        Peer(name="b", ae_title="TAKES", accept=False, deliver=["ohif"]),
        Peer(name="c", ae_title="TAKES_SILENTLY", accept=False, deliver=["ohif"], commitment=False),
        Peer(name="d", ae_title="NEITHER", accept=False),
    ]
    assert callers(Config(peers=peers)) == [
        Sender("SENDS", analyse=True, name="a"),
        Sender("TAKES", stores=False, name="b"),
    ]
