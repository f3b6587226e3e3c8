"""Storage commitment that we ask of a destination: real associations, the answer on either way, what comes of it."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from arriving import receiving
from node_process import wait_until
from outbox import RESULT, Outbox
from peers import Script, ScriptedPeer, event_information, scripted_peer
from pydicom import Dataset
from pydicom.uid import CTImageStorage
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from db import commitments, deliveries
from db.engine import Sessions, reading, utc_now
from db.errors import ContentError
from db.outcomes import Circuit
from dicom_node import commitment, commitment_answers
from dicom_node.backoff import COMMIT_TRIES
from dicom_node.commitment_answers import MOST_ASKED, consequence, read
from dicom_node.config import Config
from dicom_node.scp import Sender
from dicom_node.store import LocalFiles, Store

OFFERS = (CTImageStorage, StorageCommitmentPushModel)
SOON = timedelta(seconds=10)


@pytest.fixture
def outbox(any_sessions: Sessions, tmp_path: Path) -> Outbox:
    return Outbox(any_sessions, LocalFiles(tmp_path))


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no answer comes on the same association, it is not waited for."""
    monkeypatch.setattr(commitment, "ANSWER_S", 0.05)


def ask(outbox: Outbox, there: ScriptedPeer, now: datetime | None = None, **changes: object) -> str:
    """Soon after a delivery."""
    peer = there.peer.model_copy(update=changes)
    return commitment.ask(Config(peers=[peer]), outbox.sessions, "Archive", lambda: now or utc_now() + SOON)


def asked_of(there: ScriptedPeer) -> list[list[str]]:
    return [
        [str(item.ReferencedSOPInstanceUID) for item in action.ReferencedSOPSequence]
        for action in there.script.transactions
    ]


def test_all_that_is_due_is_one_transaction_and_an_answer_on_the_same_association_commits_it(outbox: Outbox) -> None:
    keys = [outbox.put(uid) for uid in ("2.25.1", "2.25.2")]
    with scripted_peer(offers=OFFERS) as there:
        for pk in keys:
            assert outbox.deliver(pk, there.peer) == "Success"
        assert ask(outbox, there, utc_now() - SOON) == "nothing is due", "the second may still come"
        assert ask(outbox, there) == "asked for 2 objects, answered at once"
        assert ask(outbox, there) == "nothing is due"
        assert asked_of(there) == [["2.25.1", "2.25.2"]] and there.script.told == [0x0000]
    for pk in keys:
        row = outbox.row(pk)
        assert (row.state, row.last_answer, row.next_commit_at) == ("committed", "Success", None)
        assert row.committed_at is not None


@pytest.mark.usefixtures("brief")
def test_an_answer_on_a_new_association_is_taken_by_the_receiving_process(outbox: Outbox, tmp_path: Path) -> None:
    pk = outbox.put()
    store = Store(outbox.sessions, LocalFiles(tmp_path))
    script = Script()
    with (
        receiving(store, Sender("ARCHIVE", stores=False, name="Archive")) as receiver,
        scripted_peer(script, OFFERS) as there,
    ):
        script.answer_to = receiver.port
        outbox.deliver(pk, there.peer)
        ask(outbox, there)
        wait_until(lambda: bool(script.told), 20, "the answer")
        assert script.told == [0x0000]
    assert outbox.row(pk).state == "committed"


@pytest.mark.usefixtures("brief")
def test_an_answer_is_taken_from_nobody_but_the_one_who_was_asked(outbox: Outbox, tmp_path: Path) -> None:
    pk = outbox.put()
    store = Store(outbox.sessions, LocalFiles(tmp_path))
    script = Script()
    with (
        receiving(store, Sender("ARCHIVE", name="Another archive")) as receiver,
        scripted_peer(script, OFFERS) as there,
    ):
        script.answer_to = receiver.port
        outbox.deliver(pk, there.peer)
        ask(outbox, there)
        wait_until(lambda: bool(script.told), 20, "the answer")
        assert script.told == [0x0115]
    assert outbox.row(pk).state == "delivered"


def test_what_one_transaction_cannot_take_is_due_again_soon_and_under_another_time(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commitments, "AT_ONCE", 2)
    keys = [outbox.put(f"2.25.{number}") for number in range(1, 6)]
    with scripted_peer(offers=OFFERS) as there:
        for pk in keys:
            outbox.deliver(pk, there.peer)
        at = utc_now() + SOON
        with outbox.sessions.begin() as session:
            commitments.postpone(session, "Archive", at, at)  # as while the destination was away
        seen = []
        while True:
            with reading(outbox.sessions) as session:
                due = commitments.due(session, at)
            if not due:
                break
            seen += due  # the job's id is made of it: the same again would never run
            ask(outbox, there, at)
            at += SOON
        assert [len(uids) for uids in asked_of(there)] == [2, 2, 1] and len(set(seen)) == 3


