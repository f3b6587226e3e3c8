"""A private PostgreSQL for the tests: made, started and removed with the session."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from db.engine import open_engine
from db.views import create_views, drop_views
from dicom_node.database import upgrade

TEMPLATE = "migrated"
UNPRIVILEGED = "postgres"
"""Who runs the server where the tests run as root, for it refuses to."""

# Nothing of this server has to survive a power cut.
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=100")


class Server:
    """A server in a folder of its own, with one database that is migrated and that others are copied from."""

    def __init__(self, programs: Path, folder: Path, who: str | None) -> None:
        self._programs, self._folder, self._who = programs, folder, who
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0
        made = [programs / "initdb", "-D", folder / "data", "-U", "tester", "--auth=trust", "--encoding=UTF8"]
        subprocess.run([*made, "--no-sync"], check=True, capture_output=True, user=who, cwd=folder)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://tester@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        """Start it, for the first time or again, and wait until it answers."""
        settings = [f"port={self._port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", *QUICK]
        options = [part for setting in settings for part in ("-c", setting)]
        command = [self._programs / "postgres", "-D", self._folder / "data", *options]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=self._who, cwd=self._folder
            )
        self._wait_until_it_answers(self._process)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End it, whatever is connected: SIGQUIT as in a crash, SIGINT with a word to each client."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes], seconds: float = 30.0) -> None:
        engine = create_engine(self.url("postgres"))
        until = time.monotonic() + seconds
        while True:
            try:
                engine.connect().close()
                break
            except OperationalError:
                if process.poll() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.1)
        engine.dispose()

    def make_template(self) -> None:
        self._run(f"CREATE DATABASE {TEMPLATE}")
        engine = open_engine(self.url(TEMPLATE))
        upgrade(engine)
        engine.dispose()

    def new_database(self, migrated: bool = True) -> str:
        """The URL of a fresh database: at the newest revision, or empty."""
        self._made += 1
        name = f"node_{self._made}"
        self._run(f"CREATE DATABASE {name}" + (f" TEMPLATE {TEMPLATE}" if migrated else ""))
        if migrated:
            engine = open_engine(self.url(name))
            with engine.begin() as connection:  # the reader's role belongs to the database by its name
                drop_views(connection)
                create_views(connection)
            engine.dispose()
        return self.url(name)

    def _run(self, statement: str) -> None:
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


@contextmanager
def running_server() -> Iterator[Server]:
    """A server for as long as the context lasts; skips where none is installed, which under CI=true is a failure."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    if not programs:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no PostgreSQL server is installed")
    who = UNPRIVILEGED if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))  # not below pytest's, where only its owner may look
    try:
        if who is not None:
            shutil.chown(folder, who)
        server = Server(programs[-1], folder, who)
        try:
            server.start()
            server.make_template()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
