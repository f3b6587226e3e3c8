"""The commands by which a person judges single findings: `dicom-node findings ...`. Shell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from db.engine import reading, utc_now
from db.errors import RequestError
from dicom_node.cli_admin import as_json_option
from dicom_node.config import Config
from dicom_node.console import actor, configured, print_rows
from dicom_node.viewer_link import Place, viewer_link

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from db.outcomes import Analysis, Assessment, DetectionRow


@click.group()
def findings() -> None:
    """What was found in a study, and what a person says of it."""


@findings.command("list")
@click.argument("study_instance_uid")
@as_json_option
@configured
def list_findings(config: Config, study_instance_uid: str, as_json: bool) -> None:
    """The findings of a study's newest analysis, the highest score first."""
    from db import findings as rows
    from dicom_node.study_place import study_place

    with reading(_sessions(config)) as session:
        analysis = _standing(session, study_instance_uid)
        found = rows.of_analysis(session, analysis.analysis_id)
        answers = rows.answers(session, [row.detection_id for row in found])
        place = replace(study_place(session, study_instance_uid), series=analysis.series_instance_uid or "")
        listed = [
            _line(row, answers.get(row.detection_id, []), _link(config, place, row.sop_instance_uid)) for row in found
        ]
    print_rows(listed, as_json)


def _line(row: DetectionRow, said: list[Assessment], link: str) -> dict[str, object]:
    from db.findings import change_from_prior

    return {
        "detection_id": row.detection_id,
        "score": row.score,
        "category": row.category,
        "long_axis_mm": row.long_axis_mm,
        "short_axis_mm": row.short_axis_mm,
        "change_from_prior": change_from_prior(row),
        "discarded_by": row.discarded_by,
        "assessment": said[-1].verdict if said else None,
        "assessed_by": said[-1].reader if said else None,
        "link": link,
    }


def _link(config: Config, place: Place, sop_instance_uid: str) -> str:
    """Into the first viewer that can be told of it; empty if there is none."""
    links = (viewer_link(peer.viewer_url, replace(place, instance=sop_instance_uid)) for peer in config.peers)
    return next(filter(None, links), "")


def _judging(button: str, says: str) -> click.Command:
    """A command that says one thing of one finding."""

    @click.command(button, help=says)
    @click.argument("detection_id")
    @configured
    def judge(config: Config, detection_id: str) -> None:
        from dicom_node.acts import judge_finding

        with _sessions(config).begin() as session:
            said = judge_finding(session, utc_now(), actor(), button, detection_id)
        click.echo(said)

    return judge


for _button, _says in (
    ("reject", "Take a finding out of the results; they are made anew without it."),
    ("restore", "Put a rejected finding back; the results are made anew with it."),
    ("accept", "Agree with a finding; it becomes truth for the next training."),
):
    findings.add_command(_judging(_button, _says))


@findings.command()
@click.argument("study_instance_uid")
@click.option("--to", "destination", help="Only to this peer.")
@configured
def release(config: Config, study_instance_uid: str, destination: str | None) -> None:
    """Send what is held of a study, with the findings that nobody rejected."""
    from dicom_node.acts import release_findings

    if destination is not None:
        config.peer(destination)
    with _sessions(config).begin() as session:
        analysis = _standing(session, study_instance_uid)
        said = release_findings(session, utc_now(), actor(), analysis.analysis_id, destination=destination)
    click.echo(said)


def _sessions(config: Config) -> Any:
    from dicom_node.node import Node

    return Node.open(config).sessions


def _standing(session: Session, study_instance_uid: str) -> Analysis:
    from db import findings as rows

    analysis = rows.standing(session, study_instance_uid)
    if analysis is None:
        raise RequestError("this study is not here, or was not looked at", study_instance_uid=study_instance_uid)
    return analysis


def add_to(main: click.Group) -> None:
    main.add_command(findings)
