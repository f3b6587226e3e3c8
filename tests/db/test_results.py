"""The ledger of results."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.detection import axes_tracking_uid
from db.engine import Sessions
from db.errors import RequestError
from db.models import Study
from db.outcomes import Analysis, DetectionRow, Model, Result, TrainingSet
from db.results import (
    current_results,
    next_instance_number,
    predecessor,
    record,
    supersede,
)

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


def add_study(session: Session, study: str, model_id: str = "model-a") -> str:
    """A study with one analysis; gives the analysis' id."""
    session.add(Study(study_instance_uid=study, received_first_at=NOW, received_last_at=NOW))
    if session.get(Model, model_id) is None:
        if session.get(TrainingSet, "set") is None:
            session.add(TrainingSet(training_set_id="set", created_at=NOW))
            session.flush()
        session.add(
            Model(
                model_id=model_id,
                trained_at=NOW,
                training_set_id="set",
                weights_sha256=model_id * 8,
                weights_name="w",
                card={},
            )
        )
    session.flush()
    return add_analysis(session, study, 1, model_id)


def add_analysis(session: Session, study: str, revision: int, model_id: str = "model-a") -> str:
    analysis_id = f"{study}/{revision}/{model_id}"
    session.add(
        Analysis(
            analysis_id=analysis_id,
            study_instance_uid=study,
            study_revision=revision,
            model_id=model_id,
            state="found",
            started_at=NOW,
            finished_at=NOW,
        )
    )
    session.flush()
    return analysis_id


def enter(session: Session, uid: str, analysis_id: str, profile: str = "ohif", number: int = 1, **more: str) -> Result:
    return record(
        session,
        result_sop_instance_uid=uid,
        analysis_id=analysis_id,
        kind="SR" if profile == "ohif" else "SEG",
        profile=profile,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.88.34",
        series_instance_uid=more.get("series", f"2.25.1{len(profile)}"),
        instance_number=number,
        file_name=f"results/{uid}.dcm",
        header_sha256=more.get("header", "a" * 64),
        now=NOW + timedelta(minutes=number),
    )


def test_the_same_result_is_entered_once(sessions: Sessions) -> None:
    with sessions.begin() as session:
        analysis = add_study(session, "1.2.1")
        first = enter(session, "2.25.1", analysis)
    with sessions.begin() as session:
        again = enter(session, "2.25.1", analysis)
        assert again.created_at == first.created_at
        assert session.scalar(select(func.count()).select_from(Result)) == 1


def test_another_result_under_a_known_uid_is_refused(sessions: Sessions) -> None:
    with sessions.begin() as session:
        analysis = add_study(session, "1.2.1")
        enter(session, "2.25.1", analysis)
        with pytest.raises(RequestError, match="as another"):
            enter(session, "2.25.1", analysis, header="b" * 64)


def test_a_superseded_result_is_ours_but_not_current(sessions: Sessions) -> None:
    with sessions.begin() as session:
        analysis = add_study(session, "1.2.1")
        other = add_study(session, "1.2.2")
        enter(session, "2.25.1", analysis)
        enter(session, "2.25.2", analysis, number=2)
        enter(session, "2.25.3", analysis, "seg")
        enter(session, "2.25.4", other)
        supersede(session, "2.25.1", "2.25.2")
        supersede(session, "2.25.1", "2.25.2")
        assert {row.result_sop_instance_uid for row in current_results(session, "1.2.1")} == {"2.25.2", "2.25.3"}


@pytest.mark.parametrize(("old", "new"), [("2.25.1", "2.25.1"), ("2.25.9", "2.25.1"), ("2.25.1", "2.25.9")])
def test_only_a_known_result_supersedes_another(sessions: Sessions, old: str, new: str) -> None:
    with sessions.begin() as session:
        enter(session, "2.25.1", add_study(session, "1.2.1"))
        with pytest.raises(RequestError, match="that is known"):
            supersede(session, old, new)


def test_a_result_is_superseded_by_one_other_only(sessions: Sessions) -> None:
    with sessions.begin() as session:
        analysis = add_study(session, "1.2.1")
        for number in (1, 2, 3):
            enter(session, f"2.25.{number}", analysis, number=number)
        supersede(session, "2.25.1", "2.25.2")
        with pytest.raises(RequestError, match=r"already .*superseded_by=2\.25\.2"):
            supersede(session, "2.25.1", "2.25.3")


def test_instance_numbers_go_on_in_a_series(sessions: Sessions) -> None:
    with sessions.begin() as session:
        analysis = add_study(session, "1.2.1")
        assert next_instance_number(session, "2.25.77") == 1
        enter(session, "2.25.1", analysis, series="2.25.77", number=4)
        enter(session, "2.25.2", analysis, series="2.25.78", number=9)
        assert next_instance_number(session, "2.25.77") == 5


def test_the_predecessor_is_the_newest_of_its_profile_superseded_or_not(sessions: Sessions) -> None:
    with sessions.begin() as session:
        analysis = add_study(session, "1.2.1")
        other_model = (add_study(session, "1.2.2", "model-b"), add_analysis(session, "1.2.1", 1, "model-b"))[1]
        later = add_analysis(session, "1.2.1", 2)
        enter(session, "2.25.1", analysis)
        enter(session, "2.25.2", later, number=2)
        enter(session, "2.25.3", other_model, number=3)
        enter(session, "2.25.4", later, "seg", number=4)
        supersede(session, "2.25.3", "2.25.4")
        found = predecessor(session, "1.2.1", "ohif")
        assert found is not None
        assert found.result_sop_instance_uid == "2.25.3"
        assert predecessor(session, "1.2.2", "ohif") is None


def add_detection(session: Session, analysis_id: str, number: int, image: str, reported: bool = True) -> None:
    session.add(
        DetectionRow(
            detection_id=f"d{number}",
            analysis_id=analysis_id,
            sop_instance_uid=image,
            box_x1=-2.5,
            box_y1=3.0,
            box_x2=20.0,
            box_y2=90.0,
            z_first=1,
            z_last=2,
            long_x1=1.0,
            long_y1=2.0,
            long_x2=3.0,
            long_y2=4.0,
            short_x1=5.0,
            short_y1=6.0,
            short_x2=7.0,
            short_y2=8.0,
            long_axis_mm=5.0,
            short_axis_mm=4.0,
            score=0.9,
            tracking_uid=f"2.25.{number}",
            reported=reported,
            created_at=NOW + timedelta(seconds=number),
        )
    )
    session.flush()


def test_a_detection_keeps_the_uid_that_the_report_gives_to_its_axes(sessions: Sessions) -> None:
    with sessions.begin() as session:
        add_detection(session, add_study(session, "1.2.1"), 1, "1.2.1.5.1")
    with sessions.begin() as session:
        assert session.scalar(select(DetectionRow.tracking_uid_axes)) == axes_tracking_uid("2.25.1")
