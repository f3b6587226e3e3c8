"""Fixtures that every part shares: a migrated database of either kind, fresh for each test."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from postgres import Server, running_server

from db.engine import Sessions, open_engine, open_sessions, sqlite_url
from db.local_files import LocalFiles
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


@pytest.fixture
def files(tmp_path: Path) -> LocalFiles:
    """The file store in the same folder as the database."""
    return LocalFiles(tmp_path)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: Server) -> str:
    """A PostgreSQL database at the newest revision. Tests that ask for it are slow: it starts a server."""
    return postgres_server.new_database()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def any_url(request: pytest.FixtureRequest) -> str:
    """A migrated database, of one kind and then of the other."""
    return str(request.getfixturevalue("database_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture
def any_sessions(any_url: str) -> Iterator[Sessions]:
    made = open_sessions(any_url)
    yield made
    made.kw["bind"].dispose()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true nothing may be missing: a test that skips has failed."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} skipped, and with CI=true nothing may be missing: {report.longrepr}"
    return report
