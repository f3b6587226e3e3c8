"""The role `web`: the page, its health check and metrics as a process of its own. Shell."""

from __future__ import annotations

import os
import signal
import threading

from db.errors import ConfigError
from dicom_node.config import Config
from dicom_node.heartbeat import beating, listener_id
from dicom_node.node import Node
from dicom_node.receive import GB
from dicom_node.ways_out import reach
from dicom_node.web.app import create_app
from dicom_node.web.server import serve
from dicom_node.web.settings import Actions, Destination, WebSettings


def web_settings(config: Config) -> WebSettings:
    """What the page needs of the configuration."""
    return WebSettings(
        token=config.web.secret(),
        host=config.web.host,
        port=config.web.port,
        behind_proxy=config.web.behind_proxy,
        proxy=config.web.proxy,
        ae_title=config.dicom.ae_title,
        destinations=tuple(
            Destination(
                name=peer.name,
                ae_title=peer.ae_title,
                host=peer.host,
                port=peer.port,
                mode=peer.mode,
                profiles=tuple(peer.deliver),
                accept=peer.accept,
                analyse=peer.analyse,
                viewer_url=peer.viewer_url,
            )
            for peer in config.peers
        ),
        data_dir=config.data_dir,
        min_free_bytes=int(config.retention.min_free_gb * GB),
    )


def serve_page(config: Config, stop: threading.Event) -> None:
    """Serve until SIGTERM or until `stop` is set. Raises ConfigError where the port cannot be had."""
    node = Node.open(config)
    settings = web_settings(config)

    def echo(name: str) -> str:
        return reach(config.peer(name), config.dicom.ae_title)

    def stop_with_parent() -> None:
        stop.wait()
        os.kill(os.getpid(), signal.SIGTERM)  # the server ends at signals

    threading.Thread(target=stop_with_parent, name="stop-watch", daemon=True).start()
    try:
        with beating(node.sessions, listener_id("web", settings.port), "web"):
            serve(create_app(settings, node.sessions, node.files, Actions(echo=echo)), settings)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on web.host and web.port: {os.strerror(error.errno or 0)}; free the port or set another",
            host=settings.host,
            port=settings.port,
        ) from error
