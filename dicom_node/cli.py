"""`dicom-node`: the command line. Shell; each command loads only what it needs.

Exit status: 0 done, 1 refused or failed with one clear line on stderr, 2 bad usage.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import Any

import click

from db.errors import ConfigError, NodeError, RequestError
from dicom_node import cli_admin, cli_data, cli_findings, cli_results, logs
from dicom_node.config import Config, find_config, load_config
from dicom_node.config_template import template
from dicom_node.console import configured


class _Commands(click.Group):
    """A NodeError is one line on stderr and status 1; anything else is a bug and shows its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except NodeError as error:
            click.echo(f"dicom-node: {error}", err=True)
            ctx.exit(1)


@click.group(cls=_Commands)
@click.version_option(package_name="lesion-node")
@click.option("--log-json", is_flag=True, help="Log one JSON object a line.")
def main(log_json: bool) -> None:
    """Harvest lesion measurements from a PACS, learn from them, and report lesions back.

    Research software, not a medical device.
    """
    logs.configure(as_json=log_json)


@main.command()
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=Path(), help="Where to write node.toml.")
def init(folder: Path) -> None:
    """Write a commented node.toml with working defaults, and make the database."""
    import secrets

    path = folder / "node.toml"
    if path.exists():
        raise RequestError("there is a configuration already; edit it, or choose another --dir", path=path)
    folder.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(template(secrets.token_urlsafe(24)))
    _upgrade(load_config(path))
    click.echo(f"{path}: name your PACS under [[peers]], then run: dicom-node serve --config {path}")


@main.group()
def db() -> None:
    """The database's revision."""


@db.command()
@configured
def upgrade(config: Config) -> None:
    """Bring the database to this version's revision."""
    click.echo(_upgrade(config))


@db.command()
@configured
def current(config: Config) -> None:
    """Say at which revision the database is."""
    from db.engine import open_engine
    from dicom_node.database import current_revision, newest_revision

    found, newest = current_revision(open_engine(config.url)), newest_revision()
    click.echo(f"{found or 'none'} (newest: {newest})")


def _upgrade(config: Config) -> str:
    from db.engine import open_engine
    from dicom_node.database import upgrade as run

    config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return run(open_engine(config.url))


@main.command()
@click.option("--role", type=click.Choice(["all", "receive", "work", "web"]), default="all", show_default=True)
@click.option("--supervised", is_flag=True, hidden=True, help="Stdin is a pipe from the supervisor: end with it.")
@click.option("--config", "path", type=click.Path(path_type=Path), help="The configuration file.")
def serve(role: str, supervised: bool, path: Path | None) -> None:
    """Run the node: all roles on one machine, or one role of several machines."""
    found = find_config(path)
    config = load_config(found)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if supervised:
        from dicom_node.supervise import end_with_parent

        end_with_parent(stop.set)
    if supervised and role != "all":  # the supervisor found the database; started again during an outage, a role waits
        from dicom_node.outage import wait_until_reachable

        wait_until_reachable(config.url, stop)
        if stop.is_set():
            return
    _check_before_start(config)
    if role == "all":
        from dicom_node.supervise import supervise

        as_json = click.get_current_context().find_root().params["log_json"]
        supervise(found.absolute(), stop, ("--log-json",) if as_json else ())
        return
    _run_role(role, config, stop)


def _check_before_start(config: Config) -> None:
    """What would fail in every role is said once, before any starts."""
    from dicom_node.database import open_checked

    if not config.data_dir.is_dir():
        raise ConfigError("data_dir does not exist; run `dicom-node db upgrade` once", data_dir=config.data_dir)
    open_checked(config.url).kw["bind"].dispose()


def _run_role(role: str, config: Config, stop: threading.Event) -> None:
    logs.read_without_complaint()
    logs.catch_the_last_errors()
    if role == "receive":
        from dicom_node.receive import receive

        receive(config, stop)
    elif role == "work":
        from dicom_node.node import Node
        from dicom_node.work import work

        work(Node.open(config), stop)
    else:
        from dicom_node.page import serve_page

        serve_page(config, stop)


@main.command()
@click.argument("statement")
@click.option("--json", "as_json", is_flag=True, help="A list of objects.")
@configured
def sql(config: Config, statement: str, as_json: bool) -> None:
    """Ask the SQL views; nothing can be changed."""
    from dicom_node.console import print_table
    from dicom_node.sql import query

    columns, rows = query(config.url, statement)
    print_table(columns, rows, as_json)


cli_admin.add_to(main)
cli_data.add_to(main)
cli_results.add_to(main)
cli_findings.add_to(main)

if __name__ == "__main__":
    sys.exit(main())
