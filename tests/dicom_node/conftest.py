"""Fixtures of the command line: a configured site, and its commands in this process."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from command_line import run, unused_port
from whole_way import Site, configure

from dicom_node import logs

Cli = Callable[..., Result]


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
