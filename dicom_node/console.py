"""What the commands share on a terminal: the --config option, who gives them, tables, progress bars. Shell."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import click

from dicom_node.config import find_config, load_config


def configured(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option --config and, as its first argument, the configuration."""

    @click.option("--config", "config_path", type=click.Path(path_type=Path), help="The configuration file.")
    @wraps(command)
    def with_config(*args: Any, config_path: Path | None, **kwargs: Any) -> Any:
        return command(load_config(find_config(config_path)), *args, **kwargs)

    return with_config


def actor() -> str:
    """Who gives the command, as `audit` names them."""
    return f"{getpass.getuser()} (command line)"


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], as_json: bool) -> None:
    """A table on a terminal, tab-separated lines in a pipe, or JSON."""
    if as_json:
        click.echo(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], default=str, indent=1))
        return
    if not sys.stdout.isatty():
        for line in (columns, *rows):
            click.echo("\t".join("" if value is None else str(value) for value in line))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    Console().print(table)


def print_rows(rows: Sequence[Mapping[str, object]], as_json: bool) -> None:
    if not rows and not as_json:
        click.echo("none", err=True)
        return
    columns = list(rows[0]) if rows else []
    print_table(columns, [list(row.values()) for row in rows], as_json)


@contextmanager
def progress_bars() -> Iterator[Callable[..., None]]:
    """A `mining.child.Progress` that draws one bar a step; plain lines where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield _plain_progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[figures]}"), console=console) as bars:
        tasks: dict[str, Any] = {}

        def show(step: str, done: int, total: int, **figures: object) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total or None, figures="")
            bars.update(tasks[step], completed=done, total=total or None, figures=_figures(figures))

        yield show


def _plain_progress() -> Callable[..., None]:
    """A line at the start of each step and at each tenth of it."""
    said: dict[str, int] = {}

    def show(step: str, done: int, total: int, **figures: object) -> None:
        tenth = done * 10 // total if total else 0
        if said.get(step) != tenth:
            said[step] = tenth
            click.echo(f"{step}: {done} of {total or '?'} {_figures(figures)}".rstrip(), err=True)

    return show


def _figures(figures: Mapping[str, object]) -> str:
    return " ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}" for name, value in figures.items()
    )
