"""An analysis → results: once, in place of the earlier ones, and never for images that are no longer those."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from reported_study import (
    NOW,
    PHANTOM,
    UID,
    analysable,
    analyse,
    arrive,
    corrected,
    deliver_all,
    delivery_states,
    found,
    none_found_now,
    outbox,
    peer,
    with_peers,
)
from whole_way import Site, analysis_state, current, ledger

from db import analyses, deliveries, studies
from db.engine import reading
from db.errors import LostFile
from dicom_node.deliver import deliver
from dicom_node.reporting import build_more
from dicom_node.workflows import detect, harvest, report_study

pytestmark = pytest.mark.slow  # each makes real objects: seconds together


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Site:
    return analysable(tmp_path, database_url)


def test_a_report_step_that_runs_again_leaves_the_objects_that_may_be_sent_already(site: Site) -> None:
    analyse(site, finds=True)
    assert report_study(site.node, UID) == "found, 2 objects"
    before = {path: path.read_bytes() for path in site.config.data_dir.glob("results/*/*.dcm")}
    assert report_study(site.node, UID) == "reported already"
    assert {path: path.read_bytes() for path in site.config.data_dir.glob("results/*/*.dcm")} == before
    assert [row.number for row in ledger(site, UID)] == [1, 1]


def test_a_report_that_comes_later_leaves_analysis_and_results_as_they_are(site: Site) -> None:
    analyse(site, finds=True)
    report_study(site.node, UID)
    before = ledger(site, UID)
    assert arrive(site, PHANTOM.reports) == 2
    harvest(site.node, UID)
    assert detect(site.node, UID) == "the images are those of the last analysis"
    assert report_study(site.node, UID) == "reported already"
    assert ledger(site, UID) == before and analysis_state(site, UID) == "found"
    with reading(site.node.sessions) as session:
        assert studies.undone(session) == []


def test_an_analysis_that_was_not_reported_before_the_study_changed_is_reported_then(site: Site) -> None:
    analyse(site, finds=True)
    arrive(site, PHANTOM.reports)
    harvest(site.node, UID)
    detect(site.node, UID)
    assert report_study(site.node, UID) == "found, 2 objects"


def test_corrected_images_are_looked_at_anew_and_give_another_result_in_the_same_series(site: Site) -> None:
    analyse(site, finds=True)
    report_study(site.node, UID)
    first = current(site, UID)
    arrive(site, corrected())
    assert detect(site.node, UID) == "no model is promoted yet", "and not: the images are those of the last analysis"
    with site.node.sessions.begin() as session:
        session.delete(analyses.newest(session, UID, 2))  # as if a model had been there
    analyse(site, finds=True)
    report_study(site.node, UID)
    second = current(site, UID)
    by_uid = {row.uid: row for row in ledger(site, UID)}
    for kind in ("SR", "SEG"):
        old, new = by_uid[first[kind]], by_uid[second[kind]]
        assert (old.superseded_by, old.delivery) == (new.uid, "discarded")
        assert (new.series, new.number, new.delivery) == (old.series, 2, "waiting")
        assert dcmread(next(site.config.data_dir.glob(f"results/*/{new.uid}.dcm"))).PatientID == "RIGHT"


def test_where_nothing_is_found_any_more_the_new_report_stands_for_all_earlier_objects(site: Site) -> None:
    analyse(site, finds=True)
    report_study(site.node, UID)
    first = current(site, UID)
    deliver_all(site, "pacs")
    arrive(site, corrected())
    analyse(site, finds=False)
    assert report_study(site.node, UID) == "none found, 1 objects"
    assert set(current(site, UID)) == {"SR"} and first["SR"] != current(site, UID)["SR"]
    assert {row.superseded_by for row in ledger(site, UID)} == {None, current(site, UID)["SR"]}


def test_what_is_found_again_after_nothing_was_goes_on_in_the_series_of_the_first(site: Site) -> None:
    found(site)
    deliver_all(site, "pacs")
    none_found_now(site)
    arrive(site, corrected("RIGHT AFTER ALL"))
    found(site)
    assert {(row.kind, row.number) for row in ledger(site, UID)} == {
        ("SEG", 1), ("SEG", 2), ("SR", 1), ("SR", 2), ("SR", 3)
    }  # fmt: skip
    assert len({row.series for row in ledger(site, UID)}) == 2, "one of SR, one of SEG"
    last = dcmread(next(site.config.data_dir.glob(f"results/*/{current(site, UID)['SR']}.dcm")))
    (named,) = last.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
    by_number = {row.number: row.uid for row in ledger(site, UID) if row.kind == "SR"}
    assert named.ReferencedSOPInstanceUID == by_number[2]


def test_that_nothing_is_found_any_more_is_told_where_lesions_were_delivered_and_where_it_was_asked_for(
    site: Site,
) -> None:
    both = ["seg", "ohif"]
    there = with_peers(site, peer("told", both), peer("waits", both), peer("asks", ["ohif"], report_empty=True))
    found(there)
    deliver_all(there, "told")
    assert none_found_now(there) == "none found, 1 objects"
    superseded = deliveries.SUPERSEDED
    assert outbox(there, "told")[2:] == [("SR", "waiting", "")]
    assert outbox(there, "waits") == [("SEG", "discarded", superseded), ("SR", "discarded", superseded)]
    assert outbox(there, "asks") == [("SR", "discarded", superseded), ("SR", "waiting", "")]


def test_a_correction_that_was_superseded_unsent_is_followed_by_one_that_is_sent(site: Site) -> None:
    there = with_peers(site, peer("told", ["ohif"]))
    found(there)
    deliver_all(there, "told")
    none_found_now(there)
    arrive(there, corrected("RIGHT AFTER ALL"))
    analyse(there, finds=False)
    report_study(there.node, UID)
    assert [state for _, state, _ in outbox(there, "told")] == ["delivered", "discarded", "waiting"]


def test_what_stood_in_for_a_stand_in_needs_nobody_to_delete_it(site: Site) -> None:
    there = with_peers(site, peer("has", ["seg-labelmap"]))
    found(there)
    with reading(there.node.sessions) as session:
        analysis = analyses.newest(session, UID, 1)
    assert analysis is not None
    (contours,) = build_more(there.node, analysis.analysis_id, ["rtstruct"])
    with there.node.sessions.begin() as session:
        deliveries.put(session, contours.result_sop_instance_uid, "has", "send", NOW)
    deliver_all(there, "has")
    arrive(there, corrected())
    found(there)
    assert [answer for _, _, answer in outbox(there, "has")] == ["Success", "Success", ""]


def test_a_segmentation_that_nothing_can_replace_is_marked_where_it_stays(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    there = with_peers(site, peer("has", ["seg"]), peer("waits", ["seg"]))
    found(there)
    deliver_all(there, "has")
    assert none_found_now(there) == "none found, 0 objects"
    because = "(a later analysis: none found)"
    assert outbox(there, "has") == [("SEG", "delivered", f"Success; no longer holds, delete it there {because}")]
    assert outbox(there, "waits") == [("SEG", "discarded", f"no longer holds {because}")]
    assert "stays at destination=has and no longer holds" in caplog.text
    assert "destination=waits" not in caplog.text


def test_drawings_that_nothing_can_replace_are_marked_where_they_stay_and_go_on_in_their_series(site: Site) -> None:
    kinds = {"gsps": "PR", "ko": "KO", "rtstruct": "RTSTRUCT", "seg-labelmap": "SEG"}
    there = with_peers(site, *(peer(name, [name]) for name in kinds))
    assert found(there) == "found, 4 objects"
    for name in kinds:
        deliver_all(there, name)
    assert none_found_now(there) == "none found, 0 objects"
    stays = "Success; no longer holds, delete it there (a later analysis: none found)"
    for name, kind in kinds.items():
        assert outbox(there, name) == [(kind, "delivered", stays)]
    arrive(there, corrected("RIGHT AFTER ALL"))
    found(there)
    for name, kind in kinds.items():
        assert outbox(there, name)[1:] == [(kind, "waiting", "")]
    rows = ledger(there, UID)
    assert {(row.kind, row.number) for row in rows} == {(kind, number) for kind in kinds.values() for number in (1, 2)}
    assert len({row.series for row in rows}) == len(kinds), "each encoding has one"
    newest = {row.uid for row in rows if row.number == 2}
    assert {row.superseded_by for row in rows} == {None, *newest}


def test_a_picture_of_lesions_is_followed_by_a_page_that_says_there_are_none(site: Site) -> None:
    there = with_peers(site, peer("told", ["gsps", "sc"]), peer("asks", ["sc"], report_empty=True))
    found(there)
    deliver_all(there, "told")
    assert none_found_now(there) == "none found, 1 objects"
    superseded = deliveries.SUPERSEDED
    assert outbox(there, "told") == [
        ("PR", "delivered", "Success"),
        ("SC", "delivered", "Success"),
        ("SC", "waiting", ""),
    ]
    assert outbox(there, "asks") == [("SC", "discarded", superseded), ("SC", "waiting", "")]
    page = dcmread(next(there.config.data_dir.glob(f"results/*/{current(there, UID)['SC']}.dcm")))
    assert (page.InstanceNumber, page.Modality) == (2, "OT")


def test_a_picture_shows_the_pixels_of_its_slices(site: Site) -> None:
    there = with_peers(site, peer("takes", ["sc"]))
    found(there)
    page = dcmread(next(there.config.data_dir.glob(f"results/*/{current(there, UID)['SC']}.dcm")))
    grey = (page.pixel_array == page.pixel_array[..., :1]).all(axis=-1)
    assert len(np.unique(page.pixel_array[grey])) > 100


def test_images_of_which_no_result_can_be_made_end_with_the_reason(site: Site) -> None:
    images = corrected()
    for image in images:
        del image.PixelSpacing  # of the header alone: the analysis that is entered next has its geometry
    arrive(site, images)
    analyse(site, finds=True)
    reason = "no result can be written: a source image lacks an attribute"
    assert report_study(site.node, UID).startswith(f"found, 0 objects; {reason}")
    assert analysis_state(site, UID).startswith(f"found: {reason}") and ledger(site, UID) == []
    with reading(site.node.sessions) as session:
        assert not any(undone.analyse for undone in studies.undone(session))


def test_the_failure_of_a_series_without_geometry_is_reported(site: Site) -> None:
    there = with_peers(site, peer("asks", ["seg", "ohif"], report_empty=True))
    images = corrected()
    for image in images:
        del image.ImagePositionPatient
    revision = arrive(there, images)
    with there.node.sessions.begin() as session:
        analyses.save_without_detections(session, "f", UID, revision, state="failed", reason="no plane", now=NOW)
    assert report_study(there.node, UID) == "failed, 1 objects"


def test_a_result_that_would_speak_of_a_lost_image_waits_for_it(site: Site) -> None:
    analyse(site, finds=True)
    with reading(site.node.sessions) as session:
        lost = next(each for each in studies.current_instances(session, UID) if each.modality == "CT")
    path = site.node.files.path(lost.file_name)
    away = path.rename(path.with_suffix(".away"))
    with pytest.raises(LostFile) as raised:
        report_study(site.node, UID)
    assert raised.value.facts == {"sop_instance_uid": lost.sop_instance_uid, "lost": 1}
    away.rename(path)
    report_study(site.node, UID)
    assert set(current(site, UID)) == {"SR", "SEG"}


def test_a_result_of_images_that_are_no_longer_those_is_not_sent(site: Site) -> None:
    analyse(site, finds=True)
    report_study(site.node, UID)
    arrive(site, corrected())
    assert deliver(site.node, 1) == ("the study changed since; waiting for its new analysis")
    assert set(delivery_states(site).values()) == {"waiting"}
    detect(site.node, UID)
    report_study(site.node, UID)
    assert deliver(site.node, 1) == (
        "the study changed before it was sent; then: not analysed, no model is promoted yet"
    )
    assert "discarded" in delivery_states(site).values()
