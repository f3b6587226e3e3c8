"""The steps of the ways: what they leave behind."""

from pathlib import Path

import pytest
from whole_way import Site

from db.engine import reading, utc_now
from db.outcomes import Task
from dicom_node import foreground, workflows


@pytest.fixture
def trained(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A node whose trainings end at once, and leave in their folder what a training leaves."""

    def train(module: str, order: dict[str, str], on_event: object) -> dict[str, str]:
        folder = Path(order["run_dir"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "checkpoint.pt").touch()
        return {"model_id": "a" * 12, "gate": "a person decides"}

    monkeypatch.setattr(workflows, "run_child", train)
    return site


def ask(site: Site) -> int:
    with site.node.sessions.begin() as session:
        task = Task(kind="train", asked_by="tests", asked_at=utc_now())
        session.add(task)
        session.flush()
        return task.task_pk


def folders(site: Site) -> list[Path]:
    return list((site.config.data_dir / "runs").glob("*"))


def test_a_training_leaves_its_folder_only_until_its_outcome_is_safe(trained: Site) -> None:
    assert workflows.run_task(trained.node, ask(trained)) == "done"
    assert folders(trained) == []
    with reading(trained.node.sessions) as session:
        assert session.get_one(Task, 1).state == "done"


def test_a_folder_that_a_crash_left_behind_goes_when_the_step_runs_again(
    trained: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_pk = ask(trained)
    with monkeypatch.context() as broken:
        broken.setattr(workflows, "forget_run", lambda *_: None)  # it died before
        workflows.run_task(trained.node, task_pk)
    assert [folder.name for folder in folders(trained)] == [f"train-{task_pk}"]
    assert workflows.run_task(trained.node, task_pk) == "is done"
    assert folders(trained) == []


def test_a_training_in_the_foreground_leaves_no_folder_for_the_next_to_go_on_with(trained: Site) -> None:
    assert foreground.run_now(trained.node, "train", "tests", lambda *_, **__: None) == (
        f"model {'a' * 12}: a person decides"
    )
    assert folders(trained) == []
