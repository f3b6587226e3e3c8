"""Database URL → engine and sessions. Shell. Nothing opens at import."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, func, make_url, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

Sessions = sessionmaker[Session]

NO_DATABASE = (OperationalError, InterfaceError, PoolTimeout)
"""The database is away, full, locked or busy: the same may be tried again."""

NOTICED_SOON = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""For PostgreSQL, in s and ms: a host that vanished is noticed within a minute, not after the kernel's quarter hour."""


def sqlite_url(data_dir: Path) -> str:
    return f"sqlite:///{(data_dir / 'node.sqlite').absolute()}"


def open_engine(url: str) -> Engine:
    """An engine on SQLite or PostgreSQL, with the settings that make a commit durable on either.

    SQLite: WAL, so that readers do not wait for the writer; synchronous FULL, because Success is answered after the
    commit; foreign keys on; writers wait up to 30 s for each other, and take their lock at the first statement, so
    that none finds out at its commit that it lost. PostgreSQL: a commit waits for its log even where the server's
    settings say off, for a crash would take back what Success was answered for. The values of a statement stay out of
    errors, and so out of logs.
    """
    if make_url(url).get_backend_name() != "sqlite":
        asked = {name: value for name, value in NOTICED_SOON.items() if name not in make_url(url).query}
        engine = create_engine(url, connect_args=asked, pool_pre_ping=True, hide_parameters=True)
        event.listen(engine, "connect", _commit_durably)
        return engine
    path = make_url(url).database
    if path and path != ":memory:" and Path(path).parent.is_dir():
        # Its -wal and -shm files take this mode, too. A file that is there must not be opened here: to close it would
        # drop the locks of every connection that this process has to it (sqlite.org/howtocorrupt.html, 2.2).
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    engine = create_engine(url, connect_args={"timeout": 30}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself; `begin` below does
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _commit_durably(connection: Any, _record: object) -> None:
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )
    connection.commit()  # or a rollback would take the setting back


def open_sessions(url: str) -> Sessions:
    return sessionmaker(open_engine(url), expire_on_commit=False)


def reading(sessions: Sessions) -> Session:
    """A session that only reads, of one moment, and so never waits for a writer. Use it as a context manager."""
    session = sessions()
    options: dict[str, Any] = {"read_only": True}
    if session.get_bind().dialect.name == "postgresql":  # of SQLite every transaction sees one moment
        options["isolation_level"] = "REPEATABLE READ"
    session.connection(execution_options=options)
    return session


HARVEST_LOCK = 0x6C6573696F6E
"""Names the lock of `one_writer` among PostgreSQL's advisory locks."""


def one_writer(session: Session) -> None:
    """Wait until no other transaction that asked for this is open; what is read from here on is what they left.

    Copies lie in documents of any study, so no row could be locked that all their writers share. SQLite has one writer
    anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(HARVEST_LOCK)))


def utc_now() -> datetime:
    return datetime.now(UTC)


def driver_error(error: BaseException) -> str:
    """The driver's own error by its name and code; its message may quote values, a patient's too."""
    found = getattr(error, "orig", None) or error
    code = getattr(found, "sqlstate", None) or getattr(found, "sqlite_errorname", None)
    return f"{type(found).__name__} {code}" if code else type(found).__name__