def test_a_destination_that_offers_none_is_not_asked(outbox: Outbox) -> None:
    pk = outbox.put()
    with scripted_peer() as there:
        outbox.deliver(pk, there.peer)
    assert (outbox.row(pk).state, outbox.row(pk).next_commit_at) == ("delivered", None)


def test_a_destination_that_offers_none_any_more_says_so_once_and_is_not_asked_again(outbox: Outbox) -> None:
    pk = outbox.put()
    with scripted_peer(offers=OFFERS) as there:
        outbox.deliver(pk, there.peer)
    with scripted_peer() as there:
        assert ask(outbox, there) == "not offered"
        assert ask(outbox, there, utc_now() + timedelta(days=9)) == "nothing is due"
    row = outbox.row(pk)
    assert (row.state, row.last_answer) == ("delivered", "Success; storage commitment not offered")


def test_where_commitment_is_switched_off_nothing_is_asked(outbox: Outbox) -> None:
    pk = outbox.put()
    with scripted_peer(offers=OFFERS) as there:
        outbox.deliver(pk, there.peer)
        assert ask(outbox, there, commitment=False) == "storage commitment is not asked there any more"
        assert there.script.transactions == []
    assert outbox.row(pk).next_commit_at is None


@pytest.mark.usefixtures("brief")
def test_a_destination_that_never_answers_is_asked_over_days_and_then_no_more(outbox: Outbox) -> None:
    pk, waits = outbox.put(), []
    with scripted_peer(Script(answer_to=None), offers=OFFERS) as there:
        outbox.deliver(pk, there.peer)
        now = utc_now() + SOON
        while outbox.row(pk).next_commit_at is not None:
            ask(outbox, there, now)
            again_at = outbox.row(pk).next_commit_at
            waits.append(again_at - now if again_at else None)
            now = again_at or now
        assert len(there.script.transactions) == COMMIT_TRIES
        assert len({str(action.TransactionUID) for action in there.script.transactions}) == COMMIT_TRIES
    hours = [wait / timedelta(hours=1) for wait in waits if wait]
    assert hours == [0.25, 0.5, 1, 2, 4, 8, 16, 24, 24] and waits[-1] is None
    assert outbox.row(pk).last_answer == "Success; storage commitment asked 10 times, and not again"
    assert outbox.row(pk).state == "delivered"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pynetdicom drops an unused socket
def test_a_destination_that_is_away_when_it_is_asked_is_asked_later_and_counts_as_away(outbox: Outbox) -> None:
    pk = outbox.put()
    with scripted_peer(offers=OFFERS) as there:
        outbox.deliver(pk, there.peer)
    now = utc_now() + SOON
    assert ask(outbox, there, now) == "not asked: the peer cannot be reached"
    row = outbox.row(pk)
    assert row.last_answer == "Success; storage commitment not asked: the peer cannot be reached"
    assert row.next_commit_at == now + timedelta(minutes=15)
    with reading(outbox.sessions) as session:
        assert session.get_one(Circuit, "Archive").failures == 1


def test_a_refused_request_is_made_again_later(outbox: Outbox) -> None:
    pk = outbox.put()
    with scripted_peer(Script(actions=[0x0213, 0x0000]), offers=OFFERS) as there:
        outbox.deliver(pk, there.peer)
        assert ask(outbox, there) == "not asked: the peer answered N-ACTION with 0x0213: a failure"
        assert ask(outbox, there) == "nothing is due"
        ask(outbox, there, utc_now() + timedelta(hours=1))
    assert outbox.row(pk).state == "committed"


def test_what_was_not_kept_is_sent_again_under_the_same_uid_and_what_nothing_is_said_of_is_asked_again(
    outbox: Outbox,
) -> None:
    kept, lost, silent = (outbox.put(f"2.25.{number}") for number in (1, 2, 3))
    script = Script(keeps={"2.25.2": 0x0112, "2.25.3": None})
    with scripted_peer(script, offers=OFFERS) as there:
        for pk in (kept, lost, silent):
            outbox.deliver(pk, there.peer)
        ask(outbox, there)
        assert outbox.row(kept).state == "committed"
        assert (outbox.row(silent).state, outbox.row(silent).last_answer) == (
            "delivered", "Success; storage commitment asked",
        )  # fmt: skip
        row = outbox.row(lost)
        assert (row.state, row.last_answer) == (
            "waiting", "sent again: it took the object and did not keep it (0x0112: it has no such object)",
        )  # fmt: skip
        assert row.next_try_at is not None and row.next_try_at <= utc_now() + timedelta(minutes=1)
        script.keeps.clear()
        outbox.deliver(lost, there.peer)
        ask(outbox, there, utc_now() + timedelta(hours=1))
        assert [str(ds.SOPInstanceUID) for ds in script.stored] == ["2.25.1", "2.25.2", "2.25.3", "2.25.2"]
    assert {outbox.row(pk).state for pk in (kept, lost, silent)} == {"committed"}


