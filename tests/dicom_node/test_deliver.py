"""What becomes of a result in the outbox, against a real SCP as its destination."""

from datetime import timedelta
from pathlib import Path

import pytest
from node_process import free_port
from outbox import RESULT, Outbox
from peers import Script, ScriptedPeer, scripted_peer
from sqlalchemy import update

from db import deliveries
from db.engine import Sessions, utc_now
from db.errors import ContentError, PeerError
from db.models import Study
from db.outcomes import Delivery, Result
from dicom_node.config import Peer
from dicom_node.store import LocalFiles


@pytest.fixture
def outbox(any_sessions: Sessions, tmp_path: Path) -> Outbox:
    return Outbox(any_sessions, LocalFiles(tmp_path))


def arrived(there: ScriptedPeer) -> list[str]:
    return [str(ds.SOPInstanceUID) for ds in there.script.stored]


@pytest.mark.parametrize(("status", "answer"), [(0x0000, "Success"), (0xB007, "stored with warning 0xB007")])
def test_what_the_peer_took_is_delivered_with_its_answer(outbox: Outbox, status: int, answer: str) -> None:
    pk = outbox.put()
    with scripted_peer(Script(stores=[status])) as there:
        assert outbox.deliver(pk, there.peer) == answer
        assert arrived(there) == [RESULT]
    row = outbox.row(pk)
    assert (row.state, row.tries, row.last_answer, row.next_try_at) == ("delivered", 1, answer, None)
    assert row.delivered_at is not None


def test_what_is_delivered_is_not_sent_again_however_often_it_is_asked_for(outbox: Outbox) -> None:
    pk = outbox.put()
    with scripted_peer() as there:
        outbox.deliver(pk, there.peer)
        assert outbox.deliver(pk, there.peer) == "is delivered"
        assert arrived(there) == [RESULT]


def test_a_held_result_is_not_sent_before_a_person_releases_it(outbox: Outbox) -> None:
    pk = outbox.put(mode="hold")
    with scripted_peer() as there:
        assert outbox.deliver(pk, there.peer) == "is held"
        assert arrived(there) == []
        with outbox.sessions.begin() as session:
            deliveries.release(session, pk, "a person", utc_now())
        assert outbox.deliver(pk, there.peer) == "Success"


def test_what_waits_is_held_where_the_mode_is_hold_now_unless_a_person_released_it(outbox: Outbox) -> None:
    first, second = outbox.put("2.25.1"), outbox.put("2.25.2", mode="hold")
    with outbox.sessions.begin() as session:
        deliveries.release(session, second, "a person", utc_now())
    with scripted_peer() as there:
        assert outbox.deliver(first, there.peer, mode="hold") == "mode is hold now: a person must release it"
        assert (outbox.row(first).state, outbox.row(first).next_try_at) == ("held", None)
        assert outbox.deliver(second, there.peer, mode="hold") == "Success"
        with outbox.sessions.begin() as session:
            deliveries.release(session, first, "a person", utc_now())
        assert outbox.deliver(first, there.peer, mode="hold") == "Success"
        assert arrived(there) == ["2.25.2", "2.25.1"]


def test_a_profile_that_the_destination_takes_no_more_is_not_sent(outbox: Outbox) -> None:
    pk = outbox.put()
    with scripted_peer() as there:
        assert outbox.deliver(pk, there.peer, deliver=["seg"]) == "the destination no longer takes the profile ohif"
        assert arrived(there) == []
    assert (outbox.row(pk).state, outbox.row(pk).next_try_at) == ("discarded", None)


def test_what_waits_for_a_destination_that_was_removed_is_discarded_at_once(outbox: Outbox) -> None:
    pk = outbox.put()
    other = Peer(name="Another", ae_title="ANOTHER", port=free_port())
    assert outbox.deliver(pk, other) == "the destination is no longer in node.toml"
    assert (outbox.row(pk).state, outbox.row(pk).tries) == ("discarded", 0)


