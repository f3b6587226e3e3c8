"""From rows to a registered model: what is trained, judged, kept, and what the gate says. The child end to end."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from small_node import receive, silent, small_study

from db import registry
from db.engine import Sessions
from db.errors import TrainingError
from db.local_files import LocalFiles
from detector import candidate
from detector.dataset import truths
from detector.model_files import load_model


def order(tmp_path: Path, steps: int, seed: int = 1) -> candidate.Order:
    return candidate.Order(1e9, seed, "cpu", "resnet18", str(tmp_path / "run"), max_steps=steps)


def harvested(sessions: Sessions, files: LocalFiles, count: int) -> None:
    for index in range(count):
        study = small_study(index)
        with sessions.begin() as session:
            receive(session, files, [*study.images, *study.reports], harvest=True)


def test_an_empty_database_gives_no_model(sessions: Sessions, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no marked lesion"):
        candidate.make_candidate(sessions, LocalFiles(tmp_path), order(tmp_path, 1), silent)
    with sessions() as session:
        assert registry.models(session) == []


@pytest.mark.slow
def test_a_training_ends_in_a_registered_candidate_with_its_card_and_lineage(
    sessions: Sessions, tmp_path: Path
) -> None:
    files = LocalFiles(tmp_path)
    harvested(sessions, files, 10)
    outcome = candidate.make_candidate(sessions, files, order(tmp_path, 2), silent)
    with sessions() as session:
        model = registry.get(session, outcome["model_id"])
        rows = truths(session)
        lineage = registry.lineage(session, model.model_id)
        card, digest = model.card, model.weights_sha256
    assert (model.state, outcome["promoted"]) == (registry.CANDIDATE, False)  # the first one a person promotes
    assert {one["lesion_id"]: one["split"] for one in lineage["measurements"]} == {r.lesion_id: r.split for r in rows}
    assert card["lesions"] == {split: sum(r.split == split for r in rows) for split in ("train", "val", "test")}
    assert card["body_weights"] == "none: trained from chance" and card["classes"] == ["lesion"]
    assert json.loads(files.path(f"models/{digest}.json").read_text()) == card
    assert load_model(card, digest, files).class_names == ("lesion",)


@pytest.mark.slow
def test_the_same_order_again_gives_the_same_model_and_another_is_judged_against_it(
    sessions: Sessions, tmp_path: Path
) -> None:
    files = LocalFiles(tmp_path)
    harvested(sessions, files, 10)
    first = candidate.make_candidate(sessions, files, order(tmp_path, 2), silent)
    again = candidate.make_candidate(sessions, files, order(tmp_path, 2), silent)
    assert again["model_id"] == first["model_id"]
    with sessions.begin() as session:
        registry.promote(session, first["model_id"], "a person", registry.get(session, first["model_id"]).trained_at)
    second = candidate.make_candidate(sessions, files, order(tmp_path, 2, seed=2), silent)
    assert second["model_id"] != first["model_id"] and "a person must decide" in second["gate"]


@pytest.mark.slow
def test_the_child_fails_with_one_line_and_status_1(database_url: str, tmp_path: Path) -> None:
    wanted = {
        "database_url": database_url, "data_dir": str(tmp_path), "budget_s": 1.0, "seed": 1, "device": "cpu",
        "body": "resnet18", "run_dir": str(tmp_path / "run"),
    }  # fmt: skip
    child = subprocess.Popen(
        [sys.executable, "-m", "detector.train"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdin is not None and child.stdout is not None and child.stderr is not None
    child.stdin.write(json.dumps(wanted) + "\n")
    child.stdin.flush()
    try:
        errors = child.stderr.read()
        assert child.wait(60) == 1 and "there is no marked lesion to learn from" in errors.splitlines()[-1]
        assert '"outcome"' not in child.stdout.read()
    finally:
        child.kill()
        for stream in (child.stdin, child.stdout, child.stderr):
            stream.close()
