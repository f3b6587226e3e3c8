"""Fixtures that every part shares: a migrated database and a file store, both fresh."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from db.engine import Sessions, open_engine, open_sessions, sqlite_url
from dicom_node.database import upgrade


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An empty SQLite database at the newest revision; copied for each test, which is quicker than migrating."""
    folder = tmp_path_factory.mktemp("migrated")
    engine = open_engine(sqlite_url(folder))
    upgrade(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    engine.dispose()
    return (folder / "node.sqlite").read_bytes()


@pytest.fixture
def database_url(tmp_path: Path, migrated_sqlite: bytes) -> str:
    (tmp_path / "node.sqlite").write_bytes(migrated_sqlite)
    return sqlite_url(tmp_path)


@pytest.fixture
def sessions(database_url: str) -> Iterator[Sessions]:
    made = open_sessions(database_url)
    yield made
    made.kw["bind"].dispose()
