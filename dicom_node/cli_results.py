"""The commands about results that leave no trace in the node: check, preview, translate. Shell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from db.errors import RequestError
from dicom_node.config import BUILT_PROFILES, Config, find_config, load_config
from dicom_node.console import actor, configured, print_rows, progress_bars


@click.command()
@click.option("--results", is_flag=True, help="Hold every kind of result against the viewers' rules; needs no node.")
@click.option("--json", "as_json", is_flag=True, help="A list of objects.")
@click.option("--config", "path", type=click.Path(path_type=Path), help="The configuration file.")
def check(results: bool, as_json: bool, path: Path | None) -> None:
    """Test the configuration, database, disk, peers, device and model; or what is sent."""
    if results:
        _check_results(as_json)
        return
    from dicom_node.check import check as look

    rows, failed = [], 0
    for finding in look(load_config(find_config(path))):
        rows.append(finding.as_row())
        failed += finding.ok is False
        if not as_json:
            click.echo(str(finding))
    if as_json:
        print_rows(rows, as_json)
    if failed:
        raise RequestError(f"{failed} of these must be mended")


def _check_results(as_json: bool) -> None:
    from dicom_node.check_results import check_results

    with progress_bars() as show:
        held = check_results(show)
    print_rows([each.as_row() for each in held] if as_json else [_line(each.as_row()) for each in held], as_json)
    broken = [each for each in held if each.ok is False]
    if broken:
        first = broken[0]
        raise RequestError(
            f"broken rules: {len(broken)}; the first: {first.profile}, {first.rule}: {first.broken};"
            f" then {first.viewer}: {first.otherwise}"
        )


def _line(row: dict[str, object]) -> dict[str, object]:
    """What a terminal has the width for."""
    mark = {True: "ok", False: "BROKEN", None: "-"}[row["ok"]]  # type: ignore[index]
    viewer = f"{row['viewer']} {row['version']}".strip()
    return {"profile": row["profile"], "rule": row["rule"], "viewer": viewer, "": mark, "what is wrong": row["broken"]}


@click.command()
@click.argument("study_instance_uid")
@click.option("--profile", "profiles", multiple=True, type=click.Choice(BUILT_PROFILES), help="Only this; repeatable.")
@click.option("--to", "folder", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where to write.")
@configured
def preview(config: Config, study_instance_uid: str, profiles: tuple[str, ...], folder: Path) -> None:
    """Write what would be sent for a study; nothing is sent, queued or entered."""
    from dicom_node.node import Node
    from dicom_node.preview import preview as write

    asked = profiles or BUILT_PROFILES
    with _writing(folder):
        written = write(Node.open(config), study_instance_uid, asked, folder)
    for path in written:
        click.echo(path)
    for name in sorted(set(asked) - {path.stem for path in written}):
        click.echo(f"{name}: has nothing to say of this study", err=True)


@click.command()
@click.argument("study_instance_uid")
@click.option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), help="Where to write copies.")
@click.option("--send", "peer", help="The peer of node.toml to send them to, at once.")
@click.option("--json", "as_json", is_flag=True, help="A list of objects.")
@configured
def translate(config: Config, study_instance_uid: str, folder: Path | None, peer: str | None, as_json: bool) -> None:
    """Write people's marks in a study (GSPS, CAD, older SR ...) anew, as reports that viewers take up."""
    from dicom_node.node import Node
    from dicom_node.translate import send, write
    from dicom_node.translate import translate as run

    if folder is None and peer is None:
        raise click.UsageError("say where they go: --to DIR, --send PEER, or both")
    destination = None if peer is None else config.peer(peer)
    if destination is not None and destination.mode == "shadow":
        raise RequestError("the destination is in shadow: nothing is ever sent there", peer=destination.name)
    node = Node.open(config)
    done = run(node, study_instance_uid)
    if folder is not None:
        with _writing(folder):
            write(node, done, folder)
    answers = {}
    if destination is not None:
        for each, answer in send(node, done, destination, actor()):
            answers[each.sop_instance_uid] = answer
            click.echo(f"{destination.name}: {each.sop_instance_uid}: {answer}", err=True)
    print_rows(
        [
            {
                "source": each.source_sop_instance_uid,
                "kind": each.kind,
                "marks": each.marks,
                "translation": each.sop_instance_uid,
                "answer": answers.get(each.sop_instance_uid, "") or each.why_not,
            }
            for each in done
        ],
        as_json,
    )


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Raises RequestError where the system does not let us write what a person asked for."""
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        raise RequestError(f"this cannot be written: {error.strerror}", path=str(where)) from error


def add_to(main: click.Group) -> None:
    for command in (check, preview, translate):
        main.add_command(command)
