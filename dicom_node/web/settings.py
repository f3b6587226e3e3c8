"""What the web part is told at its start. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Destination:
    """A peer as its page shows it."""

    name: str
    ae_title: str
    host: str
    port: int
    mode: str = "hold"
    """hold, send or shadow."""
    profiles: tuple[str, ...] = ()
    """What is delivered to it; nothing for a peer that only sends."""
    accept: bool = False
    analyse: bool = False
    viewer_url: str = ""
    """Template of its viewer's address (`dicom_node.viewer_link`); empty if it has none."""


@dataclass(frozen=True, slots=True)
class WebSettings:
    """One web process. Which host may be bound to without TLS is decided by the configuration's check, not here."""

    token: str
    """Opens everything but /healthz. Empty: all of it stays locked, and the page says which key to set."""
    host: str = "127.0.0.1"
    port: int = 8042
    behind_proxy: bool = False
    """A proxy in front speaks TLS: cookies are Secure, and its forwarded headers are believed."""
    proxy: str = "127.0.0.1"
    """Its address or network. Anybody else could write into those headers what he likes."""
    ae_title: str = ""
    destinations: tuple[Destination, ...] = ()
    data_dir: Path = Path(".")
    """Where the free space is measured."""
    min_free_bytes: int = 0
    """Below it the node refuses what is sent."""

    def destination(self, name: str) -> Destination | None:
        return next((known for known in self.destinations if known.name == name), None)


@dataclass(frozen=True, slots=True)
class Actions:
    """What the pages can do beyond writing rows."""

    echo: Callable[[str], str]
    """C-ECHO to a peer by its name: the answer as a sentence. Raises NodeError if it does not answer."""
