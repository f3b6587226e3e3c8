"""What no longer holds is taken back by a rejection note, where the destination honours them, and once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from outbox import Outbox
from peers import ScriptedPeer, scripted_peer
from pydicom import Dataset, dcmread
from pydicom.uid import CTImageStorage, KeyObjectSelectionDocumentStorage
from sqlalchemy import select, update

from db import deliveries, results, retractions
from db.engine import Sessions, reading, utc_now
from db.errors import PeerError, RequestError
from db.models import Study
from db.outcomes import Assessment, DetectionRow, Result
from dicom_node import deliver as delivering
from dicom_node.acts import withdraw
from dicom_node.retract import retract
from dicom_node.scu import Stored
from dicom_node.store import LocalFiles

OLD, NEW = "2.25.1", "2.25.2"
OFFERS = (CTImageStorage, KeyObjectSelectionDocumentStorage)
HONOURS = {"rejection_notes": True}


@pytest.fixture
def outbox(any_sessions: Sessions, tmp_path: Path) -> Outbox:
    return Outbox(any_sessions, LocalFiles(tmp_path))


def take_back(outbox: Outbox, there: ScriptedPeer, **changes: object) -> int:
    return retract(outbox.node(there.peer, **(HONOURS | changes)), utc_now(), set())


def note_of(outbox: Outbox, uid: str) -> tuple[int, Dataset]:
    """The delivery of the note that takes a result back, and the note."""
    with reading(outbox.sessions) as session:
        note = session.scalars(select(Result).where(Result.rejects == uid)).one()
        (pk,) = deliveries.of_result(session, note.result_sop_instance_uid, "Archive")
    return pk, dcmread(outbox.files.path(note.file_name))


def supersede(outbox: Outbox, kind: str = "SEG") -> None:
    with outbox.sessions.begin() as session:
        session.execute(update(Result).values(kind=kind))
        results.supersede(session, OLD, NEW)


def find(outbox: Outbox, *verdicts: str) -> None:
    """A finding for each verdict of its reader; empty for one of which nobody spoke."""
    with outbox.sessions.begin() as session:
        for verdict in verdicts:
            row = DetectionRow(
                detection_id=str(uuid4()), analysis_id="a", sop_instance_uid="1.2", tracking_uid="2.25.5", z_first=0,
                z_last=1, score=0.5, created_at=utc_now(), long_axis_mm=9, short_axis_mm=5,
                **{f"box_{name}": 1.0 for name in ("x1", "y1", "x2", "y2")},
                **{f"{axis}_{name}": 1.0 for axis in ("long", "short") for name in ("x1", "y1", "x2", "y2")},
            )  # fmt: skip
            session.add(row)
            session.flush()
            for said in verdict.split():
                session.add(
                    Assessment(detection_id=row.detection_id, analysis_id="a", verdict=said, assessed_at=utc_now())
                )
                session.flush()


def test_a_replaced_segmentation_is_taken_back_and_is_retracted_once_the_note_has_arrived(outbox: Outbox) -> None:
    old, new = outbox.put(OLD), outbox.put(NEW)
    with scripted_peer(offers=OFFERS) as there:
        for pk in (old, new):
            outbox.deliver(pk, there.peer)
        supersede(outbox)
        assert take_back(outbox, there) == 1
        assert take_back(outbox, there) == 0, "once"
        pk, note = note_of(outbox, OLD)
        assert outbox.row(old).state == "delivered", "not before it has arrived"
        assert outbox.deliver(pk, there.peer, **HONOURS) == "Success"
        assert there.script.stored[-1].SOPInstanceUID == note.SOPInstanceUID
        assert take_back(outbox, there) == 0
    assert note.ConceptNameCodeSequence[0].CodeValue == "113001"
    assert (outbox.row(old).state, outbox.row(old).last_answer) == (
        "retracted", f"taken back by the rejection note {note.SOPInstanceUID}",
    )  # fmt: skip
    assert outbox.row(new).state == "delivered"
    with reading(outbox.sessions) as session:
        assert [row.result_sop_instance_uid for row in results.current_results(session, note.StudyInstanceUID)] == [NEW]


def test_where_notes_are_not_honoured_nothing_is_made(outbox: Outbox) -> None:
    old, new = outbox.put(OLD), outbox.put(NEW)
    with scripted_peer(offers=OFFERS) as there:
        for pk in (old, new):
            outbox.deliver(pk, there.peer)
        supersede(outbox)
        assert take_back(outbox, there, rejection_notes=False) == 0
        assert take_back(outbox, there) == 1
        pk, _ = note_of(outbox, OLD)
        answer = "the destination takes no rejection notes now"
        assert outbox.deliver(pk, there.peer, rejection_notes=False) == answer
    assert (outbox.row(pk).state, outbox.row(old).state) == ("discarded", "delivered")


def test_a_report_with_a_newer_one_in_its_series_is_left_and_one_without_is_taken_back(outbox: Outbox) -> None:
    old, new = outbox.put(OLD), outbox.put(NEW)
    with scripted_peer(offers=OFFERS) as there:
        outbox.deliver(old, there.peer)
        supersede(outbox, kind="SR")
        assert take_back(outbox, there) == 0, "the newer one is on its way"
        outbox.deliver(new, there.peer)
        assert take_back(outbox, there) == 0, "it is shown instead"
        with outbox.sessions.begin() as session:
            session.execute(update(Result).where(Result.result_sop_instance_uid == NEW).values(series_instance_uid="2"))
        assert take_back(outbox, there) == 1


@pytest.mark.parametrize("kind", ["SR", "SEG"])
def test_what_a_held_one_replaces_is_left_until_a_person_has_decided(outbox: Outbox, kind: str) -> None:
    old, new = outbox.put(OLD), outbox.put(NEW, mode="hold")
    with scripted_peer(offers=OFFERS) as there:
        outbox.deliver(old, there.peer)
        supersede(outbox, kind)
        assert take_back(outbox, there) == 0, "it is all there is"
        with outbox.sessions.begin() as session:
            deliveries.discard(session, new, "discarded by a person")
        assert take_back(outbox, there) == 1


def test_what_was_never_delivered_is_not_taken_back(outbox: Outbox) -> None:
    outbox.put(OLD), outbox.put(NEW)
    supersede(outbox)
    with scripted_peer() as there:
        assert take_back(outbox, there) == 0


@pytest.mark.parametrize(
    ("verdicts", "taken_back"),
    [
        (["rejected", "rejected"], 1),
        (["accepted rejected"], 1),
        (["rejected", "accepted"], 0),
        (["rejected", ""], 0),
        (["rejected accepted"], 0),
        ([], 0),
    ],
)
def test_a_result_of_which_a_reader_rejected_every_finding_is_taken_back(
    outbox: Outbox, verdicts: list[str], taken_back: int
) -> None:
    pk = outbox.put(OLD)
    find(outbox, *verdicts)
    with scripted_peer(offers=OFFERS) as there:
        outbox.deliver(pk, there.peer)
        assert take_back(outbox, there) == taken_back


def test_a_note_goes_out_though_its_study_changed_and_its_destination_holds_or_has_had_enough(outbox: Outbox) -> None:
    old, new = outbox.put(OLD), outbox.put(NEW)
    with scripted_peer(offers=OFFERS) as there:
        for pk in (old, new):
            outbox.deliver(pk, there.peer)
        supersede(outbox)
        take_back(outbox, there)
        outbox.change(Study, revision=2, state="receiving")
        pk, _ = note_of(outbox, OLD)
        assert outbox.deliver(pk, there.peer, mode="hold", max_results_per_hour=1, **HONOURS) == "Success"


def test_a_destination_that_refuses_the_note_keeps_the_result_and_says_so(outbox: Outbox) -> None:
    old, new = outbox.put(OLD), outbox.put(NEW)
    with scripted_peer() as there:
        for pk in (old, new):
            outbox.deliver(pk, there.peer)
        supersede(outbox)
        take_back(outbox, there)
        pk, _ = note_of(outbox, OLD)
        with pytest.raises(PeerError, match="does not accept this SOP class"):
            outbox.deliver(pk, there.peer, **HONOURS)
    assert outbox.row(old).state == "delivered"


@pytest.mark.parametrize("by", ["a newer result", "a person"])
def test_what_stands_there_and_was_to_be_sent_again_is_taken_back_too(outbox: Outbox, by: str) -> None:
    old, new = outbox.put(OLD), outbox.put(NEW)
    with scripted_peer(offers=OFFERS) as there:
        for pk in (old, new):
            outbox.deliver(pk, there.peer)
        with outbox.sessions.begin() as session:
            deliveries.release(session, old, "a person", utc_now())
        if by == "a person":
            with outbox.sessions.begin() as session:
                said = withdraw(session, utc_now(), by, OLD, {"Archive"})
            assert said == "The result is withdrawn; it is taken back at Archive."
        else:
            supersede(outbox)
            assert outbox.deliver(old, there.peer) == deliveries.SUPERSEDED
        assert outbox.row(old).state == "delivered", "it is there, and not sent again"
        assert take_back(outbox, there) == 1


def test_a_result_that_is_withdrawn_while_it_is_on_its_way_says_so(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    pk, send = outbox.put(OLD), delivering.send

    def withdraw_meanwhile(*letter: Any) -> Stored:
        with outbox.sessions.begin() as session:
            withdraw(session, utc_now(), "a person", OLD, {"Archive"})
        return send(*letter)

    monkeypatch.setattr(delivering, "send", withdraw_meanwhile)
    with scripted_peer(offers=OFFERS) as there:
        outbox.deliver(pk, there.peer)
        assert outbox.row(pk).last_answer == "Success; withdrawn by a person"
        assert take_back(outbox, there) == 1


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"")], ids=["gone", "empty"])
def test_a_result_whose_file_is_gone_is_said_once(
    outbox: Outbox, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], object]
) -> None:
    old, new = outbox.put(OLD), outbox.put(NEW)
    with scripted_peer() as there:
        for pk in (old, new):
            outbox.deliver(pk, there.peer)
        supersede(outbox)
        damage(outbox.files.path(f"{OLD}.dcm"))
        stuck: set[str] = set()
        for _ in range(3):
            assert retract(outbox.node(there.peer, **HONOURS), utc_now(), stuck) == 0
    assert len([record for record in caplog.records if "cannot be taken back" in record.getMessage()]) == 1


# --- a person ---------------------------------------------------------------------------------------------------


def test_what_a_person_withdraws_is_not_sent_any_more_and_is_taken_back_where_it_was(outbox: Outbox) -> None:
    sent, waits = outbox.put(OLD), outbox.put(NEW)
    with scripted_peer(offers=OFFERS) as there:
        outbox.deliver(sent, there.peer)
        with outbox.sessions.begin() as session:
            said = [withdraw(session, utc_now(), "a person", uid, {"Archive"}) for uid in (OLD, NEW)]
        assert said == [
            "The result is withdrawn; it is taken back at Archive.",
            "The result is withdrawn; it is not sent to Archive.",
        ]
        assert outbox.deliver(waits, there.peer) == "is discarded"
        assert take_back(outbox, there) == 1
        pk, note = note_of(outbox, OLD)
        assert note.ConceptNameCodeSequence[0].CodeValue == "113037"
        outbox.deliver(pk, there.peer, **HONOURS)
    assert [outbox.row(pk).state for pk in (sent, waits)] == ["retracted", "discarded"]


def test_where_notes_are_not_honoured_a_person_is_told_to_delete_it(outbox: Outbox) -> None:
    pk = outbox.put(OLD)
    with scripted_peer() as there:
        outbox.deliver(pk, there.peer)
    with outbox.sessions.begin() as session:
        said = withdraw(session, utc_now(), "a person", OLD, set())
    assert said == "The result is withdrawn; delete it by hand where rejection notes are not taken: Archive."
    assert outbox.row(pk).last_answer == "Success; withdrawn by a person"


def test_only_a_result_that_stands_can_be_withdrawn(outbox: Outbox) -> None:
    outbox.put(OLD)
    with outbox.sessions.begin() as session:
        withdraw(session, utc_now(), "a person", OLD, set())
        for uid, because in ((OLD, "withdrawn already"), ("2.25.404", "there is no such result")):
            with pytest.raises(RequestError, match=because):
                retractions.withdraw(session, uid, "a person", utc_now())
