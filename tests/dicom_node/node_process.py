"""A node as a process of its own, as a site runs it, for the tests that end it in hard ways."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from db.engine import open_engine
from dicom_node.database import upgrade

ROOT = Path(__file__).parents[2]
SENDER = "PACS"
NODE = "LESION_NODE"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> float:
    """Poll until it is true; how long that took. Fails with `what` after so many seconds."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return time.monotonic() - began


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_free(port: int) -> bool:
    """Whether a server could listen there."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


class NodeProcess:
    """`dicom-node serve` in a folder of its own. `url`: the database; it is brought to the newest revision."""

    def __init__(self, folder: Path, url: str) -> None:
        self.port, self.web_port = free_port(), free_port()
        self.data_dir = folder / "data"
        self.data_dir.mkdir()
        self.config = folder / "node.toml"
        self.config.write_text(
            f'data_dir = "data"\ndatabase_url = "{url}"\n'
            f"[dicom]\nport = {self.port}\n[web]\nport = {self.web_port}\n[retention]\nmin_free_gb = 0\n"
            f'[[peers]]\nname = "PACS"\nae_title = "{SENDER}"\n'
        )
        self.log_path = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        engine = open_engine(url)
        upgrade(engine)
        engine.dispose()

    def start(self, role: str = "receive") -> None:
        """Start and wait until it listens."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dicom_node.cli", "serve", "--role", role, "--config", str(self.config)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(lambda: self._is_up(self.port), 60, "the node listens")
        if role == "all":
            wait_until(lambda: self._is_up(self.web_port), 60, "the page answers")

    def _is_up(self, port: int) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        return accepts(port)

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, seconds: float = 60) -> int:
        """Its exit status, once it has ended."""
        assert self.process is not None
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the node did not end within {seconds} s; its log:\n{self.log}")

    def end(self) -> None:
        """Whatever a test left running."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    @property
    def role_pids(self) -> list[int]:
        return [int(pid) for pid in re.findall(r"role=\w+ started pid=(\d+)", self.log)]

    def peak_memory_bytes(self) -> int:
        """The most that the process held in memory so far (VmHWM of proc(5))."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])  # type: ignore[index]


def is_running(pid: int) -> bool:
    """Whether a process runs, one that has ended and waits for its parent not counted."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
