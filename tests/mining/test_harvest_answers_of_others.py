"""Answers by other viewers through the whole harvest, in either database: other encodings, and words."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from builders import COMPREHENSIVE_3D_SR, SERIES, annotation, ct_series, graphic, gsps, rectangle, tid1500
from builders_answers import assessment, composite, evidence, ohif_saved, said, tracked
from builders_regions import Frame, seg, segment
from harvest_node import Folder, Node
from pydicom.dataset import Dataset
from reported import A, B, answers, axes, ball, moved, report_findings, verdicts, with_ours

from db.engine import Sessions
from db.models import SourceObject
from mining.settings import HarvestSettings


@pytest.fixture
def node(any_sessions: Sessions, tmp_path: Path) -> Iterator[Node]:
    with any_sessions() as session:
        yield Node(session, Folder(tmp_path))


# --- other encodings ----------------------------------------------------------------------------------------------


def test_a_presentation_state_that_was_edited_is_an_answer(node: Node) -> None:
    lines = [graphic("POLYLINE", of) for of in (A.long, A.short, moved(B.long, 2.0, 0.0), moved(B.short, 2.0, 0.0))]
    marks = gsps(annotation(lines, images=[A.image]), images=[A.image])
    with_ours(node, marks)
    assert answers(node) == [
        ("one a", "accepted", "Reader^Two", None),
        ("one b", "modified", "Reader^Two", pytest.approx(2.0)),
    ]


def test_a_box_that_was_moved_around_our_axes_in_a_presentation_state_is_modified(node: Node) -> None:
    x1, y1, x2, y2 = A.box
    ring = [(x1 + 3.0, y1), (x2 + 3.0, y1), (x2 + 3.0, y2), (x1 + 3.0, y2), (x1 + 3.0, y1)]
    drawn = [graphic("POLYLINE", points) for points in (ring, A.long, A.short)]
    with_ours(node, gsps(annotation(drawn, images=[A.image]), images=[A.image]))
    assert answers(node) == [("one a", "modified", "Reader^Two", pytest.approx(3.0))]
    assert [row.source_kind for row in node.truth()] == ["GSPS"]


SHELL = ball(6, 9, 7)


def segmented(mask: "object", place: int, **facts: str) -> Dataset:
    image = ct_series()[place]
    frame = Frame(mask, image.ImagePositionPatient, [str(image.SOPInstanceUID)])  # type: ignore[arg-type]
    return seg([segment(1)], [frame], **facts)  # type: ignore[arg-type]


def with_a_mask(node: Node, *documents: Dataset) -> None:
    """The key slice is the first one; the mask is longest on the second."""
    node.receive(*ct_series(), *documents)
    report_findings(node, replace(A, mask=SHELL))
    node.harvest()


def test_a_segmentation_that_was_saved_again_is_a_copy_where_our_mask_is_longest(node: Node) -> None:
    with_a_mask(node, segmented(SHELL[1], 1))
    assert verdicts(node) == {"one a": "accepted"}
    assert node.excluded() != {} and node.truth() == []


def test_a_segmentation_whose_mask_differs_is_modified_and_truth(node: Node) -> None:
    changed = SHELL[1].copy()
    changed[:, 40:44] |= changed[:, 37:41]
    ds = segmented(changed, 1)
    ds.SeriesInstanceUID = "1.8"
    with_a_mask(node, ds)
    ((finding, verdict, reader, shift),) = answers(node)
    assert (finding, verdict, reader) == ("one a", "modified", "Reader^Three") and shift is not None and shift > 1
    assert [row.source_kind for row in node.truth()] == ["SEG"]


@pytest.mark.parametrize("content", [None, b"", b"no archive", b"PK\x03\x04 and no more"])
def test_a_mask_whose_file_is_gone_or_broken_is_not_known_and_stops_nothing(node: Node, content: bytes | None) -> None:
    node.receive(*ct_series(), segmented(SHELL[1], 1), ohif_saved(axes(A, "2.25.1"), uid="1.5.1"))
    report_findings(node, replace(A, mask=SHELL))
    node.files.path("a.npz").unlink()
    if content is not None:
        node.files.write("a.npz", content)
    node.harvest()
    assert verdicts(node) == {"one a": "accepted"}


def test_a_rectangle_of_another_writer_that_is_ours_is_a_copy(node: Node) -> None:
    with_ours(node, tid1500(rectangle(A.image, A.box, "1.77"), sop_instance_uid="1.5.1"))
    assert verdicts(node) == {"one a": "accepted"} and node.truth() == []


# --- in words -----------------------------------------------------------------------------------------------------


def test_an_assessment_in_words_names_results_and_findings(node: Node) -> None:
    words = assessment(
        said("rejected", tracked(B.uid)),
        said(("A1", "99SITE", "Accept"), composite("1.8.1", COMPREHENSIVE_3D_SR)),
        uid="1.5.1",
    )
    with_ours(node, words)
    assert answers(node) == [
        ("one a", "accepted", "Reader^Two", None), ("one b", "rejected", "Reader^Two", None),
        ("one c", "accepted", "Reader^Two", None),
    ]  # fmt: skip
    stated = node.session.get_one(SourceObject, "1.5.1").stated_verdicts
    assert sorted(map(tuple, stated)) == [("1.8.1", "accepted", "Reader^Two"), (B.uid, "rejected", "Reader^Two")]


def test_a_sites_own_code_is_a_verdict_by_its_table(node: Node) -> None:
    words = assessment(said(("Q7", "99SITE", "nicht zutreffend"), tracked(A.uid)), uid="1.5.1")
    with_ours(node, words)
    assert answers(node) == []
    node.harvest(settings=HarvestSettings(verdicts={"99SITE:Q7": "rejected"}))
    assert verdicts(node) == {"one a": "rejected"}


def test_a_word_about_the_whole_document_is_about_the_evidence_that_is_ours(node: Node) -> None:
    words = evidence(assessment(said("agreed"), uid="1.5.1"), ["1.8.1", f"{SERIES}.1"])
    with_ours(node, words)
    assert set(verdicts(node).values()) == {"accepted"} and len(answers(node)) == 3
    assert [uid for uid, _, _ in node.session.get_one(SourceObject, "1.5.1").stated_verdicts] == ["1.8.1"]
