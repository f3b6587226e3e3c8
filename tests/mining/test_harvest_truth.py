"""Which rows are truth: what is a copy, what is ours, what was superseded."""

import pytest
from builders import (
    ALGORITHM,
    CT,
    SERIES,
    STUDY,
    bidirectional,
    ct_series,
    group,
    image,
    rectangle,
    scoord,
    text,
    tid1500,
)
from harvest_node import LONG, NOW, SHORT, Node, report
from pydicom.dataset import Dataset
from sqlalchemy import select

from db.models import Instance, SourceObject
from db.outcomes import Analysis, DetectionRow, Result
from mining.harvest import HarvestCounts
from mining.settings import HarvestSettings


def measured_point(image_uid: str, point: tuple[float, float]) -> Dataset:
    return group(scoord("POINT", [point], image(image_uid), relationship="CONTAINS"), tracking_uid="1.9")


def test_the_same_lesion_in_two_documents_is_one_row_with_two_sources(node: Node) -> None:
    node.receive(*ct_series(), report("1.5.1"), report("1.5.2", at="20260303100000"))
    node.harvest()
    (row,) = node.rows()
    assert (row.source_sop_instance_uid, row.lesion_identity, row.split is None) == ("1.5.1", "1.9", False)
    assert node.sources() == [(row.lesion_id, "1.5.1"), (row.lesion_id, "1.5.2")]


def test_a_save_under_fresh_tracking_uids_is_a_copy_too(node: Node) -> None:
    node.receive(*ct_series(), report("1.5.1"), report("1.5.2", tracking_uid="1.10"))
    node.harvest()
    assert [row.source_sop_instance_uid for row in node.truth()] == ["1.5.1"]


def test_two_readers_give_two_rows(node: Node) -> None:
    node.receive(*ct_series(), report("1.5.1"), report("1.5.2", tracking_uid="1.10", reader="Reader^Two"))
    node.harvest()
    assert len(node.truth()) == 2


def test_two_readers_of_one_region_are_one_row(node: Node) -> None:
    """As a mask, and a report that names its segment."""
    outlined = [
        tid1500(rectangle(f"{SERIES}.1", (18.0, 8.0, 34.0, 28.0), uid), reader=who, sop_instance_uid=uid)
        for uid, who in (("1.5.1", "Reader^One"), ("1.5.2", "Reader^Two"))
    ]
    node.receive(*ct_series(), *outlined)
    node.harvest()
    assert len(node.rows()) == 1 and len(node.sources()) == 2


@pytest.mark.parametrize("order", [("1.5.1", "1.5.2"), ("1.5.2", "1.5.1")])
def test_other_points_in_a_later_document_count(node: Node, order: tuple[str, str]) -> None:
    later = ((20.0, 11.0), (32.0, 27.0))
    documents = {"1.5.1": report("1.5.1"), "1.5.2": report("1.5.2", long=later, at="20260303100000")}
    node.receive(*ct_series(), *(documents[uid] for uid in order))
    node.harvest()
    assert [row.source_sop_instance_uid for row in node.truth()] == ["1.5.2"]
    assert node.excluded()["1.5.1"] == "superseded by a later document"


@pytest.mark.parametrize("first", ["1.5.1", "1.5.2"])
def test_a_predecessor_is_no_truth_whichever_arrives_first(node: Node, first: str) -> None:
    new = report("1.5.2", tracking_uid="1.10", long=((21.0, 10.0), (33.0, 26.0)), predecessors=["1.5.1"])
    documents = {"1.5.1": report("1.5.1"), "1.5.2": new}
    node.receive(*ct_series(), documents.pop(first))
    node.harvest()
    node.receive(*documents.values())
    node.harvest()
    (row,) = node.rows()
    assert (row.source_sop_instance_uid, row.excluded_because) == ("1.5.2", None)
    assert node.rejected_in_the_view() == [("1.5.1", "superseded", "the later document 1.5.2 replaces it")]


def test_a_chain_of_predecessors_leaves_the_last_one(node: Node) -> None:
    documents = [
        report("1.5.1", long=((20.0, 10.0), (32.0, 26.0))),
        report("1.5.2", long=((20.0, 11.0), (32.0, 27.0)), predecessors=["1.5.1"], at="20260303100000"),
        report("1.5.3", long=((20.0, 12.0), (32.0, 28.0)), predecessors=["1.5.2"], at="20260304100000"),
    ]
    node.receive(*ct_series(), *documents[::-1])
    node.harvest()
    assert [row.source_sop_instance_uid for row in node.rows()] == ["1.5.3"]


