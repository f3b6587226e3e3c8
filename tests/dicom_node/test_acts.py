"""What a person does with findings: rows, sentences, and what is refused."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from found_study import ANALYSIS, FOUND_REPORT, FOUND_STUDY, LIKELY, SURE, UNSURE, found_results, found_study
from sqlalchemy import select
from sqlalchemy.orm import Session

from db import deliveries, findings
from db.engine import Sessions
from db.errors import RequestError
from db.outcomes import Analysis, Assessment, Audit, Delivery, DetectionRow, Result
from dicom_node import acts

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
READER = "Dr A"


@pytest.fixture
def session(sessions: Sessions) -> Iterator[Session]:
    """The found study, held for two destinations."""
    with sessions.begin() as session:
        found_study(session, NOW - timedelta(days=1))
        found_results(session, NOW - timedelta(hours=20), ("pacs", "hold"), ("ris", "hold"))
        yield session


def states(session: Session) -> dict[str, set[str]]:
    session.expire_all()
    found: dict[str, set[str]] = {}
    for destination, state in session.execute(select(Delivery.destination, Delivery.state)):
        found.setdefault(destination, set()).add(state)
    return found


def audit(session: Session) -> list[tuple[str, str]]:
    return [(row.action, row.target) for row in session.scalars(select(Audit).order_by(Audit.audit_pk))]


def rejected(session: Session) -> set[str]:
    return set(session.scalars(select(DetectionRow.detection_id).where(DetectionRow.discarded_by != "")))


def release(session: Session, kept: set[str] | None = None, destination: str | None = None) -> str:
    """As a person does who looked at the findings just now."""
    edition = session.get_one(Analysis, ANALYSIS).edition
    seen = None if kept is None else acts.Kept(kept, edition)
    return acts.release_findings(session, NOW, READER, ANALYSIS, seen, destination)


def test_ticks_of_a_page_that_somebody_changed_since_are_refused(session: Session) -> None:
    every = {row.detection_id for row in findings.of_analysis(session, ANALYSIS)}
    before = acts.Kept(every, session.get_one(Analysis, ANALYSIS).edition)
    taken_out = min(every)
    acts.judge_finding(session, NOW, "Dr B", "reject", taken_out)
    with pytest.raises(RequestError, match="look at them again"):
        acts.release_findings(session, NOW, READER, ANALYSIS, before)
    assert rejected(session) == {taken_out}


def test_a_finding_is_rejected_and_restored_each_on_record(session: Session) -> None:
    said = acts.judge_finding(session, NOW, READER, "reject", LIKELY)
    assert said == "The finding is rejected; the results are made anew without it."
    assert rejected(session) == {LIKELY}
    acts.judge_finding(session, NOW, READER, "restore", LIKELY)
    assert rejected(session) == set()
    assert session.get_one(Analysis, ANALYSIS).edition == 2
    assert [said.verdict for said in findings.answers(session, [LIKELY])[LIKELY]] == ["rejected", "accepted"]
    assert audit(session) == [("reject finding", LIKELY), ("restore finding", LIKELY)]
    assert states(session) == {"pacs": {"held"}, "ris": {"held"}}, "the results are made anew by the worker"


def test_an_accepted_finding_is_on_record_and_leaves_the_results_as_they_are(session: Session) -> None:
    acts.judge_finding(session, NOW, READER, "accept", SURE)
    assert session.get_one(Analysis, ANALYSIS).edition == 0
    assert session.scalars(select(Assessment.verdict)).all() == ["accepted"]
    assert acts.judge_finding(session, NOW, "another reader", "accept", SURE) == "The finding is accepted."


@pytest.mark.parametrize(
    ("before", "button", "finding", "because"),
    [
        ((), "reject", "none", "there is no such finding"),
        ((), "reject", UNSURE, "this is below the operating point"),
        ((), "restore", SURE, "this finding was not rejected here"),
        (("reject",), "reject", SURE, "this finding is rejected already"),
        (("reject",), "accept", SURE, "this finding is rejected; restore it"),
        (("accept",), "accept", SURE, "this finding is accepted already"),
    ],
)
def test_what_makes_no_sense_is_refused(
    session: Session, before: tuple[str, ...], button: str, finding: str, because: str
) -> None:
    for done in before:
        acts.judge_finding(session, NOW, READER, done, finding)
    with pytest.raises(RequestError, match=because):
        acts.judge_finding(session, NOW, READER, button, finding)
    assert len(audit(session)) == len(before)


def test_a_finding_of_a_replaced_analysis_is_not_judged(session: Session) -> None:
    session.add(
        Analysis(
            analysis_id="newer", study_instance_uid=FOUND_STUDY, study_revision=2, state="none found",
            started_at=NOW, finished_at=NOW,
        )
    )  # fmt: skip
    session.flush()
    for act in (lambda: acts.judge_finding(session, NOW, READER, "reject", SURE), lambda: release(session),
                lambda: acts.reject_all(session, NOW, READER, ANALYSIS)):  # fmt: skip
        with pytest.raises(RequestError, match="a newer analysis of the study has replaced this one"):
            act()


def test_what_is_held_goes_as_it_is_when_all_of_it_is_kept(session: Session) -> None:
    assert release(session, {SURE, LIKELY}) == "The results are released; their delivery to pacs, ris begins at once."
    assert states(session) == {"pacs": {"waiting"}, "ris": {"waiting"}}
    assert set(session.scalars(select(Delivery.next_try_at))) == {NOW}
    assert session.get_one(Analysis, ANALYSIS).edition == 0
    assert ("release findings", ANALYSIS) in audit(session)
    assert session.scalars(select(Assessment)).all() == [], "letting it go is not agreeing with each finding"


def test_what_is_not_kept_is_rejected_and_the_rest_goes_when_it_is_made_anew(session: Session) -> None:
    assert release(session, {LIKELY}) == "The results are made anew with what is left and go to pacs, ris."
    assert rejected(session) == {SURE}
    assert session.get_one(Analysis, ANALYSIS).edition == 1
    assert states(session) == {"pacs": {"held"}, "ris": {"held"}}, "with the rejected finding it must not go"
    assert findings.released(session, ANALYSIS, "pacs") and findings.released(session, ANALYSIS, "ris")
    assert audit(session) == [("reject finding", SURE), ("release findings", ANALYSIS)]


def test_a_rejected_finding_that_is_kept_after_all_is_restored(session: Session) -> None:
    acts.judge_finding(session, NOW, READER, "reject", SURE)
    release(session, {SURE})
    assert rejected(session) == {LIKELY}
    assert session.get_one(Analysis, ANALYSIS).edition == 2


def test_with_all_findings_taken_out_the_result_that_says_so_can_go(session: Session) -> None:
    for finding in (SURE, LIKELY):
        acts.judge_finding(session, NOW, READER, "reject", finding)
    for result in session.scalars(select(Result)):  # the worker has made them anew
        result.edition = 2
    session.flush()
    assert release(session, set()) == "The results are released; their delivery to pacs, ris begins at once."
    assert rejected(session) == {SURE, LIKELY} and session.get_one(Analysis, ANALYSIS).edition == 2


def test_a_release_can_be_for_one_destination(session: Session) -> None:
    release(session, None, "ris")
    assert states(session) == {"pacs": {"held"}, "ris": {"waiting"}}
    assert not findings.released(session, ANALYSIS, "pacs")


def test_a_release_before_the_results_are_made_anew_lets_no_older_result_go(session: Session) -> None:
    acts.judge_finding(session, NOW, READER, "reject", SURE)
    assert release(session) == "The results are made anew with what is left and go to pacs, ris."
    assert states(session) == {"pacs": {"held"}, "ris": {"held"}}
    (pk, *_) = deliveries.of_result(session, FOUND_REPORT, "pacs")
    with pytest.raises(RequestError, match="its findings were changed by a person; it is made anew first"):
        acts.move_delivery(session, NOW, READER, "release", pk)
    assert acts.move_all(session, NOW, READER, "release", "pacs") == 0
    session.get_one(Result, FOUND_REPORT).edition = 1
    session.flush()
    assert acts.move_all(session, NOW, READER, "release", "pacs") == 1


@pytest.mark.parametrize(
    ("kept", "destination", "because"),
    [
        (set(), None, "nothing is ticked"),
        ({SURE, UNSURE}, None, f"this is no finding of the analysis.*{UNSURE}"),
        (None, "archive", "nothing of this analysis is held"),
    ],
)
def test_a_release_of_nothing_or_of_something_else_is_refused(
    session: Session, kept: set[str] | None, destination: str | None, because: str
) -> None:
    with pytest.raises(RequestError) as refused:
        release(session, kept, destination)
    assert refused.match(because.split(".*")[0])
    assert UNSURE not in because or UNSURE in str(refused.value)
    assert audit(session) == [] and rejected(session) == set()


def test_all_findings_are_rejected_at_once_and_what_is_held_is_not_sent(session: Session) -> None:
    acts.judge_finding(session, NOW, READER, "reject", SURE)
    said = acts.reject_all(session, NOW, READER, ANALYSIS)
    assert said == "All findings are rejected; what was held is not sent, and what was delivered is replaced."
    assert rejected(session) == {SURE, LIKELY}
    assert session.get_one(Analysis, ANALYSIS).edition == 2
    assert states(session) == {"pacs": {"discarded"}, "ris": {"discarded"}}
    with pytest.raises(RequestError, match="there is no finding left to reject"):
        acts.reject_all(session, NOW, READER, ANALYSIS)
    with pytest.raises(RequestError, match="nothing of this analysis is held"):
        release(session)
