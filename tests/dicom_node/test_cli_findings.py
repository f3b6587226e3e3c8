"""`dicom-node findings`: the same acts as on the page, by command."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from command_line import Cli, refused
from found_study import ANALYSIS, FOUND_STUDY, LIKELY, SLICES, SURE, UNSURE, found_results, found_study
from sqlalchemy import select
from whole_way import Site

from db import findings
from db.engine import reading
from db.outcomes import Analysis, Audit, Delivery

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def looked_at(site: Site) -> None:
    with site.node.sessions.begin() as session:
        found_study(session, NOW)
        found_results(session, NOW, ("pacs", "hold"))


def test_the_findings_of_a_study_are_listed_with_what_was_said_and_a_link(site: Site, cli: Cli) -> None:
    text = site.config_path.read_text()
    link = 'viewer_url = "https://v.example/{study}?image={instance}&acc={accession}"'
    Path(site.config_path).write_text(text.replace("[[peers]]", f"[[peers]]\n{link}", 1))
    cli("findings", "reject", LIKELY)
    sure, likely = json.loads(cli("findings", "list", FOUND_STUDY, "--json").stdout)
    assert (sure["detection_id"], sure["score"], sure["assessment"], sure["discarded_by"]) == (SURE, 0.91, None, "")
    assert (sure["long_axis_mm"], sure["short_axis_mm"], sure["change_from_prior"]) == (29.25, 22.5, 0.5)
    assert sure["link"] == f"https://v.example/{FOUND_STUDY}?image={SLICES[1]}&acc=ACC-18"
    assert (likely["detection_id"], likely["change_from_prior"], likely["assessment"]) == (LIKELY, None, "rejected")
    assert likely["discarded_by"] == likely["assessed_by"] != ""
    assert UNSURE not in cli("findings", "list", FOUND_STUDY).stdout


def test_a_finding_is_judged_by_command(site: Site, cli: Cli) -> None:
    said = [cli("findings", button, SURE).stdout for button in ("accept", "reject", "restore")]
    assert said == [
        "The finding is accepted.\n",
        "The finding is rejected; the results are made anew without it.\n",
        "The finding is restored; the results are made anew with it.\n",
    ]
    with reading(site.node.sessions) as session:
        rows = session.scalars(select(Audit).order_by(Audit.audit_pk)).all()
    assert [row.action for row in rows] == ["accept finding", "reject finding", "restore finding"]
    assert all(row.actor.endswith("(command line)") for row in rows)
    assert refused(cli("findings", "restore", SURE)).startswith("this finding was not rejected here")
    assert refused(cli("findings", "reject", "none")) == "there is no such finding (detection=none)"


def test_what_is_held_of_a_study_is_released_by_command(site: Site, cli: Cli) -> None:
    told = "there is no such peer in node.toml (peer=ris, known=['pacs'])"
    assert refused(cli("findings", "release", FOUND_STUDY, "--to", "ris")) == told
    said = cli("findings", "release", FOUND_STUDY, "--to", "pacs").stdout
    assert said == "The results are released; their delivery to pacs begins at once.\n"
    with reading(site.node.sessions) as session:
        assert set(session.scalars(select(Delivery.state))) == {"waiting"}
        assert findings.released(session, ANALYSIS, "pacs")
    assert refused(cli("findings", "release", FOUND_STUDY)).startswith("nothing of this analysis is held")


def test_a_study_that_was_not_looked_at_has_no_findings(cli: Cli) -> None:
    for command in ("list", "release"):
        told = "this study is not here, or was not looked at (study_instance_uid=9.9)"
        assert refused(cli("findings", command, "9.9")) == told


def test_results_to_be_made_anew_are_a_job_that_can_be_retried(site: Site, cli: Cli) -> None:
    def jobs() -> dict[str, str]:
        listed = json.loads(cli("jobs", "list", "--json").stdout)
        return {one["job"]: one["state"] for one in listed if one["job"].startswith("results:")}

    job = f"results:{ANALYSIS}"
    assert jobs() == {}
    cli("findings", "reject", SURE)
    assert jobs() == {job: "open"}
    assert refused(cli("jobs", "retry", job)).startswith("no try to make these results anew has failed")
    with site.node.sessions.begin() as session:
        session.get_one(Analysis, ANALYSIS).issue_attempts = 5
    assert jobs() == {job: "failed"}
    assert cli("jobs", "retry", job).stdout == "The results are made anew as soon as the worker is free.\n"
    with reading(site.node.sessions) as session:
        assert session.get_one(Analysis, ANALYSIS).next_issue_at is not None