def test_a_key_image_of_a_replaced_document_goes_with_it(node: Node) -> None:
    pointed = measured_point(f"{SERIES}.1", (12.0, 9.0))
    old, new = tid1500(pointed, sop_instance_uid="1.5.1"), tid1500(sop_instance_uid="1.5.2", predecessors=["1.5.1"])
    node.receive(*ct_series(), old)
    node.harvest()
    (row,) = node.rows()
    assert (row.long_axis_px, row.box_x1, row.excluded_because) == (None, None, "a place without an extent")
    assert (row.point_x, row.point_y) == pytest.approx((12.0, 9.0))
    node.receive(new)
    node.harvest()
    assert node.rows() == []


def test_a_place_that_was_saved_again_is_one_row_with_two_sources(node: Node) -> None:
    places = [
        tid1500(measured_point(f"{SERIES}.1", at), sop_instance_uid=uid)
        for uid, at in (("1.5.1", (12.0, 9.0)), ("1.5.2", (12.04, 9.0)), ("1.5.3", (12.2, 9.0)))
    ]
    node.receive(*ct_series(), *places[::-1])
    node.harvest()
    assert [row.source_sop_instance_uid for row in node.rows()] == ["1.5.1", "1.5.3"]
    assert [uid for _, uid in node.sources()] == ["1.5.1", "1.5.2", "1.5.3"]


def test_a_document_that_goes_gives_its_copy_back(node: Node) -> None:
    node.receive(*ct_series(), report("1.5.1"), report("1.5.2", at="20260303100000"))
    node.harvest()
    gone = node.session.scalars(select(Instance).where(Instance.sop_instance_uid == "1.5.1")).one()
    gone.state = "superseded"
    node.session.flush()
    node.harvest()
    assert [row.source_sop_instance_uid for row in node.truth()] == ["1.5.2"]
    assert len(node.rows()) == 1


def test_what_an_algorithm_drew_is_kept_and_is_no_truth(node: Node) -> None:
    drawn = bidirectional(f"{SERIES}.1", LONG, SHORT, text(ALGORITHM, "OtherNet"), tracking_uid="1.9")
    node.receive(*ct_series(), tid1500(drawn))
    node.harvest()
    (row,) = node.rows()
    assert (row.excluded_because, row.split) == ("drawn by an algorithm", None)


def by_an_algorithm(uid: str, **document: object) -> Dataset:
    drawn = bidirectional(f"{SERIES}.1", LONG, SHORT, text(ALGORITHM, "OtherNet"), tracking_uid="1.9")
    return tid1500(drawn, sop_instance_uid=uid, reader=None, **document)


def test_what_an_algorithm_drew_is_no_truth_when_a_viewer_saves_it_as_its_users(node: Node) -> None:
    saved = report("1.5.2", tracking_uid="1.10", at="20260303100000")
    corrected = report("1.5.3", tracking_uid="1.11", at="20260303110000", long=((20.0, 10.0), (32.0, 26.4)))
    node.receive(*ct_series(), by_an_algorithm("1.5.1", at="20260302100000"), saved, corrected)
    node.harvest()
    by_machine = "drawn by an algorithm"
    assert node.excluded() == {"1.5.1": by_machine, "1.5.2": by_machine, "1.5.3": None}


def test_what_a_person_drew_stays_truth_when_an_algorithm_takes_it_over(node: Node) -> None:
    node.receive(*ct_series(), report("1.5.1", at="20260302100000"), by_an_algorithm("1.5.2", at="20260303100000"))
    node.harvest()
    assert node.excluded() == {"1.5.1": None, "1.5.2": "drawn by an algorithm"}


def test_what_is_no_truth_is_one_row_in_several_documents_too(node: Node) -> None:
    node.receive(*ct_series(), by_an_algorithm("1.5.1"), by_an_algorithm("1.5.2", at="20260303100000"))
    node.harvest()
    (row,) = node.rows()
    assert (row.source_sop_instance_uid, row.excluded_because) == ("1.5.1", "drawn by an algorithm")
    assert node.sources() == [(row.lesion_id, "1.5.1"), (row.lesion_id, "1.5.2")]