def test_what_is_lost_again_and_again_is_a_dead_letter_that_a_person_can_resend(outbox: Outbox) -> None:
    pk = outbox.put()
    with scripted_peer(Script(keeps={RESULT: 0x0112}), offers=OFFERS) as there:
        for _ in range(MOST_ASKED):
            outbox.deliver(pk, there.peer)
            ask(outbox, there)
        row = outbox.row(pk)
        assert (row.state, row.last_answer) == (
            "dead", "given up: asked 5 times, it took the object and did not keep it (0x0112: it has no such object)",
        )  # fmt: skip
        there.script.keeps.clear()
        with outbox.sessions.begin() as session:
            deliveries.release(session, pk, "a person", utc_now())
        outbox.deliver(pk, there.peer)
        ask(outbox, there)
    assert (outbox.row(pk).state, outbox.row(pk).commit_tries) == ("committed", 1)


@pytest.mark.usefixtures("brief")
def test_a_late_answer_commits_but_an_old_failure_says_nothing_of_what_was_sent_again(outbox: Outbox) -> None:
    pk = outbox.put()
    with scripted_peer(Script(answer_to=None), offers=OFFERS) as there:
        outbox.deliver(pk, there.peer)
        ask(outbox, there)
        ask(outbox, there, utc_now() + timedelta(hours=1))
        first, second = there.script.transactions
    assert take(outbox, event_information(first, {RESULT: 0x0112}))
    assert outbox.row(pk).state == "delivered"
    assert take(outbox, event_information(first, {}))
    assert outbox.row(pk).state == "committed"
    assert take(outbox, event_information(second, {RESULT: 0x0112})), "committed is committed"
    assert outbox.row(pk).state == "committed"


def take(outbox: Outbox, information: Dataset) -> bool:
    return commitment_answers.take(outbox.sessions, "Archive", read(information), utc_now())


@pytest.mark.parametrize(
    ("reason", "asked", "state", "answer"),
    [
        (0x0119, 1, "waiting", "sent again: it took the object and did not keep it (0x0119: it has the object under"),
        (0x0119, MOST_ASKED, "dead", "given up: asked 5 times, it took the object and did not keep it (0x0119"),
        (0x0122, 1, "delivered", "Success; storage commitment refused (0x0122: it commits to no object of that SOP"),
        (0x0213, 1, "delivered", "Success; storage commitment refused (0x0213: out of resources)"),
        (0x0110, COMMIT_TRIES, "delivered", "Success; storage commitment refused (0x0110: processing failure)"),
        (0x7777, 2, "delivered", "Success; storage commitment refused (0x7777: a failure)"),
    ],
)
def test_a_failure_has_its_consequence(reason: int, asked: int, state: str, answer: str) -> None:
    now = utc_now()
    found = consequence(reason, asked, "Success; storage commitment asked", now)
    assert found.state == state and found.answer.startswith(answer)
    assert (found.next_try_at is not None) == (state == "waiting")
    assert (found.next_commit_at is not None) == (state == "delivered" and reason != 0x0122 and asked < COMMIT_TRIES)


def test_an_answer_without_a_transaction_is_none_and_a_failure_without_a_reason_is_a_processing_failure() -> None:
    with pytest.raises(ContentError, match="without a transaction"):
        read(Dataset())
    information, item = Dataset(), Dataset()
    item.ReferencedSOPInstanceUID = "1.2"
    information.TransactionUID, information.FailedSOPSequence = "2.25.1", [item]
    information.ReferencedSOPSequence = [item]
    assert read(information).failed == {"1.2": 0x0110} and read(information).committed == frozenset()


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_a_null_within_a_uid_breaks_no_database(outbox: Outbox) -> None:
    outbox.put()
    asked = Dataset()
    asked.ReferencedSOPClassUID, asked.ReferencedSOPInstanceUID = CTImageStorage, "1.2\0.3"
    information = Dataset()
    information.TransactionUID, information.ReferencedSOPSequence = "2.25.1", [asked]
    with outbox.sessions.begin() as session:
        assert commitments.commit(session, "Archive", read(information).committed, utc_now()) == 0


def test_a_remark_replaces_the_older_one_and_leaves_the_answer() -> None:
    answer = commitments.remarked("Success; no longer holds, delete it there", "asked")
    assert answer == "Success; no longer holds, delete it there; storage commitment asked"
    assert commitments.remarked(answer) == "Success; no longer holds, delete it there"
