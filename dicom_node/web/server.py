"""One web process: listens until it is told to stop. Shell."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from dicom_node.web.settings import WebSettings

GRACE_S = 5
"""How long an answer that has begun may take after SIGTERM."""


def serve(app: ASGIApp, settings: WebSettings, ready: Callable[[int], None] | None = None) -> None:
    """Answer requests until SIGTERM or SIGINT; then finish the answers that have begun and return.

    ready: called with the port once requests are taken; port 0 takes any free one.
    Raises OSError if the address cannot be bound. To be called in the main thread of its process.
    """
    listener = bind(settings.host, settings.port)
    config = uvicorn.Config(
        app,
        log_config=None,  # the node's own logging stands
        access_log=False,
        server_header=False,
        proxy_headers=settings.behind_proxy,
        forwarded_allow_ips=settings.proxy,
        timeout_graceful_shutdown=GRACE_S,
        lifespan="off",
    )
    asyncio.run(_run(_Server(config), listener, ready))


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; an address with a colon is IPv6."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128, reuse_port=False)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are ours: uvicorn would raise them again after its end, and a clean stop would look like a death."""
        yield


async def _run(server: _Server, listener: socket.socket, ready: Callable[[int], None] | None) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if ready is not None:
        ready(listener.getsockname()[1])  # the kernel takes connections from here on
    await server.serve(sockets=[listener])