def test_boxes_of_two_readers_that_overlap_are_one_lesion_with_two_measurements(node: Node) -> None:
    other = ((20.4, 10.2), (32.3, 26.4))
    far = [((a + 25.0, b + 15.0), (c + 25.0, d + 15.0)) for (a, b), (c, d) in (LONG, SHORT)]
    node.receive(
        *ct_series(),
        report("1.5.1"),
        report("1.5.2", tracking_uid="1.10", reader="Reader^Two", long=other, at="20260303100000"),
        report("1.5.3", tracking_uid="1.11", reader="Reader^Three", long=far[0], short=far[1]),
    )
    node.harvest()
    assert [row.lesion_identity for row in node.truth_by_document()] == ["1.9", "1.9", "1.11"]
    ((identity, measurements, readers, spread),) = node.spread()
    assert (identity, measurements, readers) == ("1.9", 2, 2)
    lengths = [row.long_axis_mm for row in node.truth_by_document()[:2]]
    assert spread == pytest.approx((max(lengths) - min(lengths)) / (sum(lengths) / 2))


def test_what_was_measured_on_an_image_that_shows_no_patient_is_kept_and_is_no_truth(node: Node) -> None:
    scout, *slices = ct_series()
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    node.receive(scout, *slices, report("1.5.1"))
    node.harvest()
    (row,) = node.rows()
    assert (row.image_purpose, row.split) == ("localizer", None)
    assert row.excluded_because == "measured on an image of the kind 'localizer'"
    node.harvest(settings=HarvestSettings(let_in=frozenset({"localizer"})))
    assert len(node.truth()) == 1
    node.harvest(settings=HarvestSettings(let_in=frozenset({"localizer"}), exclude=("thorax*",)))
    assert node.excluded() == {"1.5.1": "excluded by the site: thorax*"}


def test_what_a_known_product_drew_is_no_truth_unless_a_person_is_named(node: Node) -> None:
    by_hand = ((20.0, 11.0), (32.0, 27.0))
    machine, person = report("1.5.1", reader=None), report("1.5.2", tracking_uid="1.10", long=by_hand)
    for ds in (machine, person):
        ds.Manufacturer, ds.ManufacturerModelName = "Riverain Technologies", "ClearRead CT"
    node.receive(*ct_series(), machine, person)
    node.harvest()
    assert node.excluded() == {"1.5.1": "drawn by an algorithm", "1.5.2": None}
    assert [row.by_algorithm for row in node.rows()] == ["Riverain Technologies ClearRead CT", ""]


def reported(node: Node, result_uid: str = "1.8.1") -> None:
    """One of our detections, with exactly the points of `report`, and the SR that told of it."""
    analysis = Analysis(
        analysis_id="a", study_instance_uid=STUDY, study_revision=1, state="found", started_at=NOW, finished_at=NOW
    )
    node.session.add(analysis)
    node.session.flush()
    (x1, y1), (x2, y2) = LONG
    (u1, v1), (u2, v2) = SHORT
    node.session.add(
        DetectionRow(
            detection_id="d", analysis_id="a", sop_instance_uid=f"{SERIES}.1", box_x1=18.0, box_y1=8.0, box_x2=34.0,
            box_y2=28.0, z_first=0, z_last=1, long_x1=x1, long_y1=y1, long_x2=x2, long_y2=y2, short_x1=u1,
            short_y1=v1, short_x2=u2, short_y2=v2, long_axis_mm=14.1, short_axis_mm=7.8, score=0.9,
            tracking_uid="1.9", created_at=NOW,
        )
    )  # fmt: skip
    node.session.add(
        Result(
            result_sop_instance_uid=result_uid, analysis_id="a", kind="SR", profile="ohif", sop_class_uid=CT,
            series_instance_uid="1.8", file_name="x", created_at=NOW,
        )
    )  # fmt: skip
    node.session.flush()


def test_our_own_result_is_left_alone_by_its_uid(node: Node) -> None:
    node.receive(*ct_series(), report("1.8.1"))
    reported(node)
    assert node.harvest() == HarvestCounts(measurements=0, rejections=1, own=1)
    assert not node.rows()
    assert node.rejections() == [("", "own_result")]
    assert node.session.get_one(SourceObject, "1.8.1").own is True


def test_our_own_result_under_new_uids_is_known_by_its_points(node: Node) -> None:
    node.receive(
        *ct_series(),
        report("1.5.1", tracking_uid="1.77", long=LONG[::-1]),
        tid1500(rectangle(f"{SERIES}.1", (18.0, 8.0, 34.0, 28.0), "1.78"), sop_instance_uid="1.5.2"),
        tid1500(bidirectional(f"{SERIES}.1", LONG, ((32.0, 16.0), (20.0, 19.85))), sop_instance_uid="1.5.3"),
    )
    reported(node)
    node.harvest()
    assert node.excluded() == {
        "1.5.1": "copy of our own result",
        "1.5.2": "copy of our own result",
        "1.5.3": None,  # a reader moved one end by a third of a pixel
    }
