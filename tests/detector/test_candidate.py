"""From rows to a registered model: what is trained, judged, kept, and what the gate says. The child end to end."""

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_node import NOW, receive, silent, small_study
from sqlalchemy import select

from db import registry
from db.engine import Sessions
from db.errors import TrainingError
from db.geometry import BoxPx
from db.local_files import LocalFiles
from db.measurement import ImageReference
from db.outcomes import Audit
from detector import candidate, loop
from detector.dataset import Truth, training_set_id, truths
from detector.model_files import load_model


def order(tmp_path: Path, steps: int, seed: int = 1) -> candidate.Order:
    return candidate.Order(1e9, seed, "cpu", "resnet18", str(tmp_path / "run"), max_steps=steps)


def harvested(sessions: Sessions, files: LocalFiles, indices: Iterable[int]) -> None:
    for index in indices:
        study = small_study(index)
        with sessions.begin() as session:
            receive(session, files, [*study.images, *study.reports], harvest=True)


def test_an_empty_database_gives_no_model(sessions: Sessions, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no marked lesion"):
        candidate.make_candidate(sessions, LocalFiles(tmp_path), order(tmp_path, 1), silent)
    with sessions() as session:
        assert registry.models(session) == []
    assert not (tmp_path / "run").exists(), "the next training must not begin with nothing again"


@pytest.mark.slow
def test_a_training_ends_in_a_registered_candidate_with_its_card_and_lineage(
    sessions: Sessions, tmp_path: Path
) -> None:
    files = LocalFiles(tmp_path)
    harvested(sessions, files, range(10))
    outcome = candidate.make_candidate(sessions, files, order(tmp_path, 2), silent)
    with sessions() as session:
        model = registry.get(session, outcome["model_id"])
        rows = [row for row in truths(session) if not row.doubtful]
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
    harvested(sessions, files, range(10))
    first = candidate.make_candidate(sessions, files, order(tmp_path, 2), silent)
    again = candidate.make_candidate(sessions, files, order(tmp_path, 2), silent)
    assert again["model_id"] == first["model_id"]
    with sessions.begin() as session:
        registry.promote(session, first["model_id"], "a person", registry.get(session, first["model_id"]).trained_at)
    second = candidate.make_candidate(sessions, files, order(tmp_path, 2, seed=2), silent)
    assert second["model_id"] != first["model_id"] and "a person must decide" in second["gate"]


class Killed(Exception):
    """The process ended here."""


@pytest.mark.slow
def test_a_run_that_died_while_it_was_judged_is_judged_then_and_with_the_lesions_it_began_with(
    sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = LocalFiles(tmp_path)
    harvested(sessions, files, range(10))
    with sessions() as session:
        began_with = truths(session)

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as broken:
        broken.setattr(candidate, "evaluate", die)
        with pytest.raises(Killed):
            candidate.make_candidate(sessions, files, order(tmp_path, 2), silent)
    harvested(sessions, files, range(10, 12))
    with sessions() as session:
        assert len(truths(session)) > len(began_with)
    monkeypatch.setattr(loop, "draw_batch", die)  # not one step is done again
    outcome = candidate.make_candidate(sessions, files, order(tmp_path, 2), silent)
    with sessions() as session:
        assert registry.get(session, outcome["model_id"]).training_set_id == training_set_id(began_with)


@pytest.mark.slow
def test_a_training_that_diverges_leaves_nothing_to_go_on_with(
    sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = LocalFiles(tmp_path)
    harvested(sessions, files, range(6))
    monkeypatch.setattr(torch, "isfinite", lambda _: torch.tensor(False))
    with pytest.raises(TrainingError, match="no longer a number"):
        candidate.make_candidate(sessions, files, order(tmp_path, 2), silent)
    assert not (tmp_path / "run").exists()


# --- the gate -----------------------------------------------------------------------------------------------------


def another_order(tmp_path: Path, seed: int) -> candidate.Order:
    """The gate needs one lesion, and lets through what is not worse than by all."""
    wide = {"gate_margin": 1.5, "gate_min_lesions": 1}
    return candidate.Order(1e9, seed, "cpu", "resnet18", str(tmp_path / f"run-{seed}"), max_steps=2, **wide)


@pytest.fixture
def with_an_incumbent(sessions: Sessions, tmp_path: Path) -> str:
    """A node that has learnt once, and a person promoted what came of it; the model's id."""
    files = LocalFiles(tmp_path)
    harvested(sessions, files, range(10))
    first = candidate.make_candidate(sessions, files, another_order(tmp_path, 1), silent)
    with sessions.begin() as session:
        return registry.promote(session, first["model_id"], "a person", NOW).model_id


@pytest.mark.slow
def test_the_gate_promotes_what_is_not_worse_and_its_word_stands_where_the_run_is_done_again(
    sessions: Sessions, tmp_path: Path, with_an_incumbent: str
) -> None:
    files = LocalFiles(tmp_path)
    outcome = candidate.make_candidate(sessions, files, another_order(tmp_path, 2), silent)
    assert outcome["promoted"] and f"not worse than {with_an_incumbent}" in outcome["gate"]
    with sessions() as session:
        in_use = registry.promoted(session)
        assert in_use is not None and in_use.model_id == outcome["model_id"]
        assert registry.get(session, with_an_incumbent).state == registry.RETIRED
        assert session.scalars(select(Audit.actor).order_by(Audit.audit_pk)).all() == ["a person", registry.GATE]
    with sessions.begin() as session:
        registry.rollback(session, "a person", NOW)
    again = candidate.make_candidate(sessions, files, another_order(tmp_path, 2), silent)
    assert (again["gate"], again["promoted"]) == (outcome["gate"], False), "a person rolled it back meanwhile"


@pytest.mark.slow
def test_the_gate_does_not_promote_over_a_model_that_came_to_use_during_the_comparison(
    sessions: Sessions, tmp_path: Path, with_an_incumbent: str
) -> None:
    seen: list[str] = []

    def promotes_meanwhile(step: str, done: int, total: int, **figures: object) -> None:
        if step == "prepare" and "evaluate" in seen:  # the scans for the incumbent, which is read by then
            with sessions.begin() as session:
                registry.register(
                    session, weights_sha256="f" * 64, weights_name="", training_set_id="set", label_generation=None,
                    card={}, froc={}, gate={}, git_commit="", now=NOW,
                )  # fmt: skip
                registry.promote(session, "f" * 12, "a person", NOW)
        seen.append(step)

    with sessions.begin() as session:
        registry.keep_training_set(session, "set", [], None, NOW)
    outcome = candidate.make_candidate(sessions, LocalFiles(tmp_path), another_order(tmp_path, 2), promotes_meanwhile)
    assert not outcome["promoted"]
    assert f"not worse than {with_an_incumbent}" in outcome["gate"]
    assert outcome["gate"].endswith(f"But {'f' * 12} came to use since the comparison: a person must decide.")
    with sessions() as session:
        in_use, made = registry.promoted(session), registry.get(session, outcome["model_id"])
        assert in_use is not None and in_use.model_id == "f" * 12
        assert (made.state, made.gate["promote"], made.gate["sentence"]) == ("candidate", False, outcome["gate"])


# --- what a model says of its making ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spacings", "pixel_mm"), [([], 0.8), ([0.7], 0.8), ([0.94], 0.9), ([0.9, 0.91, 0.97], 0.9), ([1.9], 1.5)]
)
def test_the_pixel_is_that_of_the_training_images_in_steps(spacings: list[float], pixel_mm: float) -> None:
    row = Truth("", "", "", "", ImageReference("1"), BoxPx(0, 0, 1, 1), 9.0, 0.0, None, "", "train")
    rows = [replace(row, spacing_mm=spacing) for spacing in spacings] + [replace(row, spacing_mm=1.2, split="test")]
    assert candidate.pixel_size_mm(rows) == pixel_mm


def test_the_commit_is_that_of_the_checkout_and_never_that_of_one_it_is_installed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*arguments: str) -> str:
        line = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(line, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    for place, commit in (("", git("rev-parse", "HEAD")), (".venv/lib/site-packages", "")):
        (tmp_path / place / "detector").mkdir(parents=True)
        monkeypatch.setattr(candidate, "__file__", str(tmp_path / place / "detector" / "candidate.py"))
        assert candidate.git_commit() == commit
    monkeypatch.setattr(candidate, "__file__", "/proc/self/candidate.py")
    assert candidate.git_commit() == ""


@pytest.mark.slow
def test_the_child_fails_with_one_event_and_status_1(database_url: str, tmp_path: Path) -> None:
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
        said, _ = child.stdout.read(), child.stderr.read()
        assert child.wait(60) == 1 and '"outcome"' not in said
        assert json.loads(said.splitlines()[-1]) == {"error": "there is no marked lesion to learn from (scans=0)"}
    finally:
        child.kill()
        for stream in (child.stdin, child.stdout, child.stderr):
            stream.close()
