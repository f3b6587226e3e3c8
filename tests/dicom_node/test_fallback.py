"""A destination that refuses a SOP class gets the next profile of the chain, and the delivery says so."""

from pathlib import Path
from typing import Any

import pytest
from peers import Script, scripted_peer
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from reported_study import UID, analysable, analyse, found, with_peers
from sqlalchemy import select
from whole_way import Site

from db import deliveries, findings
from db.engine import reading, utc_now
from db.outcomes import Analysis, Audit, Delivery, DetectionRow, Result
from dicom_node import deliver as delivering
from dicom_node.config import Peer
from dicom_node.deliver import deliver
from dicom_node.fallback import CHANGED, may_go_to
from dicom_node.scu import ClassRefused, PeerAway, Stored
from dicom_node.workflows import reissue, report_study

pytestmark = pytest.mark.slow  # each makes real objects

REFUSES_3D = "the peer refuses Comprehensive 3D SR Storage; sent as ohif-comprehensive instead"


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Site:
    return analysable(tmp_path, database_url)


def reported_to(site: Site, peer: Peer, **changes: object) -> Site:
    """The study's results are in the outbox for a peer."""
    there = with_peers(site, peer.model_copy(update={"deliver": ["ohif"], "mode": "send", **changes}))
    found(there)
    return there


def outbox(site: Site) -> dict[str, tuple[str, str]]:
    """Profile → state and last answer."""
    with reading(site.node.sessions) as session:
        rows = session.execute(
            select(Result.profile, Delivery.state, Delivery.last_answer)
            .join(Delivery, Delivery.result_sop_instance_uid == Result.result_sop_instance_uid)
            .order_by(Delivery.delivery_pk)
        )
        return {profile: (state, answer) for profile, state, answer in rows}


def send_all(site: Site) -> list[str]:
    """Everything that is due, the newly queued included."""
    said = []
    while True:
        with reading(site.node.sessions) as session:
            due = deliveries.due(session, utc_now())
        if not due:
            return said
        said += [deliver(site.node, pk) for pk, *_ in due]


def test_a_peer_without_3d_reports_gets_the_plain_ones(site: Site) -> None:
    with scripted_peer(offers=[ComprehensiveSRStorage]) as there:
        reported = reported_to(site, there.peer)
        assert send_all(reported) == [REFUSES_3D, "Success"]
        (stored,) = there.script.stored
    assert (stored.SOPClassUID, stored.StudyInstanceUID) == (ComprehensiveSRStorage, UID)
    assert outbox(reported) == {"ohif": ("discarded", REFUSES_3D), "ohif-comprehensive": ("delivered", "Success")}


def test_a_peer_without_any_report_gets_what_it_can_draw_along_the_chain(site: Site) -> None:
    with scripted_peer(offers=[GrayscaleSoftcopyPresentationStateStorage]) as there:
        reported = reported_to(site, there.peer)
        assert send_all(reported) == [
            REFUSES_3D, "the peer refuses Comprehensive SR Storage; sent as gsps instead", "Success",
        ]  # fmt: skip
        assert [ds.Modality for ds in there.script.stored] == ["PR"]


def test_that_nothing_was_found_skips_what_can_only_draw(site: Site) -> None:
    with scripted_peer(offers=[SecondaryCaptureImageStorage]) as there:
        takes = there.peer.model_copy(update={"deliver": ["ohif"], "mode": "send", "report_empty": True})
        reported = with_peers(site, takes)
        analyse(reported, finds=False)
        report_study(reported.node, UID)
        assert send_all(reported) == [
            REFUSES_3D, "the peer refuses Comprehensive SR Storage; sent as sc instead", "Success",
        ]  # fmt: skip
        assert [ds.Modality for ds in there.script.stored] == ["OT"]


def test_a_refusal_that_comes_as_the_status_of_a_store_falls_back_too(site: Site) -> None:
    script = Script(stores=[0x0122, 0x0000])
    with scripted_peer(script, offers=[Comprehensive3DSRStorage, ComprehensiveSRStorage]) as there:
        reported = reported_to(site, there.peer)
        assert send_all(reported) == [REFUSES_3D, "Success"]


