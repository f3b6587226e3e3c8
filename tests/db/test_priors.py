"""Which lesions of a patient's earlier studies are looked for in a new one."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from db import analyses, registry
from db.detection import Detection, Prior
from db.engine import Sessions
from db.geometry import Axis, BoxPx, PointMm, PointPx
from db.measurement import ImageReference
from db.models import Image, Patient, Series, Study
from db.priors import MOST_STUDIES, prior_studies

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = date(2025, 6, 30)
CORONAL = [1.0, 0.0, 0.0, 0.0, 0.0, -1.0]
"""Rows run to the feet; the normal points to the back, along y."""


@pytest.fixture
def session(any_sessions: Sessions) -> Iterator[Session]:
    made = any_sessions()
    made.add(Patient(patient_pk=1, patient_id="P", split="train"))
    registry.keep_training_set(made, "set", [], None, NOW)
    for letter in "ab":
        registry.register(
            made, weights_sha256=letter * 64, weights_name="w", training_set_id="set", label_generation=None,
            card={}, froc={}, gate={}, git_commit="", now=NOW,
        )  # fmt: skip
    made.flush()
    yield made
    made.close()


def add_study(session: Session, name: str, days_before: int | None) -> str:
    on = None if days_before is None else DAY - timedelta(days=days_before)
    session.add(
        Study(study_instance_uid=name, study_date=on, patient_pk=1, received_first_at=NOW, received_last_at=NOW)
    )
    session.flush()
    session.add(Series(series_instance_uid=f"{name}.5", study_instance_uid=name, frame_of_reference_uid=f"{name}.7"))
    session.flush()
    session.add(
        Image(
            sop_instance_uid=f"{name}.5.1", series_instance_uid=f"{name}.5", rows=90, columns=70, row_spacing_mm=0.5,
            col_spacing_mm=1.5, planes=[[-50.0, 20.0, 300.0, *CORONAL]],
        )
    )  # fmt: skip
    session.flush()
    return name


def detection(study: str, name: str, prior: Prior | None = None) -> Detection:
    axes = Axis(PointPx(10, 20), PointPx(30, 40)), Axis(PointPx(15, 35), PointPx(25, 25))
    return Detection(
        f"{study}-{name}", ImageReference(f"{study}.5.1", 1), BoxPx(8, 18, 32, 42), 0, 2, *axes, 31.6, 15.8, 0.9, "",
        f"2.25.{study}.{name}", None, prior,
    )  # fmt: skip


def analyse(
    session: Session, study: str, *names: str, revision: int = 1, model: str = "a", reported: bool = True
) -> None:
    found = [(detection(study, name), reported, "") for name in names]
    analyses.save(
        session, study_instance_uid=study, study_revision=revision, series_instance_uid=f"{study}.5",
        model_id=model * 12, detections=found, started_at=NOW, now=NOW + timedelta(hours=revision),
        positions_mm=[12.0, 20.0, 40.0],
    )  # fmt: skip


def lesions(session: Session, study: str = "1.9") -> list[list[str]]:
    return [[lesion.detection_id for lesion in one.lesions] for one in prior_studies(session, study)]


def test_the_studies_before_come_newest_first_and_are_not_endless(session: Session) -> None:
    add_study(session, "1.9", 0)
    for n in range(MOST_STUDIES + 2):
        analyse(session, add_study(session, f"1.{n}", 10 * (n + 1)), "x")
    analyse(session, add_study(session, "1.20", -3), "x")
    assert lesions(session) == [[f"1.{n}-x"] for n in range(MOST_STUDIES)]


def test_of_a_study_the_newest_analysis_counts_also_if_it_found_nothing(session: Session) -> None:
    add_study(session, "1.9", 0)
    add_study(session, "1.1", 5)
    analyse(session, "1.1", "old")
    analyse(session, "1.1", "new", revision=2, model="b")
    assert lesions(session) == [["1.1-new"]]
    analyse(session, "1.1", "weak", revision=3, reported=False)
    assert lesions(session) == []


def test_a_failed_analysis_hides_none_that_succeeded(session: Session) -> None:
    add_study(session, "1.9", 0)
    analyse(session, add_study(session, "1.1", 5), "x")
    analyses.save_without_detections(session, "failed", "1.1", 2, state="failed", reason="", now=NOW, model_id="a" * 12)
    assert lesions(session) == [["1.1-x"]]


def test_a_study_without_a_date_has_none_before_it_and_is_before_none(session: Session) -> None:
    add_study(session, "1.9", 0)
    analyse(session, add_study(session, "1.1", None), "x")
    assert lesions(session) == lesions(session, "1.1") == []
    assert lesions(session, "1.77") == []


def test_a_lesions_place_is_that_between_its_first_and_its_last_slice(session: Session) -> None:
    add_study(session, "1.9", 0)
    analyse(session, add_study(session, "1.1", 5), "x")
    (study,) = prior_studies(session, "1.9")
    (lesion,) = study.lesions
    # 20 columns of 1.5 mm to the left, 30 rows of 0.5 mm down; 12 to 40 along the normal
    assert lesion.centre == PointMm(-50 + 20 * 1.5, 26.0, 300 - 30 * 0.5)
    assert (study.frame_of_reference_uid, study.study_date, study.overview) == ("1.1.7", DAY - timedelta(days=5), {})


def test_a_lesion_on_an_image_that_is_gone_is_not_looked_for(session: Session) -> None:
    add_study(session, "1.9", 0)
    analyse(session, add_study(session, "1.1", 5), "x")
    session.delete(session.get_one(Image, "1.1.5.1"))
    session.flush()
    assert lesions(session) == []


@pytest.mark.parametrize(("before_mm", "change"), [(20.0, 0.58), (31.6, 0.0), (63.2, -0.5), (0.0, None), (None, None)])
def test_the_change_since_the_prior_is_a_share_of_what_it_was(before_mm: float | None, change: float | None) -> None:
    prior = None if before_mm is None else Prior("before", DAY, before_mm)
    found = detection("1.1", "x", prior).change_from_prior
    assert found is None if change is None else found == pytest.approx(change)
