"""The commands that administer: categories, models, jobs, deliveries, peers. Shell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from db.engine import reading, utc_now
from db.errors import RequestError
from dicom_node.config import Config
from dicom_node.console import actor, configured, print_rows, print_table

as_json_option = click.option("--json", "as_json", is_flag=True, help="A list of objects.")


def _node(config: Config) -> Any:
    from dicom_node.node import Node

    return Node.open(config)


def _view(name: str, order: str, title: str) -> Callable[..., None]:
    """A `list` command over one view."""

    @click.command("list", help=title)
    @as_json_option
    @configured
    def show(config: Config, as_json: bool) -> None:
        from dicom_node.sql import query

        columns, rows = query(config.url, f"SELECT * FROM {name} ORDER BY {order}")  # noqa: S608  (our own words)
        print_table(columns, rows, as_json)

    return show


@click.group()
def categories() -> None:
    """The groups of lesions that were found without labels."""


categories.add_command(_view("categories", "label_generation DESC, members DESC", "All categories."))  # type: ignore[arg-type]


@categories.command()
@click.argument("category_id", type=int)
@click.argument("name")
@configured
def rename(config: Config, category_id: int, name: str) -> None:
    """Give a category a name; it is kept over later generations."""
    from db.categories import rename as run

    with _node(config).sessions.begin() as session:
        run(session, category_id, name, actor(), utc_now())


@click.group()
def models() -> None:
    """The trained models."""


models.add_command(_view("models", "trained_at DESC", "All models with their FROC on the frozen set."))  # type: ignore[arg-type]


@models.command()
@click.argument("model_id")
@configured
def show(config: Config, model_id: str) -> None:
    """A model's card and where it comes from, as JSON."""
    import json

    from db import registry

    with reading(_node(config).sessions) as session:
        model = registry.get(session, model_id)
        lineage = registry.lineage(session, model_id)
    click.echo(json.dumps({"card": model.card, "gate": model.gate, "lineage": lineage}, default=str, indent=1))


@models.command()
@click.argument("model_id")
@configured
def promote(config: Config, model_id: str) -> None:
    """Let a model detect in all studies from now on."""
    from db import registry

    with _node(config).sessions.begin() as session:
        registry.promote(session, model_id, actor(), utc_now())
    click.echo(f"{model_id} is promoted")


@models.command()
@configured
def rollback(config: Config) -> None:
    """Go back to the model that was promoted before."""
    from db import registry

    with _node(config).sessions.begin() as session:
        model = registry.rollback(session, actor(), utc_now())
    click.echo(f"{model.model_id} is promoted again")


@click.group()
def jobs() -> None:
    """What is being done, waits or has failed."""


@jobs.command("list")
@as_json_option
@configured
def list_jobs(config: Config, as_json: bool) -> None:
    """Studies with work left, open and failed tasks, open deliveries."""
    from dicom_node.joblist import open_jobs

    with reading(_node(config).sessions) as session:
        print_rows([job.as_row() for job in open_jobs(session)], as_json)


@jobs.command("show")
@click.argument("job")
@configured
def show_job(config: Config, job: str) -> None:
    """One of them in full; JOB as `jobs list` names it."""
    from dicom_node.joblist import open_jobs

    with reading(_node(config).sessions) as session:
        found = [each for each in open_jobs(session) if each.job == job]
    if not found:
        raise RequestError("there is no open job of that name", job=job)
    for key, value in found[0].as_row().items():
        click.echo(f"{key}: {'' if value is None else value}")


@jobs.command()
@click.argument("job")
@configured
def retry(config: Config, job: str) -> None:
    """Try a failed job again now."""
    from dicom_node.joblist import retry_job

    with _node(config).sessions.begin() as session:
        said = retry_job(session, job, actor(), utc_now())
    click.echo(said)


@click.group()
def deliveries() -> None:
    """The outbox of results."""


deliveries.add_command(_view("deliveries", "destination, state, result_sop_instance_uid", "All deliveries."))  # type: ignore[arg-type]


@deliveries.command()
@click.argument("result_sop_instance_uid")
@click.option("--to", "destination", help="Only to this peer.")
@configured
def resend(config: Config, result_sop_instance_uid: str, destination: str | None) -> None:
    """Send a result again, or release a held one."""
    from dicom_node.acts import send_again

    with _node(config).sessions.begin() as session:
        count = send_again(session, utc_now(), actor(), result_sop_instance_uid, destination)
    click.echo(f"{count} deliveries wait to be sent")


@deliveries.command("release")
@click.argument("destination")
@configured
def release_held(config: Config, destination: str) -> None:
    """Release every result that is held for a destination."""
    from dicom_node.acts import move_all

    config.peer(destination)
    with _node(config).sessions.begin() as session:
        count = move_all(session, utc_now(), actor(), "release", destination)
    click.echo(f"{count} results are released to {destination}")


@deliveries.command()
@click.argument("result_sop_instance_uid")
@configured
def withdraw(config: Config, result_sop_instance_uid: str) -> None:
    """Take a result back: send it no more, and reject it where rejection notes are honoured."""
    from dicom_node.acts import withdraw as run

    honouring = {peer.name for peer in config.peers if peer.rejection_notes}
    with _node(config).sessions.begin() as session:
        said = run(session, utc_now(), actor(), result_sop_instance_uid, honouring)
    click.echo(said)


@deliveries.command()
@click.argument("study_instance_uid")
@as_json_option
@configured
def receipt(config: Config, study_instance_uid: str, as_json: bool) -> None:
    """What each destination holds of a study's newest results, and what it has promised to keep."""
    from dicom_node.receipt import receipt_of

    with reading(_node(config).sessions) as session:
        lines = receipt_of(session, config.peers, study_instance_uid)
    print_rows([line.as_row() for line in lines], as_json)


@click.group()
def peers() -> None:
    """The peers of node.toml."""


@peers.command("list")
@as_json_option
@configured
def list_peers(config: Config, as_json: bool) -> None:
    """All of them."""
    print_rows([peer.model_dump() for peer in config.peers], as_json)


@peers.command()
@click.argument("name")
@configured
def echo(config: Config, name: str) -> None:
    """Ask a peer whether it is there (C-ECHO, or DICOMweb where results go by it)."""
    from dicom_node.ways_out import reach

    click.echo(reach(config.peer(name), config.dicom.ae_title))


def add_to(main: click.Group) -> None:
    for group in (categories, models, jobs, deliveries, peers):
        main.add_command(group)
