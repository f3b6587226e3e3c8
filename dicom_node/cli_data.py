"""The commands that move data and learn from it: import, harvest, categorise, train, detect, demo. Shell."""

from __future__ import annotations

from pathlib import Path

import click

from dicom_node.config import Config
from dicom_node.console import actor, configured, print_rows, progress_bars


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@configured
def import_(config: Config, paths: tuple[Path, ...]) -> None:
    """Take in DICOM files, AIM annotations, CSV bookmarks and folders of them; the same again changes nothing."""
    from dicom_node.importing import import_paths
    from dicom_node.receive import open_store

    refused: list[str] = []

    def tell(path: Path, why: str) -> None:
        refused.append(f"{path}: {why}")

    with progress_bars() as show:
        counts = import_paths(open_store(config), paths, show, tell, config.harvest.settings().bookmarks)
    for line in refused:
        click.echo(line, err=True)
    click.echo(f"{counts.stored} new, {counts.known} known already, {counts.refused} not taken")


@click.command()
@click.option("--again", is_flag=True, help="Everything that is stored, after an upgrade of a reader.")
@configured
def harvest(config: Config, again: bool) -> None:
    """Harvest what is stored and settled and not yet harvested."""
    from dicom_node.foreground import harvest_now
    from dicom_node.node import Node

    with progress_bars() as show:
        studies, measurements, rejections = harvest_now(Node.open(config), again, actor(), show)
    click.echo(f"{studies} studies: {measurements} measurements, {rejections} rejections")


@click.command()
@configured
def categorise(config: Config) -> None:
    """Group the lesions into categories now."""
    _run(config, "categorise")


@click.command()
@configured
def train(config: Config) -> None:
    """Train a detector now; it becomes a candidate, and is promoted if it is not worse."""
    _run(config, "train")


def _run(config: Config, kind: str) -> None:
    from dicom_node.foreground import run_now
    from dicom_node.node import Node

    with progress_bars() as show:
        outcome = run_now(Node.open(config), kind, actor(), show)
    click.echo(outcome)


@click.command()
@click.argument("model_id", required=False)
@click.option("--json", "as_json", is_flag=True)
@configured
def evaluate(config: Config, model_id: str | None, as_json: bool) -> None:
    """Judge a model (the promoted one by default) on the frozen set."""
    from dicom_node.foreground import evaluate_now
    from dicom_node.node import Node

    with progress_bars() as show:
        print_rows(evaluate_now(Node.open(config), model_id, show), as_json)


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--to", "folder", required=True, type=click.Path(path_type=Path), help="Where to write SR and SEG.")
@configured
def detect(config: Config, path: Path, folder: Path) -> None:
    """Detect lesions in one CT series in a folder; nothing is stored or sent."""
    from dicom_node.foreground import detect_now
    from dicom_node.node import Node

    with progress_bars() as show:
        written = detect_now(Node.open(config), path, folder, show)
    for name in written:
        click.echo(name)


@click.command()
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=Path("demo"), show_default=True)
@click.option("--no-train", is_flag=True, help="Only receive, harvest and categorise.")
@click.option("--studies", type=click.IntRange(min=12), default=210, show_default=True, help="How many to learn from.")
@click.option("--seed", type=int, default=1, show_default=True)
def demo(folder: Path, no_train: bool, studies: int, seed: int) -> None:
    """Run the whole product on synthetic CT studies and leave the node and report.html in a folder."""
    from dicom_node.demo import DemoSettings, run_demo

    with progress_bars() as show:
        report = run_demo(DemoSettings(folder, train=not no_train, studies=studies, seed=seed), show)
    click.echo(report)
    click.echo(f"the node it ran is kept: dicom-node sql --config {folder}/node.toml ...")


def add_to(main: click.Group) -> None:
    for command in (import_, harvest, categorise, train, evaluate, detect, demo):
        main.add_command(command)
