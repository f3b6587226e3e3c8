"""The role `receive`: the SCP as a process of its own. Shell. Loads neither torch nor highdicom."""

from __future__ import annotations

import threading
from datetime import timedelta

from db.engine import utc_now
from db.errors import ConfigError
from db.local_files import LocalFiles
from dicom_node.config import Config
from dicom_node.database import open_checked
from dicom_node.heartbeat import beating, listener_id
from dicom_node.scp import ReceiveSettings, Sender, serve
from dicom_node.store import Store

GB = 1_000_000_000
LEFT_OVER_AFTER = timedelta(days=1)
"""What is half-written for so long has no writer any more."""


def open_store(config: Config) -> Store:
    sessions = open_checked(config.url)
    return Store(sessions, LocalFiles(config.data_dir), int(config.retention.min_free_gb * GB))


def callers(config: Config) -> list[Sender]:
    """The peers that may call us: who may send, and who was asked to commit to what we sent, to answer."""
    return [
        Sender(peer.ae_title, peer.analyse, stores=peer.accept, name=peer.name)
        for peer in config.peers
        if peer.accept or (peer.deliver and peer.commitment)
    ]


def receive(config: Config, stop: threading.Event) -> None:
    """Receive until `stop` is set, then drain. Raises ConfigError where the port cannot be had."""
    settings = ReceiveSettings(
        ae_title=config.dicom.ae_title,
        host=config.dicom.host,
        port=config.dicom.port,
        senders=callers(config),
        max_pdu=config.dicom.max_pdu,
        max_associations=config.dicom.max_associations,
    )
    store = open_store(config)
    # Aside, for a large store is long to look through and nobody may wait for the port.
    threading.Thread(
        target=store.files.remove_leftovers, args=(utc_now() - LEFT_OVER_AFTER,), name="leftovers", daemon=True
    ).start()
    try:
        with beating(store.sessions, listener_id("receive", settings.port), "receive"):
            serve(settings, store, stop)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on dicom.host and dicom.port: {error.strerror}; free the port or set another",
            host=config.dicom.host,
            port=config.dicom.port,
        ) from error