def test_where_the_destination_takes_the_next_profile_anyway_it_goes_once(site: Site) -> None:
    with scripted_peer(offers=[ComprehensiveSRStorage]) as there:
        reported = reported_to(site, there.peer, deliver=["ohif", "ohif-comprehensive"])
        assert sorted(send_all(reported)) == ["Success", REFUSES_3D]
        assert len(there.script.stored) == 1


def test_the_same_refusal_again_builds_the_same_object_and_queues_it_once(site: Site) -> None:
    with scripted_peer(offers=[ComprehensiveSRStorage]) as there:
        reported = reported_to(site, there.peer)
        send_all(reported)
        with site.node.sessions.begin() as session:  # as after a death before the commit
            row = session.scalars(select(Delivery).join(Result).where(Result.profile == "ohif")).one()
            row.state, row.next_try_at = "waiting", utc_now()
        assert send_all(reported) == [REFUSES_3D]
        assert len(there.script.stored) == 1


def test_what_stands_in_for_a_released_result_is_not_held_again(site: Site) -> None:
    with scripted_peer(offers=[ComprehensiveSRStorage]) as there:
        reported = reported_to(site, there.peer, mode="hold")
        assert send_all(reported) == []
        with site.node.sessions.begin() as session:
            (pk,) = deliveries.standing(session, "Archive", "held")
            deliveries.release(session, pk, "a person", utc_now())
        assert send_all(reported) == [REFUSES_3D, "Success"]
    with reading(site.node.sessions) as session:
        actors = session.scalars(select(Audit.actor).where(Audit.action == deliveries.RELEASE)).all()
    assert actors == ["a person", f"delivery {pk}"]


def test_what_a_person_changes_while_it_is_refused_goes_out_as_it_is_made_anew(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = delivering.send

    def reject_meanwhile(*letter: Any) -> Stored:
        with site.node.sessions.begin() as session:
            row, analysis = findings.get(session, session.scalars(select(DetectionRow.detection_id)).one())
            if not analysis.edition:
                findings.change(session, analysis, "a person", utc_now(), out=[row])
        return send(*letter)

    monkeypatch.setattr(delivering, "send", reject_meanwhile)
    with scripted_peer(offers=[ComprehensiveSRStorage]) as there:
        reported = reported_to(site, there.peer, report_empty=True)
        assert send_all(reported) == [CHANGED]
        with reading(site.node.sessions) as session:
            (analysis_id,) = session.scalars(select(Analysis.analysis_id))
        reissue(reported.node, analysis_id)
        assert send_all(reported) == [REFUSES_3D, "Success"]
        (stored,) = there.script.stored
    assert "a person took out all that was found" in stored.to_json()


def test_at_the_end_of_the_chain_the_refusal_stands(site: Site) -> None:
    with scripted_peer(offers=[Verification]) as there:
        reported = reported_to(site, there.peer, deliver=["seg"])
        (first,) = _due(reported)
        assert deliver(reported.node, first) == "the peer refuses Segmentation Storage; sent as rtstruct instead"
        (last,) = _due(reported)
        with pytest.raises(ClassRefused, match="allow it there"):
            deliver(reported.node, last)


def test_a_peer_that_rejects_the_whole_association_gets_no_other_profile(site: Site) -> None:
    with scripted_peer(offers=[SegmentationStorage], knows=["SOMEBODY"]) as there:
        reported = reported_to(site, there.peer)
        (pk,) = _due(reported)
        with pytest.raises(PeerAway, match="rejected the association"):
            deliver(reported.node, pk)
    assert set(outbox(reported)) == {"ohif"}


def _due(site: Site) -> list[int]:
    with reading(site.node.sessions) as session:
        return [pk for pk, *_ in deliveries.due(session, utc_now())]


@pytest.mark.parametrize(
    ("profile", "goes"), [("ohif", True), ("ohif-comprehensive", True), ("gsps", True), ("seg", False), ("x", False)]
)
def test_a_destination_takes_what_it_wants_and_what_stands_in_for_that(profile: str, goes: bool) -> None:
    assert may_go_to(Peer(name="a", ae_title="A", deliver=["ohif"]), profile) is goes
