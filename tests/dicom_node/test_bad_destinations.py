"""Destinations that refuse, hang, break off or are down for days: nothing is lost, nothing goes under another UID, and
each delivery says what happened to it.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from node_process import free_port
from outbox import RESULT, Outbox
from peers import Script, ScriptedPeer, scripted_peer
from pydicom.uid import CTImageStorage
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    Verification,
)

from db import circuits, deliveries
from db.engine import Sessions, reading, utc_now
from db.errors import NodeError, PeerError, RequestError
from dicom_node import acts, commitment, scu
from dicom_node.circuits import OPENS_AFTER
from dicom_node.config import Peer
from dicom_node.deliver import SHADOW, deliver
from dicom_node.jobs import JobState
from dicom_node.node import Node
from dicom_node.store import LocalFiles
from dicom_node.sweep import sweep

DROPPED_SOCKET = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # by pynetdicom


@pytest.fixture
def outbox(any_sessions: Sessions, tmp_path: Path) -> Outbox:
    return Outbox(any_sessions, LocalFiles(tmp_path))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scu, "TIMEOUT_S", 1.0)


def arrived(there: ScriptedPeer) -> list[str]:
    return [str(ds.SOPInstanceUID) for ds in there.script.stored]


class Clockwork:
    """The sweep and what it starts, at the hours of a clock that the test turns; every job runs at once."""

    def __init__(self, outbox: Outbox, node: Callable[[], Node]) -> None:
        self.outbox, self.node, self.now = outbox, node, utc_now()
        self.tries: list[datetime] = []
        self.known: dict[str, JobState] = {}

    def enqueue(self, job_id: str, way: str, subject: str, partition: str = "") -> None:
        error = ""
        try:
            if way == "deliver":
                deliver(self.node(), int(subject), lambda: self.now)
            else:
                commitment.ask(self.node().config, self.outbox.sessions, subject, lambda: self.now)
        except NodeError as failure:
            error = str(failure)
            self.tries.append(self.now)
        self.known[job_id] = JobState(ended=True, error=error)

    def states(self, job_ids: list[str]) -> dict[str, JobState]:
        return {job_id: self.known[job_id] for job_id in job_ids if job_id in self.known}

    def run(self, lasts: timedelta, step: timedelta = timedelta(minutes=1)) -> None:
        until = self.now + lasts
        while self.now < until:
            sweep(self.outbox.sessions, self, self.now)  # type: ignore[arg-type]
            self.now += step


@pytest.mark.slow
@DROPPED_SOCKET
def test_a_destination_that_is_down_for_two_days_gets_all_of_it_once_and_was_not_hammered(outbox: Outbox) -> None:
    keys = [outbox.put(f"2.25.{number}") for number in range(6)]
    away = Peer(name="Archive", ae_title="ARCHIVE", port=free_port())
    where = {"peer": away}
    clockwork = Clockwork(outbox, lambda: outbox.node(where["peer"]))
    began = clockwork.now
    clockwork.run(timedelta(days=2), timedelta(minutes=20))
    rows = [outbox.row(pk) for pk in keys]
    assert {row.state for row in rows} == {"waiting"}
    assert OPENS_AFTER < len(clockwork.tries) < 70, "then one probe an hour"
    assert any("the destination is away (the peer cannot be reached); nothing is sent" in r.last_answer for r in rows)
    with reading(outbox.sessions) as session:
        (row,) = circuits.open_circuits(session)
        assert row.opened_at is not None and row.opened_at - began < timedelta(minutes=30)
    with scripted_peer(offers=(CTImageStorage, StorageCommitmentPushModel)) as there:
        where["peer"] = there.peer
        clockwork.run(timedelta(minutes=75), timedelta(minutes=5))
        assert sorted(arrived(there)) == sorted(f"2.25.{number}" for number in range(6)), "each once"
    assert {outbox.row(pk).state for pk in keys} == {"committed"}
    with reading(outbox.sessions) as session:
        assert circuits.open_circuits(session) == []


@DROPPED_SOCKET
def test_a_person_who_resends_has_a_destination_tried_at_once_though_it_is_away(outbox: Outbox) -> None:
    first, second = outbox.put("2.25.1"), outbox.put("2.25.2")
    away = Peer(name="Archive", ae_title="ARCHIVE", port=free_port())
    for _ in range(OPENS_AFTER):
        with pytest.raises(PeerError, match="cannot be reached"):
            outbox.deliver(first, away)
    with scripted_peer() as there:
        assert outbox.deliver(second, there.peer).startswith("the destination is away (the peer cannot be reached)")
        assert arrived(there) == []
        with outbox.sessions.begin() as session:
            deliveries.note_failure(session, first, 0, "the peer cannot be reached", utc_now() + timedelta(hours=1))
            acts.move_delivery(session, utc_now(), "a person", "resend", first)
        assert outbox.deliver(first, there.peer) == "Success"
        due = outbox.row(second).next_try_at
        assert due is not None and due <= utc_now(), "it is back: what waits for it goes at once"
        assert outbox.deliver(second, there.peer) == "Success"


def test_a_destination_that_lets_us_not_in_is_away_and_says_what_to_check(outbox: Outbox) -> None:
    pk = outbox.put()
    with scripted_peer(knows=["SOMEBODY"]) as there, pytest.raises(scu.PeerAway, match="knows our AE title"):
        outbox.deliver(pk, there.peer)


@pytest.mark.usefixtures("impatient")
def test_a_destination_that_hangs_is_away_and_gets_the_same_object_later(outbox: Outbox) -> None:
    pk, hang = outbox.put(), threading.Event()
    with scripted_peer(Script(hang=hang)) as there:
        with pytest.raises(scu.PeerAway, match="did not answer C-STORE"):
            outbox.deliver(pk, there.peer)
        hang.set()
        assert outbox.deliver(pk, there.peer) == "Success"
        assert set(arrived(there)) == {RESULT}


@DROPPED_SOCKET
@pytest.mark.usefixtures("impatient")
def test_a_destination_that_closes_in_mid_transfer_gets_the_same_object_later(outbox: Outbox) -> None:
    pk = outbox.put(PixelData=bytes(2_000_000))
    with scripted_peer(Script(cut=True)) as there:
        with pytest.raises(scu.PeerAway, match="did not answer C-STORE"):
            outbox.deliver(pk, there.peer)
        assert arrived(there) == []
        there.script.cut = False
        assert outbox.deliver(pk, there.peer) == "Success"
        assert arrived(there) == [RESULT]


def test_a_refusal_of_single_objects_stops_no_other(outbox: Outbox) -> None:
    pk, good = outbox.put("2.25.1"), outbox.put("2.25.2")
    with scripted_peer(Script(stores=[0xA900] * (OPENS_AFTER + 2) + [0x0000])) as there:
        for _ in range(OPENS_AFTER + 2):
            with pytest.raises(PeerError, match="0xA900"):
                outbox.deliver(pk, there.peer)
        assert outbox.deliver(good, there.peer) == "Success"


def test_a_refused_class_that_nothing_stands_in_for_says_so(outbox: Outbox) -> None:
    pk = outbox.put()
    with scripted_peer(offers=[Verification]) as there, pytest.raises(scu.ClassRefused, match="allow it there"):
        outbox.deliver(pk, there.peer)
    assert outbox.row(pk).state == "waiting"


def test_after_a_death_between_success_and_our_commit_the_same_uid_goes_again(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    pk = outbox.put()

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with scripted_peer() as there:
        with monkeypatch.context() as dying, pytest.raises(KeyboardInterrupt):
            dying.setattr(deliveries, "note_success", die)
            outbox.deliver(pk, there.peer)
        assert outbox.row(pk).state == "waiting"
        assert outbox.deliver(pk, there.peer) == "Success"
        assert arrived(there) == [RESULT, RESULT]


# --- shadow -----------------------------------------------------------------------------------------------------


def test_what_is_made_in_shadow_is_never_sent_also_when_the_mode_is_send_later(outbox: Outbox) -> None:
    pk = outbox.put(mode="shadow")
    with outbox.sessions.begin() as session:
        assert deliveries.due(session, utc_now() + timedelta(days=1)) == []
        with pytest.raises(RequestError, match="a delivery that is shadow cannot be changed by resend"):
            acts.move_delivery(session, utc_now(), "a person", "resend", pk)
    with scripted_peer() as there:
        assert outbox.deliver(pk, there.peer, mode="send") == "is shadow"
        assert arrived(there) == []


def test_what_waits_or_is_held_when_the_mode_becomes_shadow_is_not_sent_any_more(outbox: Outbox) -> None:
    waiting, held = outbox.put("2.25.1"), outbox.put("2.25.2", mode="hold")
    with scripted_peer() as there:
        assert outbox.deliver(waiting, there.peer, mode="shadow") == SHADOW
        with outbox.sessions.begin() as session:
            deliveries.release(session, held, "a person", utc_now())
        assert outbox.deliver(held, there.peer, mode="shadow") == SHADOW
        assert arrived(there) == []
    assert {outbox.row(pk).state for pk in (waiting, held)} == {"shadow"}
