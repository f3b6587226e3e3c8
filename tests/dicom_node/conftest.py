"""Fixtures: of the command line a site and its commands in this process, of the pages a seeded node, and a store."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from shutil import copytree

import pytest
from arriving import SITE_KEY, STUDY, new_store
from click.testing import Result
from command_line import run, unused_port
from settling import LATER
from web_seed import seed
from web_seed_found import seed_found
from whole_way import Site, configure

from db.engine import Sessions, open_sessions, sqlite_url
from dicom_node import logs
from dicom_node.settle import Settled, settle_study
from dicom_node.store import Store

Cli = Callable[..., Result]

SEEDED_AT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


@pytest.fixture
def logging_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line is a guest in the tests' process."""
    monkeypatch.setattr(logs, "configure", lambda as_json=False: None)


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Site:
    """A node with one peer, `pacs`, that is not there."""
    return configure(tmp_path, database_url, unused_port(), quiet_s=0.3)


@pytest.fixture
def cli(site: Site, logging_stays_as_it_is: None) -> Cli:
    return lambda *arguments: run(*arguments, "--config", str(site.config_path))


@pytest.fixture(scope="session")
def seeded_folder(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: bytes) -> Path:
    """A node in which everything that the pages show has happened once; made once, copied for each test."""
    folder = tmp_path_factory.mktemp("seeded")
    (folder / "node.sqlite").write_bytes(migrated_sqlite)
    sessions = open_sessions(sqlite_url(folder))
    with sessions.begin() as session:
        seed(session, folder, SEEDED_AT)
        seed_found(session, folder, SEEDED_AT)
    sessions.kw["bind"].dispose()
    return folder


@pytest.fixture
def seeded(seeded_folder: Path, tmp_path: Path, sessions: Sessions) -> Sessions:
    """`sessions` on a copy of the seeded node; its files are in tmp_path. Nothing has connected to it yet."""
    copytree(seeded_folder, tmp_path, dirs_exist_ok=True)
    return sessions


@pytest.fixture
def store(any_sessions: Sessions, tmp_path: Path) -> Store:
    return new_store(any_sessions, tmp_path)


@pytest.fixture
def settle(store: Store) -> Callable[..., Settled]:
    def settle_now(study_instance_uid: str = STUDY, expected: int | None = None) -> Settled:
        settled = settle_study(store.sessions, store.files, study_instance_uid, LATER, SITE_KEY, expected)
        assert settled is not None
        return settled

    return settle_now