def test_a_failure_leaves_it_waiting_and_the_next_try_delivers_it(outbox: Outbox) -> None:
    pk = outbox.put()
    with scripted_peer(Script(stores=[0xA700, 0x0000])) as there:
        with pytest.raises(PeerError, match="0xA700: out of resources") as caught:
            outbox.deliver(pk, there.peer)
        assert (outbox.row(pk).state, outbox.row(pk).tries) == ("waiting", 0)
        with outbox.sessions.begin() as session:  # as the sweep notes it
            deliveries.note_failure(session, pk, 0, str(caught.value), utc_now() + timedelta(seconds=60))
        assert (outbox.row(pk).state, outbox.row(pk).tries) == ("waiting", 1)
        assert outbox.row(pk).last_answer == "the peer answered C-STORE with 0xA700: out of resources (peer=Archive)"
        assert outbox.deliver(pk, there.peer) == "Success"
        assert arrived(there) == [RESULT]
    assert (outbox.row(pk).state, outbox.row(pk).tries) == ("delivered", 2)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pynetdicom drops an unused socket
def test_a_destination_that_is_away_or_breaks_off_leaves_it_waiting(outbox: Outbox) -> None:
    pk = outbox.put()
    with pytest.raises(PeerError, match="cannot be reached"):
        outbox.deliver(pk, Peer(name="Archive", ae_title="ARCHIVE", port=free_port()))
    with scripted_peer(Script(abort=True)) as there, pytest.raises(PeerError, match="did not answer C-STORE"):
        outbox.deliver(pk, there.peer)
    assert (outbox.row(pk).state, outbox.row(pk).delivered_at) == ("waiting", None)


def test_a_result_whose_file_is_gone_says_what_to_do(outbox: Outbox) -> None:
    pk = outbox.put()
    outbox.files.path(f"{RESULT}.dcm").unlink()
    with scripted_peer() as there, pytest.raises(ContentError, match=f"restore it from the backup.*{RESULT}.dcm"):
        outbox.deliver(pk, there.peer)
    assert outbox.row(pk).state == "waiting"


def test_a_superseded_result_is_discarded_and_never_sent(outbox: Outbox) -> None:
    pk = outbox.put()
    outbox.change(Result, superseded_by="2.25.7002")
    with scripted_peer() as there:
        assert outbox.deliver(pk, there.peer) == "superseded before it was sent"
        assert arrived(there) == []
    assert (outbox.row(pk).state, outbox.row(pk).next_try_at) == ("discarded", None)


@pytest.mark.parametrize("change", [{"revision": 2}, {"state": "receiving"}])
def test_a_result_of_a_study_that_changed_since_waits_for_the_newer_one(
    outbox: Outbox, change: dict[str, object]
) -> None:
    pk = outbox.put()
    outbox.change(Study, **change)
    with scripted_peer() as there:
        assert outbox.deliver(pk, there.peer) == "the study changed since; waiting for its new analysis"
        assert arrived(there) == []
    row = outbox.row(pk)
    assert (row.state, row.tries) == ("waiting", 0)
    assert row.next_try_at is not None
    assert timedelta(0) < row.next_try_at - utc_now() <= timedelta(minutes=1)


def test_a_result_that_the_newer_analysis_no_longer_finds_is_discarded_with_what_it_found(outbox: Outbox) -> None:
    pk = outbox.put()
    outbox.change(Study, revision=2, analysed_revision=2)
    outbox.analyse("b", revision=2, state="none found")
    answer = "the study changed before it was sent; then: none found"
    with scripted_peer() as there:
        assert outbox.deliver(pk, there.peer) == answer
        assert arrived(there) == []
    assert (outbox.row(pk).state, outbox.row(pk).last_answer) == ("discarded", answer)


def test_more_than_max_results_per_hour_pauses_the_destination_and_says_so(outbox: Outbox) -> None:
    first, second, third = (outbox.put(f"2.25.{number}") for number in (1, 2, 3))
    with scripted_peer() as there:
        peer = there.peer.model_copy(update={"max_results_per_hour": 2})
        assert [outbox.deliver(pk, peer) for pk in (first, second)] == ["Success", "Success"]
        answer = "paused: 2 results in the last hour, max_results_per_hour is 2"
        assert outbox.deliver(third, peer) == answer
        assert arrived(there) == ["2.25.1", "2.25.2"]
        row = outbox.row(third)
        assert (row.state, row.tries, row.last_answer) == ("waiting", 0, answer)
        assert row.next_try_at is not None
        assert row.next_try_at > utc_now()
        with outbox.sessions.begin() as session:  # an hour later
            session.execute(update(Delivery).values(delivered_at=utc_now() - timedelta(hours=1, seconds=1)))
        assert outbox.deliver(third, peer) == "Success"
