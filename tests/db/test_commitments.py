"""When a destination is asked for commitment: who is due, since when, and until when that is put off."""

from datetime import timedelta

from ledger_rows import NOW, add_results
from sqlalchemy import select

from db import commitments, deliveries
from db.engine import Sessions
from db.outcomes import Commitment, Delivery

MINUTE = timedelta(minutes=1)


def deliver(sessions: Sessions, *destinations: str) -> None:
    """Two results to each, the second a minute later."""
    with sessions.begin() as session:
        add_results(session, "1.1", "1.2")
        for destination in destinations:
            for number, uid in enumerate(("1.1", "1.2")):
                deliveries.put(session, uid, destination, "send", NOW)
                (pk,) = deliveries.of_result(session, uid, destination)
                deliveries.note_success(session, pk, "Success", NOW, commit_at=NOW + number * MINUTE)


def test_each_destination_is_due_since_its_first(any_sessions: Sessions) -> None:
    deliver(any_sessions, "b", "a")
    with any_sessions.begin() as session:
        assert commitments.due(session, NOW - MINUTE) == []
        assert commitments.due(session, NOW + MINUTE) == [("a", NOW), ("b", NOW)]
        commitments.postpone(session, "a", NOW, NOW + 5 * MINUTE)
        assert commitments.due(session, NOW) == [("b", NOW)]
        assert commitments.due(session, NOW + MINUTE) == [("a", NOW + MINUTE), ("b", NOW)], "its second was not due"
        commitments.stop(session, "a")
        assert [name for name, _ in commitments.due(session, NOW + 9 * MINUTE)] == ["b"]


def test_a_transaction_asks_about_what_is_due_and_each_delivery_knows_its_last(any_sessions: Sessions) -> None:
    deliver(any_sessions, "a")
    with any_sessions.begin() as session:
        assert commitments.begin(session, "a", "2.25.1", NOW, lambda tries: NOW + tries * MINUTE) == [("1", "1.1")]
        asked = commitments.begin(session, "a", "2.25.2", NOW + MINUTE, lambda tries: None)
        assert asked == [("1", "1.1"), ("1", "1.2")]
        assert commitments.begin(session, "a", "2.25.3", NOW + MINUTE, lambda tries: None) == []
        rows = session.execute(select(Delivery.commitment_uid, Delivery.commit_tries).order_by(Delivery.delivery_pk))
        assert rows.all() == [("2.25.2", 2), ("2.25.2", 1)]
        known = session.scalars(select(Commitment.transaction_uid).order_by(Commitment.transaction_uid)).all()
        assert known == ["2.25.1", "2.25.2"], "none of nothing"
        assert commitments.destination_of(session, "2.25.1") == "a"
        assert commitments.destination_of(session, "2.25.3") is None


def test_what_is_superseded_or_sent_again_is_asked_about_only_once_it_has_arrived(any_sessions: Sessions) -> None:
    deliver(any_sessions, "a")
    with any_sessions.begin() as session:
        for pk in deliveries.of_result(session, "1.1", "a"):
            deliveries.release(session, pk, "a person", NOW)
        asked = commitments.begin(session, "a", "2.25.1", NOW + MINUTE, lambda tries: None)
        assert asked == [("1", "1.2")]
        assert commitments.commit(session, "a", ["1.1", "1.2", "1.3"], NOW) == 1
