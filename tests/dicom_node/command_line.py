"""Commands of `dicom-node` in the tests' own process, and what a refused one leaves on the terminal."""

import socket
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner, Result
from pydicom import Dataset
from whole_way import Site, configure

from dicom_node.cli import main

Cli = Callable[..., Result]


def lonely_site(folder: Path, database_url: str) -> Site:
    """A node with one peer, `pacs`, that is not there."""
    return configure(folder, database_url, unused_port(), quiet_s=0.3)


def cli_of(site: Site) -> Cli:
    return lambda *arguments: run(*arguments, "--config", str(site.config_path))


def run(*arguments: str) -> Result:
    """A command; whatever goes wrong in it, a traceback is a bug."""
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def refused(result: Result) -> str:
    """The one line that a refused command leaves on stderr, behind the program's name."""
    assert result.exit_code == 1 and result.stdout == "", result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("dicom-node: ")
    return line.removeprefix("dicom-node: ")


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def save(ds: Dataset, path: Path) -> bytes:
    """A data set as a file; its bytes."""
    ds.save_as(path, enforce_file_format=True)
    return path.read_bytes()
