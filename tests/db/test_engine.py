"""The engine on SQLite: a file for its owner only, and locks that hold."""

import subprocess
import sys
from pathlib import Path

from sqlalchemy import text

from db.engine import open_engine, sqlite_url

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
