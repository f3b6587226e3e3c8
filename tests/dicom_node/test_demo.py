"""The demo as its users run it, small: buttons, tasks, child processes, and a report of what came of it."""

import json
import runpy
import shutil
from pathlib import Path

import pytest
from command_line import run

from db.engine import sqlite_url
from dicom_node.demo import DemoSettings, run_demo

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SETTINGS = {"studies": 18, "unseen": 1, "budget_minutes": 0.2}
"""Enough measurements to categorise, and no time to learn: whether anything is found is not asked."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a demo left."""
    folder = tmp_path_factory.mktemp("demo") / "here"
    assert run_demo(DemoSettings(folder, **SETTINGS), lambda *_, **__: None) == folder / "report.html"
    return folder


def asked(demo: Path, statement: str) -> list[dict[str, object]]:
    """What `dicom-node sql` answers on the node that the demo left."""
    answer = run("sql", statement, "--json", "--config", str(demo / "node.toml"))
    assert answer.exit_code == 0, answer.output
    rows: list[dict[str, object]] = json.loads(answer.stdout)
    return rows


def test_what_was_sent_was_harvested_and_put_into_categories(demo: Path) -> None:
    (counted,) = asked(
        demo,
        "SELECT count(*) AS lesions, count(l.category_id) AS grouped FROM lesions l"
        " JOIN studies s ON s.study_instance_uid = l.study_instance_uid WHERE s.source_ae = 'DEMO_ARCHIVE'",
    )
    assert counted["lesions"] == counted["grouped"] != 0
    (studies,) = asked(demo, "SELECT count(*) AS settled FROM studies WHERE state = 'settled'")
    assert studies["settled"] == SETTINGS["studies"] + SETTINGS["unseen"]


def test_one_model_was_trained_on_it_and_promoted(demo: Path) -> None:
    (model,) = asked(demo, "SELECT model_id, state, training_set_id FROM models")
    assert model["state"] == "promoted"
    (weights,) = (demo / "data" / "models").glob("*.safetensors")
    assert weights.name.startswith(str(model["model_id"]))
    assert list((demo / "data" / "runs").iterdir()) == [], "a finished training leaves nothing to go on with"


def test_what_came_unseen_was_analysed_by_that_model_and_nothing_else_was(demo: Path) -> None:
    (model,), analyses = asked(demo, "SELECT model_id FROM models"), asked(demo, "SELECT * FROM analyses")
    assert [analysis["model_id"] for analysis in analyses] == [model["model_id"]]
    assert analyses[0]["outcome"] in ("findings", "none")
    found = asked(demo, "SELECT count(*) AS found FROM detections WHERE reported")[0]["found"]
    assert (found != 0) == (analyses[0]["outcome"] == "findings")
    deliveries = asked(demo, "SELECT kind, state FROM deliveries ORDER BY kind")
    both = [{"kind": "SEG", "state": "delivered"}, {"kind": "SR", "state": "delivered"}]
    assert deliveries == (both if found else [])


def test_the_report_tells_it(demo: Path) -> None:
    page = (demo / "report.html").read_text("utf-8")
    (model,) = asked(demo, "SELECT model_id FROM models")
    assert str(model["model_id"]) in page and "data:image" in page
    for said in ("seconds to train", "seconds to detect and deliver", "categories against the hidden kinds"):
        assert said in page


def test_the_answers_on_the_page_about_sql_are_those_of_a_demo(demo: Path, tmp_path: Path) -> None:
    page = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "sql_page.py"))
    assert page["DEMO"].items() <= SETTINGS.items(), "another demo than the page tells of"
    folder = tmp_path / "demo"
    shutil.copytree(demo, folder)
    page["add_archive"](folder)
    said = page["asked"](page["PAGE"].read_text())
    for number, (statement, answer) in enumerate(said, start=1):
        found = page["answered"](sqlite_url(folder / "data"), statement)
        if number not in page["VARYING"]:
            assert found == answer, f"query {number}; write it again with `make sql`"
