"""What a person changes in an analysis stands in its next results."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread
from reported_study import (
    NOW,
    PHANTOM,
    UID,
    analysable,
    deliver_all,
    detection,
    found,
    none_found_now,
    outbox,
    peer,
    with_peers,
)
from sqlalchemy import select
from whole_way import Site, current, ledger

from db import analyses, findings, studies
from db.engine import reading
from db.outcomes import DetectionRow, Result
from dicom_node.reporting import report
from dicom_node.retract import retract
from dicom_node.workflows import reissue, report_study

pytestmark = pytest.mark.slow  # each makes real objects: seconds together


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Site:
    return analysable(tmp_path, database_url)


def judge(site: Site, *, take_out: bool, by: str = "Dr. Ward") -> str:
    """A person takes the one finding out, or puts it back; the analysis that was judged."""
    with site.node.sessions.begin() as session:
        row, analysis = findings.get(session, session.scalars(select(DetectionRow.detection_id)).one())
        findings.change(session, analysis, by, NOW, **{"out" if take_out else "back": [row]})
        return analysis.analysis_id


def stale(site: Site) -> list[tuple[str, int, int]]:
    with reading(site.node.sessions) as session:
        return analyses.unissued(session, NOW)


def test_a_finding_that_a_person_takes_out_leaves_the_results_at_once(site: Site) -> None:
    there = with_peers(site, peer("told", ["seg", "ohif"]), peer("fresh", ["ohif"]))
    found(there)
    deliver_all(there, "told")
    analysis_id = judge(there, take_out=True)
    assert stale(there) == [(analysis_id, 1, 0)]
    assert reissue(there.node, analysis_id) == "found, 1 objects"
    assert stale(there) == [] and reissue(there.node, analysis_id) == "reported already"
    assert [state for _, state, _ in outbox(there, "told")] == ["delivered", "delivered", "waiting"]
    assert [state for _, state, _ in outbox(there, "fresh")] == ["discarded"], "it never heard of the finding"
    report = next(there.config.data_dir.glob(f"results/*/{current(there, UID)['SR']}.dcm")).read_bytes()
    assert b"a person took out all that was found" in report and b"Lesion 1" not in report
    assert {row.number for row in ledger(there, UID) if row.kind == "SR"} == {1, 2}


def test_drawings_that_nothing_replaces_are_taken_back_where_notes_are_honoured(site: Site) -> None:
    honours = {"rejection_notes": True}
    there = with_peers(site, *(peer(name, ["seg"]).model_copy(update=honours) for name in ("has", "waits")))
    found(there)
    deliver_all(there, "has")
    assert reissue(there.node, judge(there, take_out=True)) == "found, 0 objects"
    assert [retract(there.node, NOW, set()) for _ in range(2)] == [1, 0]
    deliver_all(there, "has")
    assert [(kind, state) for kind, state, _ in outbox(there, "has")] == [("SEG", "delivered"), ("KO", "delivered")]
    assert [(kind, state) for kind, state, _ in outbox(there, "waits")] == [("SEG", "discarded")]


def test_drawings_of_what_a_later_analysis_does_not_find_are_taken_back_too(site: Site) -> None:
    there = with_peers(site, peer("has", ["seg"]).model_copy(update={"rejection_notes": True}))
    found(there)
    deliver_all(there, "has")
    assert retract(there.node, NOW, set()) == 0
    assert none_found_now(there) == "none found, 0 objects"
    assert retract(there.node, NOW, set()) == 1


def test_a_report_that_is_made_again_leaves_the_files_that_were_sent(site: Site) -> None:
    found(site)
    before = {path: path.read_bytes() for path in site.config.data_dir.glob("results/*/*.dcm")}
    assert report(site.node, UID, 1) == "reported already", "as by a second worker that looked before the first ended"
    assert {path: path.read_bytes() for path in site.config.data_dir.glob("results/*/*.dcm")} == before


def test_a_finding_that_is_put_back_stands_in_the_next_results_under_its_old_tracking_uid(site: Site) -> None:
    there = with_peers(site, peer("told", ["seg", "ohif"]))
    found(there)
    deliver_all(there, "told")
    for take_out in (True, False):
        reissue(there.node, judge(there, take_out=take_out))
        deliver_all(there, "told")
    assert set(current(there, UID)) == {"SR", "SEG"}
    report = dcmread(next(there.config.data_dir.glob(f"results/*/{current(there, UID)['SR']}.dcm")))
    assert "2.25.77" in str(report) and report.InstanceNumber == 3
    assert [state for _, state, _ in outbox(there, "told")] == ["delivered"] * 5


def test_a_lesion_keeps_its_number_when_one_before_it_is_taken_out(site: Site) -> None:
    """A reader who looks at the older result and at the page must mean the same lesion by the same number."""
    there = with_peers(site, peer("told", ["ohif"]))
    first = detection(there, 1)
    lesser = replace(first, detection_id="e1", score=0.8, tracking_uid="2.25.78", mask=None)
    with there.node.sessions.begin() as session:
        analysis = analyses.save(
            session, study_instance_uid=UID, study_revision=1, model_id="a" * 12,
            series_instance_uid=str(PHANTOM.images[0].SeriesInstanceUID),
            detections=[(replace(first, mask=None), True, ""), (lesser, True, "")], started_at=NOW, now=NOW,
            images_sha256=studies.images_sha256(session, UID),
        )  # fmt: skip
    report_study(there.node, UID)
    with there.node.sessions.begin() as session:
        row, judged = findings.get(session, first.detection_id)
        findings.change(session, judged, "Dr. Ward", NOW, out=[row])
    reissue(there.node, analysis.analysis_id)
    report = next(there.config.data_dir.glob(f"results/*/{current(there, UID)['SR']}.dcm")).read_bytes()
    assert b"Lesion 2: lesion 0.80" in report and b"Lesion 1: lesion" not in report


def test_what_a_person_released_for_a_destination_that_holds_goes_there_in_later_editions_too(site: Site) -> None:
    there = with_peers(site, *(peer(name, ["ohif"]).model_copy(update={"mode": "hold"}) for name in ("free", "kept")))
    found(there)
    with there.node.sessions.begin() as session:
        (analysis_id,) = {row.analysis_id for row in session.scalars(select(Result))}
        findings.release(session, findings.lock(session, analysis_id), ["free"], "Dr. Ward", NOW)
    for take_out in (True, False):
        reissue(there.node, judge(there, take_out=take_out))
    assert [state for _, state, _ in outbox(there, "free")][-1] == "waiting"
    assert [state for _, state, _ in outbox(there, "kept")][-1] == "held"
