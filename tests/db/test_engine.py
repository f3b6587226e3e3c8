"""The engine on SQLite: a file for its owner only, and locks that hold."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from db.engine import driver_error, open_engine, sqlite_url

OTHER = """
import sys
from sqlalchemy import text
from db.engine import open_engine
engine = open_engine(sys.argv[1])
with engine.begin() as connection:
    connection.execute(text(sys.argv[2]))
engine.dispose()
"""


def in_another_process(url: str, statement: str) -> None:
    subprocess.run([sys.executable, "-c", OTHER, url, statement], check=True)


def test_a_new_database_belongs_to_its_owner_only(tmp_path: Path) -> None:
    engine = open_engine(sqlite_url(tmp_path))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    engine.dispose()


def test_a_second_engine_on_a_file_does_not_drop_the_locks_of_the_first(tmp_path: Path) -> None:
    first = open_engine(sqlite_url(tmp_path))
    with first.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))
    second = open_engine(sqlite_url(tmp_path))
    for rows in (1, 2):  # taking itself for the last one, the first would remove the -wal file under our connection
        in_another_process(sqlite_url(tmp_path), "INSERT INTO t VALUES (7)")
        with first.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM t")) == rows
    second.dispose()
    first.dispose()


def test_a_lost_postgresql_is_noticed_soon_unless_its_url_says_otherwise() -> None:
    asked = []
    for url in ("postgresql+psycopg://h/d", "postgresql+psycopg://h/d?connect_timeout=3"):
        engine = open_engine(url)

        @event.listens_for(engine, "do_connect")
        def look(_dialect: object, _record: object, _args: object, parameters: dict[str, object]) -> None:
            asked.append(dict(parameters))
            raise ConnectionError

        with pytest.raises(ConnectionError):
            engine.connect()
    assert [each["connect_timeout"] for each in asked] == [10, "3"]
    assert [each["tcp_user_timeout"] for each in asked] == [30_000, 30_000]


def test_an_error_of_the_driver_is_named_by_its_code_and_not_by_its_text(tmp_path: Path) -> None:
    engine = open_engine(sqlite_url(tmp_path))
    with pytest.raises(OperationalError) as failed, engine.connect() as connection:
        connection.execute(text("SELECT secret"))
    assert driver_error(failed.value) == "OperationalError SQLITE_ERROR"
    assert driver_error(PoolTimeout("no connection is free")) == "TimeoutError"
    engine.dispose()


@pytest.mark.slow
def test_a_commit_on_postgresql_is_durable_whatever_the_server_says(postgres_url: str) -> None:
    """The tests' server says off; what Success was answered for must outlive its crash."""
    engine = open_engine(postgres_url)
    with engine.connect() as connection:
        connection.rollback()
        assert connection.scalar(text("SHOW synchronous_commit")) == "on"
    engine.dispose()
