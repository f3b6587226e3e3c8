"""What a document says of what we reported: each rule of docs/answers.md by itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from db.geometry import Axis, BoxPx, PointPx
from db.measurement import ImageReference, Measurement, Rejected, Source
from mining.answers import (
    Assessed,
    Document,
    Finding,
    Reported,
    answered,
    assess,
    is_whole,
    moved_regions,
    replaced_answers,
)
from mining.copies import Harvested, OwnDetection, OwnRegion
from mining.likeness import overlap, shift_px

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SLICE, NEXT = ImageReference("1.1"), ImageReference("1.2", 3)
Line = tuple[tuple[float, float], tuple[float, float]]


def axis(line: Line) -> Axis:
    return Axis(PointPx(*line[0]), PointPx(*line[1]))


def finding(name: str, col: float, row: float, image: ImageReference = SLICE) -> Finding:
    """A lesion of 12 by 16 pixels whose axes lie aslant; its box has the margin of the training set."""
    long, short = ((col, row), (col + 12.0, row + 16.0)), ((col + 12.0, row + 6.0), (col, row + 9.515625))
    shape = OwnDetection(image, BoxPx(col - 5, row - 5, col + 17, row + 21), axis(long), axis(short))
    return Finding(name, f"1.9.{name}", f"1.9.{name}.2", shape)


A, B, FAR = finding("a", 20.0, 10.0), finding("b", 60.0, 90.0), finding("c", 20.0, 10.0, NEXT)
OURS = Reported("one", NOON, (A, B, FAR), {"1.8.1": NOON}, frozenset({"1.8"}))


def axes_of(of: Finding, uid: str = "1.77", dx: float = 0.0, dy: float = 0.0, **changed: object) -> Harvested:
    """The two axes of a finding; the last end of the long one moved that far."""
    long, end = of.shape.long_axis, of.shape.long_axis.b
    moved = Axis(long.a, PointPx(end.col + dx, end.row + dy))
    drawn = Harvested(f"axes {uid}", "1.5", of.shape.image, moved, of.shape.short_axis, None, uid, "Reader^One")
    return replace(drawn, **changed)  # type: ignore[arg-type]


def box_of(of: Finding, uid: str = "1.78", dx: float = 0.0, dy: float = 0.0, **changed: object) -> Harvested:
    """The rectangle of a finding, moved as a whole."""
    box = of.shape.box
    outline = BoxPx(box.x1 + dx, box.y1 + dy, box.x2 + dx, box.y2 + dy)
    level = Axis(PointPx(outline.x1, outline.centre.row), PointPx(outline.x2, outline.centre.row))
    drawn = Harvested(f"box {uid}", "1.5", of.shape.image, level, None, outline, uid, "Reader^One")
    return replace(drawn, **changed)  # type: ignore[arg-type]


def saved(*drawings: Harvested, **facts: object) -> Document:
    values = {"sop_instance_uid": "1.5", "series_instance_uid": "1.5.0", "kind": "SR", "at": NOON}
    return Document(**values | {"drawings": drawings} | facts)  # type: ignore[arg-type]


def verdicts(document: Document, *reported: Reported) -> dict[str, str]:
    """What is said of each finding, and of each lesion that is not ours."""
    said = assess(document, reported or (OURS,))
    return {one.detection_id or one.lesion_id or "": one.verdict for one in said}


LINKED = {"predecessors": frozenset({"1.8.1"})}


# --- what is an answer ------------------------------------------------------------------------------------------


def test_a_report_with_nothing_of_ours_in_it_is_no_answer() -> None:
    own_work = axes_of(A, dx=2.0), axes_of(B, dy=-3.0)
    assert verdicts(saved(*own_work)) == {}, "though it was drawn where we found something"


def test_naming_ours_as_predecessor_makes_an_answer() -> None:
    assert verdicts(saved(axes_of(A, dx=2.0), **LINKED))["a"] == "modified"


def test_a_predecessor_at_two_removes_makes_an_answer() -> None:
    assert answered(saved(predecessors=frozenset({"1.4", "1.8.1"})), [OURS]) is OURS


def test_lying_in_our_series_makes_an_answer() -> None:
    assert verdicts(saved(axes_of(A, dx=2.0), series_instance_uid="1.8"))["a"] == "modified"


@pytest.mark.parametrize("uid", [A.tracking_uid, A.tracking_uid_axes])
def test_carrying_a_tracking_uid_of_ours_makes_an_answer(uid: str) -> None:
    assert verdicts(saved(axes_of(A, uid, dx=2.0))) == {"a": "modified"}


@pytest.mark.parametrize("named", ["1.8.1", "1.9.a", "1.9.a.2", "a"])
def test_a_verdict_in_words_about_a_result_or_a_finding_makes_an_answer(named: str) -> None:
    assert verdicts(saved(stated={named: ("rejected", "Reader^Two")}))["a"] == "rejected"


def test_one_exact_copy_makes_an_answer() -> None:
    assert verdicts(saved(axes_of(A), axes_of(B, dx=2.0))) == {"a": "accepted", "b": "modified"}


@pytest.mark.parametrize(("off", "is_copy"), [(0.049, True), (0.051, False)])
def test_a_copy_is_one_within_a_twentieth_of_a_pixel(off: float, is_copy: bool) -> None:
    assert verdicts(saved(axes_of(A, dx=off))) == ({"a": "accepted"} if is_copy else {})


def test_the_same_points_on_another_image_are_no_copy() -> None:
    assert verdicts(saved(axes_of(A, image=ImageReference("1.3")))) == {}


# --- what it says -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "drawings",
    [
        (axes_of(A), box_of(A)),
        (axes_of(A),),
        (box_of(A),),
        (replace(axes_of(A), short_axis=None),),
        (axes_of(A, long_axis=axis(((32.0, 26.0), (20.0, 10.0)))),),
    ],
    ids=["both", "axes alone", "rectangle alone", "long axis alone", "the other way round"],
)
def test_a_copy_that_was_kept_is_accepted(drawings: tuple[Harvested, ...]) -> None:
    assert assess(saved(*drawings), [OURS]) == [Assessed("accepted", "one", "a", None, A.tracking_uid, "Reader^One")]


def test_a_box_that_our_report_clipped_at_the_border_is_a_copy() -> None:
    beyond = replace(A.shape, box=BoxPx(-3.0, -2.0, 60.0, 40.0), clipped=BoxPx(0.0, 0.0, 47.0, 40.0))
    ours = replace(OURS, findings=(replace(A, shape=beyond),))
    clipped = replace(box_of(A), outline=beyond.clipped)
    assert verdicts(saved(clipped), ours) == {"a": "accepted"}


def test_what_was_moved_is_modified_by_as_much() -> None:
    (said,) = assess(saved(axes_of(A, dx=3.0, dy=-4.0), axes_of(B), **LINKED, is_whole=False), [OURS])[:1]
    assert (said.verdict, said.detection_id, said.lesion_id) == ("modified", "a", "axes 1.77")
    assert said.shift_px == pytest.approx(5.0)


def test_a_rectangle_that_was_moved_beside_axes_that_were_kept_is_modified() -> None:
    (said,) = assess(saved(axes_of(A), box_of(A, dx=4.0, dy=3.0)), [OURS])
    assert (said.verdict, said.detection_id, said.lesion_id) == ("modified", "a", "box 1.78")
    assert said.shift_px == pytest.approx(5.0)


def test_of_a_lesion_whose_rectangle_and_axes_were_moved_the_axes_count() -> None:
    (said,) = assess(saved(box_of(A, dx=4.0), axes_of(A, dx=2.0), **LINKED, is_whole=False), [OURS])
    assert (said.verdict, said.lesion_id, said.shift_px) == ("modified", "axes 1.77", pytest.approx(2.0))


def test_an_own_drawing_that_matches_none_is_added() -> None:
    own = axes_of(finding("x", 100.0, 40.0), "1.55")
    said = assess(saved(axes_of(A), own), [OURS])
    assert [one.verdict for one in said] == ["accepted", "added"]
    assert said[1] == Assessed("added", "one", None, "axes 1.55", "1.55", "Reader^One")


def test_rectangle_and_axes_of_an_own_lesion_are_one_added_one() -> None:
    new = finding("x", 100.0, 40.0)
    around = replace(new.shape, box=BoxPx(100.0, 40.0, 112.0, 56.0))
    rectangle = box_of(replace(new, shape=around), "1.56")
    said = assess(saved(axes_of(A), rectangle, axes_of(new, "1.55")), [OURS])
    assert [one.lesion_id for one in said] == [None, "axes 1.55"]


def test_what_another_algorithm_drew_is_not_added() -> None:
    other = axes_of(finding("x", 100.0, 40.0), by_algorithm="OtherNet 2")
    assert verdicts(saved(axes_of(A), other)) == {"a": "accepted"}


def test_a_copy_of_what_we_found_before_is_not_added() -> None:
    old = Reported("old", NOON - timedelta(days=1), (finding("x", 100.0, 40.0),))
    copies = axes_of(A), axes_of(old.findings[0])
    assert verdicts(saved(*copies), OURS, old) == {"a": "accepted"}


@pytest.mark.parametrize("link", [LINKED, {"series_instance_uid": "1.8"}], ids=["predecessor", "series"])
def test_what_is_missing_was_rejected_where_the_report_takes_the_place_of_ours(link: dict[str, object]) -> None:
    assert verdicts(saved(axes_of(A), **link)) == {"a": "accepted", "b": "rejected", "c": "rejected"}


def test_an_emptied_report_in_the_place_of_ours_rejects_all() -> None:
    assert verdicts(saved(**LINKED)) == {"a": "rejected", "b": "rejected", "c": "rejected"}


def test_what_is_missing_elsewhere_stays_unassessed() -> None:
    assert verdicts(saved(axes_of(A))) == {"a": "accepted"}
    assert verdicts(saved(axes_of(A, A.tracking_uid))) == {"a": "accepted"}


@pytest.mark.parametrize("kind", ["SEG", "GSPS", "RTSTRUCT"])
def test_what_is_missing_in_anything_but_a_report_stays_unassessed(kind: str) -> None:
    assert verdicts(saved(axes_of(A), kind=kind, series_instance_uid="1.8")) == {"a": "accepted"}


def test_nothing_is_missing_in_a_report_that_could_not_be_read_wholly() -> None:
    assert verdicts(saved(axes_of(A), **LINKED, is_whole=False)) == {"a": "accepted"}
    assert is_whole([Rejected("1.5", "1", "no_measurement", ""), Rejected("1.5", "1.2", "not_a_length", "")])
    assert not is_whole([Rejected("1.5", "1.2", "bad_coordinates", "")])
    assert not is_whole([Rejected("1.5", "", "reader_failed", "")])


def test_what_a_person_had_taken_out_of_the_result_is_not_missing_in_its_answer() -> None:
    gone = replace(B, discarded_at=NOON + timedelta(hours=1))
    later = {"1.8.1": NOON, "1.8.2": NOON + timedelta(hours=2)}
    ours = replace(OURS, findings=(A, gone), results=later)
    assert verdicts(saved(axes_of(A), predecessors=frozenset({"1.8.2"})), ours) == {"a": "accepted"}
    assert verdicts(saved(axes_of(A), predecessors=frozenset({"1.8.1"})), ours) == {"a": "accepted", "b": "rejected"}
    assert verdicts(saved(axes_of(A), series_instance_uid="1.8"), ours) == {"a": "accepted"}


# --- words --------------------------------------------------------------------------------------------------------


def test_words_go_before_drawings_and_those_about_a_finding_before_those_about_the_result() -> None:
    stated = {"1.8.1": ("accepted", "Reader^Two"), B.tracking_uid: ("rejected", "")}
    said = assess(saved(axes_of(A, dx=2.0), stated=stated, reader="Reader^Three", **LINKED), [OURS])
    assert [(one.detection_id, one.verdict, one.reader) for one in said] == [
        ("a", "accepted", "Reader^Two"),
        ("b", "rejected", "Reader^Three"),
        ("c", "accepted", "Reader^Two"),
    ]


def test_a_finding_that_was_modified_in_words_has_the_drawing_beside_them() -> None:
    stated = {A.tracking_uid: ("modified", "Reader^Two")}
    (said,) = assess(saved(axes_of(A, dx=2.0), stated=stated), [OURS])
    assert (said.verdict, said.reader, said.lesion_id, said.shift_px) == ("modified", "Reader^Two", "axes 1.77", 2.0)
    (said,) = assess(saved(stated=stated), [OURS])
    assert (said.verdict, said.lesion_id, said.shift_px) == ("modified", None, None)


def test_a_supplement_says_nothing_of_what_was_found_and_silence_beside_words_rejects_nothing() -> None:
    own = axes_of(finding("x", 100.0, 40.0), "1.55")
    assert verdicts(saved(own, stated={"1.8.1": ("added", "")}, **LINKED)) == {"axes 1.55": "added"}


# --- which of ours ------------------------------------------------------------------------------------------------


NEWER = Reported("two", NOON + timedelta(days=1), (replace(A, detection_id="a2"),), {"1.8.9": NOON}, frozenset({"1.8"}))


def test_an_answer_is_to_the_result_that_it_names() -> None:
    assert answered(saved(axes_of(A), **LINKED), [NEWER, OURS]) is OURS
    assert answered(saved(axes_of(A), stated={"1.8.1": ("accepted", "")}), [NEWER, OURS]) is OURS


def test_an_answer_that_names_none_is_to_the_newest_that_it_matches() -> None:
    assert answered(saved(axes_of(A)), [NEWER, OURS]) is NEWER
    assert answered(saved(axes_of(B)), [NEWER, OURS]) is OURS
    assert answered(saved(axes_of(B), series_instance_uid="1.8"), [NEWER, OURS]) is OURS
    assert answered(saved(series_instance_uid="1.8"), [NEWER, OURS]) is NEWER


def test_a_copy_tells_more_than_a_tracking_uid_which_stays_over_analyses() -> None:
    moved = replace(A, detection_id="a2", shape=finding("a", 21.5, 12.0).shape)
    newer = replace(NEWER, findings=(moved,))
    assert answered(saved(axes_of(A, A.tracking_uid)), [newer, OURS]) is OURS


# --- which drawing is which ---------------------------------------------------------------------------------------


def test_a_lesion_that_was_drawn_anew_on_another_slice_is_known_by_its_tracking_uid() -> None:
    (said,) = assess(saved(axes_of(A, A.tracking_uid, image=ImageReference("1.4"))), [OURS])
    assert (said.verdict, said.detection_id, said.shift_px) == ("modified", "a", None)


def test_a_tracking_uid_that_all_lesions_of_a_document_share_says_nothing() -> None:
    apart = [axes_of(finding("x", 100.0, row), A.tracking_uid, lesion_id=f"at {row}") for row in (10.0, 60.0, 110.0)]
    assert verdicts(saved(axes_of(A, A.tracking_uid), *apart)) == {
        "a": "accepted", "at 10.0": "added", "at 60.0": "added", "at 110.0": "added",
    }  # fmt: skip


def test_each_drawing_goes_with_the_finding_that_it_overlaps_best() -> None:
    beside = finding("b", 26.0, 14.0)
    ours = replace(OURS, findings=(A, beside))
    said = assess(saved(axes_of(beside, dx=1.0), axes_of(A, "1.79", dx=1.0), **LINKED), [ours])
    assert [(one.detection_id, one.lesion_id) for one in said] == [("a", "axes 1.79"), ("b", "axes 1.77")]


def test_a_drawing_beside_a_copy_of_its_kind_is_the_next_lesion_unless_it_covers_the_same() -> None:
    beside, over = axes_of(finding("x", 31.0, 12.0), "1.55"), axes_of(finding("x", 21.0, 11.0), "1.56")
    assert 0.25 < overlap(beside, A.shape) < 0.6 < overlap(over, A.shape)
    assert verdicts(saved(axes_of(A), beside)) == {"a": "accepted", "axes 1.55": "added"}
    assert verdicts(saved(axes_of(A), over)) == {"a": "modified"}
    assert verdicts(saved(box_of(A), beside)) == {"a": "modified"}, "of the axes no copy was left"


def test_overlap_compares_like_with_like() -> None:
    assert overlap(axes_of(A), A.shape) == pytest.approx(1.0)
    assert overlap(box_of(A), A.shape) == pytest.approx(1.0)
    assert overlap(box_of(A), FAR.shape) == 0.0
    tight = replace(box_of(A), outline=BoxPx(20.0, 10.0, 32.0, 26.0))
    assert overlap(tight, A.shape) == pytest.approx(1.0), "a rectangle without the margin"


def test_how_far_a_drawing_was_moved_is_that_of_its_farthest_point() -> None:
    swapped = axes_of(A, long_axis=A.shape.short_axis, short_axis=A.shape.long_axis)
    assert shift_px(swapped, A.shape) == pytest.approx(0.0)
    assert shift_px(axes_of(A, dx=-6.0, dy=8.0), A.shape) == pytest.approx(10.0)
    assert shift_px(box_of(A, dx=-6.0, dy=8.0), A.shape) == pytest.approx(10.0)
    assert shift_px(axes_of(A, image=NEXT), A.shape) is None


# --- masks --------------------------------------------------------------------------------------------------------


def mask(image: ImageReference, longest: bool, grown: float = 0.0) -> OwnRegion:
    long, short = axis(((19.5, 10.0), (32.5 + grown, 26.0))), axis(((31.0, 12.0), (22.0, 23.0)))
    return OwnRegion(image, long, short, BoxPx(19.5, 9.5, 32.5 + grown, 26.5), longest)


MASKED = replace(A, shape=replace(A.shape, regions=(mask(SLICE, False), mask(NEXT, True, grown=1.0))))
WITH_MASKS = replace(OURS, findings=(MASKED,))


def segment(region: OwnRegion, dx: float = 0.0) -> Harvested:
    outline = BoxPx(region.outline.x1, region.outline.y1, region.outline.x2 + dx, region.outline.y2)
    return Harvested("segment", "1.5", region.image, region.long_axis, region.short_axis, outline, "", "Reader^One")


def test_a_mask_is_a_copy_on_the_slice_where_it_is_longest() -> None:
    assert verdicts(saved(segment(MASKED.shape.regions[1]), kind="SEG"), WITH_MASKS) == {"a": "accepted"}


def test_a_mask_that_differs_is_modified() -> None:
    changed = segment(MASKED.shape.regions[1], dx=3.0)
    (said,) = assess(saved(changed, kind="SEG", series_instance_uid="1.8"), [WITH_MASKS])
    assert (said.verdict, said.lesion_id, said.shift_px) == ("modified", "segment", pytest.approx(3.0))


def test_a_mask_without_its_longest_slice_is_modified_too() -> None:
    third = mask(ImageReference("1.4"), longest=False)
    ours = replace(WITH_MASKS, findings=(replace(A, shape=replace(A.shape, regions=(*MASKED.shape.regions, third))),))
    assert verdicts(saved(segment(third), kind="SEG", series_instance_uid="1.8"), ours) == {"a": "modified"}


# --- documents that follow each other -----------------------------------------------------------------------------


def test_a_later_answer_of_the_same_reader_takes_the_place_of_the_earlier_one() -> None:
    first = saved(axes_of(A), sop_instance_uid="1.5.1")
    later = saved(axes_of(A, dx=1.0), sop_instance_uid="1.5.2", predecessors=frozenset({"1.5.1", "1.8.1"}))
    assert replaced_answers([first, later]) == {"1.5.1"}
    other = replace(later, drawings=(axes_of(A, reader="Reader^Two"),))
    assert replaced_answers([first, other]) == set(), "two readers are two answers"
    nobody = replace(later, drawings=(axes_of(A, reader=""),))
    assert replaced_answers([first, nobody]) == {"1.5.1"}


def test_answers_that_name_each_other_both_count() -> None:
    first = saved(sop_instance_uid="1.5.1", predecessors=frozenset({"1.5.2"}))
    assert replaced_answers([first, saved(sop_instance_uid="1.5.2", predecessors=frozenset({"1.5.1"}))]) == set()


# --- boxes around axes --------------------------------------------------------------------------------------------


def measurement(drawn: Harvested, item: str) -> Measurement:
    source = Source("1.5", item, "SR")
    return Measurement(source, drawn.image, drawn.long_axis, drawn.short_axis, outline=drawn.outline)


def around(drawn: Harvested) -> Rejected:
    return Rejected("1.5", "1.4", "axes_are_drawn", "", drawn=measurement(drawn, "1.4"))


def test_a_box_that_was_moved_around_axes_of_ours_is_the_readers_own() -> None:
    own = [A.shape, B.shape]
    assert moved_regions([measurement(axes_of(A), "1.3")], [around(box_of(A, dx=3.0))], own) == {"1.4"}
    assert moved_regions([measurement(axes_of(A), "1.3")], [around(box_of(A))], own) == set(), "it is a copy, too"
    assert moved_regions([measurement(axes_of(A, dx=2.0), "1.3")], [around(box_of(A, dx=3.0))], own) == set()
    assert moved_regions([measurement(axes_of(A), "1.3")], [around(box_of(B, dx=3.0))], own) == set()
