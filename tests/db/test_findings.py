"""What a person says of single findings, as rows."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from db import analyses, deliveries, findings
from db.engine import Sessions
from db.errors import RequestError
from db.models import Study
from db.outcomes import Analysis, Assessment, Audit, Delivery, DetectionRow, Result

NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)
STUDY = "1.2"


def detection(detection_id: str, score: float, reported: bool = True, **more: object) -> DetectionRow:
    axes = dict(zip(("long_x1", "long_y1", "long_x2", "long_y2"), (3, 4, 9, 12), strict=True))
    axes |= dict(zip(("short_x1", "short_y1", "short_x2", "short_y2"), (4, 9, 8, 6), strict=True))
    return DetectionRow(
        detection_id=detection_id, analysis_id="a", sop_instance_uid="1.2.9", box_x1=-2, box_y1=-1, box_x2=14,
        box_y2=17, z_first=2, z_last=3, long_axis_mm=12.0, short_axis_mm=5.0, score=score, tracking_uid=f"2.{score}",
        reported=reported, created_at=NOW, **axes, **more,
    )  # fmt: skip


def analysis(analysis_id: str, revision: int, state: str) -> Analysis:
    return Analysis(
        analysis_id=analysis_id, study_instance_uid=STUDY, study_revision=revision, state=state,
        started_at=NOW, finished_at=NOW,
    )  # fmt: skip


def add(session: Session) -> None:
    """A study with two findings and something unsure, and an analysis of an earlier revision."""
    session.add(Study(study_instance_uid=STUDY, revision=2, received_first_at=NOW, received_last_at=NOW))
    session.flush()
    session.add_all([analysis("old", 1, "found"), analysis("a", 2, "found")])
    session.flush()
    session.add_all([detection("low", 0.1, reported=False), detection("b", 0.6), detection("a", 0.9)])
    session.flush()


def add_result(session: Session, uid: str, profile: str = "ohif", edition: int = 0) -> None:
    session.add(
        Result(
            result_sop_instance_uid=uid, analysis_id="a", kind="SR", profile=profile, file_name=uid, edition=edition,
            sop_class_uid="1", series_instance_uid="1", instance_number=1, header_sha256="", created_at=NOW,
        )
    )  # fmt: skip
    session.flush()


@pytest.fixture
def session(any_sessions: Sessions) -> Iterator[Session]:
    with any_sessions.begin() as session:
        add(session)
        yield session


def test_a_finding_that_is_taken_out_leaves_the_results_and_a_verdict(session: Session) -> None:
    row, found = findings.get(session, "b")
    assert findings.change(session, found, "Dr A", NOW, out=[row])
    session.expire_all()
    assert (row.discarded_by, row.discarded_at, found.edition, found.issued_edition) == ("Dr A", NOW, 1, 0)
    (said,) = session.scalars(select(Assessment))
    assert (said.detection_id, said.analysis_id, said.verdict, said.reader) == ("b", "a", "rejected", "Dr A")
    assert (said.assessed_at, said.source_sop_instance_uid, said.tracking_uid) == (NOW, "", "2.0.6")
    assert [one.detection_id for one in findings.of_analysis(session, "a")] == ["a", "b"]


def test_what_is_put_back_keeps_its_history_and_begins_the_tries_anew(session: Session) -> None:
    row, found = findings.get(session, "b")
    findings.change(session, found, "Dr A", NOW, out=[row])
    found.issue_attempts, found.next_issue_at = 3, NOW
    findings.change(session, found, "Dr B", NOW + timedelta(hours=1), back=[row])
    assert not row.discarded_by and row.discarded_at is None and found.edition == 2
    assert (found.issue_attempts, found.next_issue_at) == (0, None)
    assert [(one.verdict, one.reader) for one in findings.answers(session, ["a", "b"])["b"]] == [
        ("rejected", "Dr A"),
        ("accepted", "Dr B"),
    ]


def test_several_changes_at_once_are_one_edition_and_none_is_none(session: Session) -> None:
    found = findings.lock(session, "a")
    assert findings.change(session, found, "Dr A", NOW, out=findings.of_analysis(session, "a"))
    assert found.edition == 1
    assert not findings.change(session, found, "Dr A", NOW)
    findings.accept(session, findings.of_analysis(session, "a")[0], "Dr A", NOW)
    assert found.edition == 1


def test_only_what_stands_in_the_results_that_hold_can_be_judged(session: Session) -> None:
    with pytest.raises(RequestError, match="there is no such finding"):
        findings.get(session, "none")
    with pytest.raises(RequestError, match="below the operating point"):
        findings.get(session, "low")
    with pytest.raises(RequestError, match="there is no such analysis"):
        findings.lock(session, "none")
    with pytest.raises(RequestError, match="a newer analysis of the study has replaced this one"):
        findings.lock(session, "old")


def test_the_newest_analysis_is_the_one_whose_findings_count(session: Session) -> None:
    newest = findings.standing(session, STUDY)
    assert newest is not None and newest.analysis_id == "a"
    session.add(analysis("broken", 3, analyses.FAILED))
    session.flush()
    newest = findings.standing(session, STUDY)
    assert newest is not None and newest.analysis_id == "broken"
    assert findings.standing(session, "9.9") is None


def test_the_change_is_a_share_of_the_earlier_length() -> None:
    assert findings.change_from_prior(detection("a", 0.9)) is None
    grown = detection("a", 0.9, prior_long_axis_mm=8.0, prior_study_date=date(2025, 1, 2))
    assert findings.change_from_prior(grown) == pytest.approx(0.5)


# --- what is held -----------------------------------------------------------------------------------------------


def test_what_is_held_is_told_by_destination_and_not_if_it_was_replaced(session: Session) -> None:
    for uid in ("1.1", "1.2", "1.3"):
        add_result(session, uid)
    deliveries.put(session, "1.1", "pacs", "hold", NOW)
    deliveries.put(session, "1.2", "ris", "hold", NOW)
    deliveries.put(session, "1.2", "sent", "send", NOW)
    deliveries.put(session, "1.3", "pacs", "hold", NOW)
    session.get_one(Result, "1.3").superseded_by = "1.1"
    session.flush()
    assert [name for _, name in findings.held(session, "a")] == ["pacs", "ris"]
    assert [name for _, name in findings.held(session, "a", "ris")] == ["ris"]
    assert findings.held(session, "old") == []


def test_a_result_that_a_person_has_changed_since_is_neither_standing_nor_current(session: Session) -> None:
    add_result(session, "1.1")
    deliveries.put(session, "1.1", "pacs", "hold", NOW)
    (pk,) = deliveries.of_result(session, "1.1", "pacs")
    assert not findings.is_outdated(session, pk)
    assert deliveries.standing(session, "pacs", "held") == [pk]
    findings.change(session, findings.lock(session, "a"), "Dr A", NOW, out=findings.of_analysis(session, "a")[:1])
    assert findings.is_outdated(session, pk)
    assert deliveries.standing(session, "pacs", "held") == []


def test_a_release_is_on_record_and_holds_for_the_editions_that_persons_make_later(session: Session) -> None:
    found = findings.lock(session, "a")
    assert not findings.released(session, "a", "pacs")
    findings.release(session, found, ["ris", "pacs", "pacs"], "Dr A", NOW)
    (row,) = session.scalars(select(Audit))
    assert (row.actor, row.target, row.facts) == ("Dr A", "a", {"edition": 0, "destinations": ["pacs", "ris"]})
    findings.change(session, found, "Dr A", NOW, out=findings.of_analysis(session, "a"))
    assert findings.released(session, "a", "pacs") and findings.released(session, "a", "ris", "seg")
    assert not findings.released(session, "a", "other") and not findings.released(session, "old", "pacs")


def test_what_was_let_go_or_stands_there_is_released_for_its_profile(session: Session) -> None:
    for uid, profile in (("1.1", "ohif"), ("1.2", "seg")):
        add_result(session, uid, profile)
        for destination in ("pacs", "ris"):
            deliveries.put(session, uid, destination, "hold", NOW)
    (let_go,) = deliveries.of_result(session, "1.1", "pacs")
    deliveries.release(session, let_go, "Dr A", NOW)
    assert findings.released(session, "a", "pacs", "ohif") and findings.released(session, "a", "pacs")
    assert not findings.released(session, "a", "pacs", "seg") and not findings.released(session, "a", "ris")
    (arrived,) = deliveries.of_result(session, "1.2", "ris")
    session.get_one(Delivery, arrived).delivered_at = NOW
    session.flush()
    assert findings.released(session, "a", "ris", "seg") and not findings.released(session, "a", "ris", "ohif")


def test_what_a_person_discarded_is_not_released(session: Session) -> None:
    add_result(session, "1.1")
    deliveries.put(session, "1.1", "pacs", "hold", NOW)
    (pk,) = deliveries.of_result(session, "1.1", "pacs")
    deliveries.discard(session, pk, "discarded by a person")
    assert not findings.released(session, "a", "pacs")
