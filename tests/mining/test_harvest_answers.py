"""Answers through the whole harvest, in either database: what OHIF saves, and what becomes of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from builders import (
    COLUMNS,
    ROWS,
    STUDY,
    ct_series,
)  # fmt: skip
from builders_answers import ohif_box, ohif_saved
from harvest_node import NOW, Folder, Node
from reported import OURS, A, B, C, answers, at, axes, box, edited, report_findings, verdicts, with_ours
from sqlalchemy import func, select, text

from db.engine import Sessions
from db.models import Instance, LesionRow, SourceObject, Study
from db.outcomes import Assessment, DetectionRow
from mining.harvest import harvest_study

NOBODY = "unknown^unknown"


@pytest.fixture
def node(any_sessions: Sessions, tmp_path: Path) -> Iterator[Node]:
    with any_sessions() as session:
        yield Node(session, Folder(tmp_path))


SHIFT = pytest.approx((3.25**2 + 2.125**2) ** 0.5, abs=1e-3)


# --- OHIF ---------------------------------------------------------------------------------------------------------


def test_a_report_that_ohif_saved_into_our_series_says_what_was_kept_moved_and_deleted(node: Node) -> None:
    with_ours(node, ohif_saved(*edited(), uid="1.5.1", into=OURS))
    assert answers(node) == [
        ("one a", "rejected", NOBODY, None), ("one b", "accepted", NOBODY, None), ("one c", "modified", NOBODY, SHIFT),
    ]  # fmt: skip


def test_a_report_that_ohif_saved_into_a_new_series_rejects_nothing(node: Node) -> None:
    with_ours(node, ohif_saved(*edited(), uid="1.5.1"))
    assert verdicts(node) == {"one b": "accepted", "one c": "modified"}


@pytest.mark.parametrize("into", [OURS, None], ids=["into our series", "into a new one"])
def test_copies_give_no_row_of_truth_and_what_was_moved_gives_one(node: Node, into: tuple[str, str] | None) -> None:
    with_ours(node, ohif_saved(*edited(), uid="1.5.1", into=into))
    (row,) = node.truth()
    assert (row.long_x1, row.long_y1) == pytest.approx((C.long[0][0] + 3.25, C.long[0][1] + 2.125))
    modified = node.session.scalars(select(Assessment).where(Assessment.verdict == "modified")).one()
    assert modified.lesion_id == row.lesion_id
    assert modified.assessed_at == datetime(2026, 11, 24, 15, 30, tzinfo=UTC)


def test_an_own_drawing_in_ohif_is_added_and_is_truth(node: Node) -> None:
    own = at("own", 44.0, 6.0, image=3)
    with_ours(node, ohif_saved(axes(A, "2.25.1"), axes(own, "2.25.2"), uid="1.5.1"))
    (row,) = node.truth()
    assert verdicts(node) == {"one a": "accepted", row.lesion_id: "added"}


def test_a_fresh_drawing_where_we_found_something_is_no_answer(node: Node) -> None:
    with_ours(node, ohif_saved(axes(A, "2.25.1", dx=2.0), uid="1.5.1"))
    assert answers(node) == []
    assert len(node.truth()) == 1


def test_a_rectangle_that_was_moved_around_our_axes_is_truth_and_modified(node: Node) -> None:
    """The axes of a lesion go before the box around it; where they are ours, the box is what the reader drew."""
    with_ours(node, ohif_saved(axes(A, "2.25.1"), box(A, "2.25.2", dx=3.0, dy=-1.0), uid="1.5.1"))
    (row,) = node.truth()
    assert (row.box_x1, row.box_y2) == pytest.approx((A.box[0] + 3.0 - 5.0, A.box[3] - 1.0 + 5.0))
    assert answers(node) == [("one a", "modified", NOBODY, pytest.approx(10.0**0.5, abs=1e-3))]


def test_an_answer_to_a_box_that_the_report_clipped_at_the_border_is_a_copy(node: Node) -> None:
    corner = at("a", 1.0, 30.0)
    x1, y1, x2, y2 = corner.box
    clipped = ohif_box(corner.image, (max(x1, 0.0), y1, x2, min(y2, ROWS - 1.0)), "2.25.1")
    node.receive(*ct_series(), ohif_saved(clipped, uid="1.5.1"))
    report_findings(node, corner)
    node.harvest()
    assert x1 < 0 and y2 > ROWS - 1
    assert verdicts(node) == {"one a": "accepted"}
    assert node.truth() == []


def test_the_same_answer_saved_twice_is_two_answers_of_the_same_words(node: Node) -> None:
    """OHIF names our report again, not its own answer, if the reader starts from ours again."""
    second = ohif_saved(axes(A, "2.25.7"), axes(B, "2.25.8"), uid="1.5.2", into=OURS, at="20261124170000")
    with_ours(node, ohif_saved(*edited(), uid="1.5.1", into=OURS), second)
    newest = dict(tuple(row) for row in node.session.execute(text("SELECT detection_id, assessment FROM detections")))
    assert newest == {"one a": "accepted", "one b": "accepted", "one c": "rejected"}
    assert len(answers(node)) == 6


# --- documents that come, change and go ---------------------------------------------------------------------------


def test_an_answer_without_a_time_was_given_when_it_came(node: Node) -> None:
    ds = ohif_saved(axes(A, "2.25.1"), uid="1.5.1")
    del ds.ContentDate
    with_ours(node, ds)
    assert node.session.scalars(select(Assessment.assessed_at)).one() == NOW


def test_harvesting_again_gives_the_same_rows(node: Node) -> None:
    with_ours(node, ohif_saved(*edited(), uid="1.5.1", into=OURS))
    before = answers(node)
    node.harvest()
    assert answers(node) == before and len(before) == 3


def test_an_answer_that_came_before_we_were_asked_again_is_not_lost(node: Node) -> None:
    with_ours(node, ohif_saved(*edited(), uid="1.5.1", into=OURS))
    report_findings(node, A, analysis="two", report="1.8.2", made_at=NOW)
    node.harvest()
    assert verdicts(node) == {"one a": "rejected", "one b": "accepted", "one c": "modified"}


def test_a_document_that_goes_takes_its_words_with_it(node: Node) -> None:
    with_ours(node, ohif_saved(*edited(), uid="1.5.1", into=OURS))
    node.session.scalars(select(Instance).where(Instance.sop_instance_uid == "1.5.1")).one().state = "superseded"
    node.session.flush()
    node.harvest()
    assert answers(node) == []


@pytest.mark.parametrize("apart", [True, False], ids=["harvested one by one", "harvested together"])
def test_a_later_answer_that_names_the_earlier_one_takes_its_place(node: Node, apart: bool) -> None:
    first = ohif_saved(axes(A, "2.25.1"), uid="1.5.1", into=OURS)
    later = ohif_saved(axes(A, "2.25.2", dx=1.0), axes(B, "2.25.3"), uid="1.5.2", into=("1.8", "1.5.1"))
    with_ours(node, first, *([] if apart else [later]))
    if apart:
        assert verdicts(node) == {"one a": "accepted", "one b": "rejected", "one c": "rejected"}
        node.receive(later)
        node.harvest()
    assert verdicts(node) == {"one a": "modified", "one b": "accepted", "one c": "rejected"}
    assert len(answers(node)) == 3


def test_the_answer_of_another_reader_stands_beside_it(node: Node) -> None:
    first = ohif_saved(axes(A, "2.25.1"), uid="1.5.1", into=OURS, reader="Reader^One")
    later = ohif_saved(axes(B, "2.25.2"), uid="1.5.2", into=("1.8", "1.5.1"), reader="Reader^Two", at="20261125090000")
    with_ours(node, first, later)
    assert [(who, verdict) for finding, verdict, who, _ in answers(node) if finding == "one a"] == [
        ("Reader^One", "accepted"), ("Reader^Two", "rejected"),
    ]  # fmt: skip


def test_what_people_said_on_our_page_stays(node: Node) -> None:
    node.receive(*ct_series(), ohif_saved(axes(A, "2.25.1"), uid="1.5.1"))
    report_findings(node, A, B, C)
    node.session.add(Assessment(detection_id="one b", verdict="rejected", reader="someone", assessed_at=NOW))
    node.session.flush()
    node.harvest()
    node.harvest()
    rows = node.session.execute(select(Assessment.detection_id, Assessment.reader).order_by(Assessment.detection_id))
    assert [tuple(row) for row in rows] == [("one a", NOBODY), ("one b", "someone")]


def test_our_own_result_that_comes_back_is_no_answer(node: Node) -> None:
    back = ohif_saved(axes(A, A.uid), uid="1.8.1", into=("1.8", "1.8.0"))
    with_ours(node, back)
    assert answers(node) == []
    assert node.session.get_one(SourceObject, "1.8.1").own is True


def test_a_copy_of_our_result_under_another_uid_is_accepted(node: Node) -> None:
    with_ours(node, ohif_saved(box(A, A.uid), axes(A, A.uid), uid="1.5.1"))
    assert verdicts(node) == {"one a": "accepted"}


def test_what_was_below_the_operating_point_was_not_reported_and_is_not_answered(node: Node) -> None:
    node.receive(*ct_series(), ohif_saved(axes(A, "2.25.1"), uid="1.5.1"))
    report_findings(node, A, reported=False)
    node.harvest()
    assert answers(node) == []


def test_an_answer_in_another_study_of_the_same_images_counts(node: Node) -> None:
    elsewhere = ohif_saved(axes(A, "2.25.1"), uid="1.5.1", study_uid="1.4.9")
    node.receive(*ct_series(), elsewhere)
    report_findings(node, A, B)
    node.harvest("1.4.9")
    assert verdicts(node) == {"one a": "accepted"}


# --- broken and foreign ones --------------------------------------------------------------------------------------


def test_an_edited_report_with_a_broken_part_is_kept_with_a_reason_and_rejects_nothing(node: Node) -> None:
    broken = axes(B, "2.25.2", dx=1.0)
    drawn = broken.ContentSequence[3].ContentSequence[0]
    drawn.GraphicData = drawn.GraphicData[:3]
    with_ours(node, ohif_saved(axes(A, "2.25.1"), broken, uid="1.5.1", into=OURS))
    assert verdicts(node)["one a"] == "accepted" and "rejected" not in verdicts(node).values()
    assert "bad_coordinates" in {code for _, code in node.rejections()}


def test_an_edited_report_that_lost_its_content_sequence_is_kept_with_a_reason(node: Node) -> None:
    ds = ohif_saved(axes(A, "2.25.1"), uid="1.5.1", into=OURS)
    del ds.ContentSequence
    ds.add_new("ContentSequence", "OB", b"\x01\x02\x03\x04")
    with_ours(node, ds)
    assert answers(node) == []
    assert "bad_content_sequence" in {code for _, code in node.rejections()}


def test_a_report_without_any_drawing_in_the_place_of_ours_rejects_all(node: Node) -> None:
    with_ours(node, ohif_saved(uid="1.5.1", into=OURS))
    assert set(verdicts(node).values()) == {"rejected"} and len(answers(node)) == 3


# --- what tells of it ---------------------------------------------------------------------------------------------


def test_the_views_tell_of_answers_and_of_the_rate_of_overriding(node: Node) -> None:
    with_ours(node, ohif_saved(*edited(), uid="1.5.1", into=OURS))
    ((reported, answered, accepted, modified, rejected, rate),) = node.session.execute(
        text("SELECT reported, answered, accepted, modified, rejected, override_rate FROM override_rates")
    )
    assert (reported, answered, accepted, modified, rejected) == (3, 3, 1, 1, 1) and rate == pytest.approx(2 / 3)
    rows = node.session.execute(text("SELECT analysis_id, source_sop_instance_uid FROM assessments"))
    assert {tuple(row) for row in rows} == {("one", "1.5.1")}


def test_a_study_that_was_never_analysed_has_no_answers(node: Node) -> None:
    node.receive(*ct_series(), ohif_saved(axes(A, "2.25.1"), uid="1.5.1"))
    node.harvest()
    assert node.session.scalar(select(func.count()).select_from(Assessment)) == 0
    assert node.session.scalar(select(func.count()).select_from(DetectionRow)) == 0
    assert node.session.scalar(select(func.count()).select_from(LesionRow)) == 1


def test_an_earlier_edition_is_answered_by_who_names_it(node: Node) -> None:
    node.receive(*ct_series(), ohif_saved(axes(A, "2.25.1"), uid="1.5.1", into=OURS))
    report_findings(node, A, B)
    report_findings(node, A, B, C, analysis="two", report="1.8.2", made_at=NOW)
    node.harvest()
    assert verdicts(node) == {"one a": "accepted", "one b": "rejected"}
    node.receive(ohif_saved(axes(C, "2.25.5"), uid="1.5.2", at="20261126100000"))
    node.harvest()
    assert verdicts(node) == {"one a": "accepted", "one b": "rejected", "two c": "accepted"}


def test_a_result_without_findings_is_answered_by_what_was_added(node: Node) -> None:
    node.receive(*ct_series(), ohif_saved(axes(A, "2.25.1"), uid="1.5.1", into=OURS))
    report_findings(node, made_at=NOW - timedelta(hours=1))
    node.harvest()
    assert list(verdicts(node).values()) == ["added"] and COLUMNS > ROWS


# --- one fact with the harvest ------------------------------------------------------------------------------------


def test_a_harvest_that_dies_over_an_answer_leaves_nothing_and_is_done_again(
    any_sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Folder(tmp_path)
    with any_sessions.begin() as session:
        node = Node(session, files)
        node.receive(*ct_series(), ohif_saved(*edited(), uid="1.5.1", into=OURS))
        report_findings(node, A, B, C)

    def die(*_: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as broken:
        broken.setattr("mining.harvest.assess_documents", die)
        with pytest.raises(ConnectionResetError):
            harvest_study(any_sessions, STUDY, files)
    with any_sessions() as session:
        assert Node(session, files).rows() == [] and session.get_one(Study, STUDY).harvested_revision == 0
    for _ in range(2):
        harvest_study(any_sessions, STUDY, files)
        with any_sessions() as session:
            assert verdicts(Node(session, files)) == {"one a": "rejected", "one b": "accepted", "one c": "modified"}
            assert len(answers(Node(session, files))) == 3
