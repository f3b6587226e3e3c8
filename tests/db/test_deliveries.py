"""The outbox: what may be sent now, and what a person may still let go."""

from datetime import timedelta

import pytest
from ledger_rows import NOW, add_results

from db import deliveries
from db.engine import Sessions
from db.errors import RequestError
from db.outcomes import Delivery


def test_a_destination_with_much_waiting_takes_no_others_turn(any_sessions: Sessions) -> None:
    uids = [f"1.{number}" for number in range(30)]
    with any_sessions.begin() as session:
        add_results(session, *uids)
        for uid in uids:
            deliveries.put(session, uid, "down", "send", NOW)
        deliveries.put(session, uids[-1], "up", "send", NOW)
        deliveries.put(session, uids[0], "later", "send", NOW + timedelta(hours=1))
        deliveries.put(session, uids[0], "held", "hold", NOW)
    with any_sessions() as session:
        due = deliveries.due(session, NOW)
    assert [destination for _, destination, _, _ in due] == ["down"] * 20 + ["up"]
    assert {(tries, since) for _, _, tries, since in due} == {(0, NOW)}
    assert sorted(pk for pk, *_ in due) == [pk for pk, *_ in due], "the oldest first"


@pytest.mark.parametrize("mode", ["hold", "send"])
def test_what_is_superseded_is_neither_sent_nor_released(sessions: Sessions, mode: str) -> None:
    with sessions.begin() as session:
        add_results(session, "1.1")
        deliveries.put(session, "1.1", "pacs", mode, NOW)
        deliveries.withdraw(session, "1.1")
        assert deliveries.due(session, NOW) == deliveries.standing(session, "pacs", "held") == []
        (pk,) = deliveries.of_result(session, "1.1", "pacs")
        with pytest.raises(RequestError, match="it was discarded"):
            deliveries.release(session, pk, "tests", NOW)


def test_what_was_delivered_stays_so_when_it_is_superseded(sessions: Sessions) -> None:
    with sessions.begin() as session:
        add_results(session, "1.1")
        deliveries.put(session, "1.1", "pacs", "send", NOW)
        (pk,) = deliveries.of_result(session, "1.1", None)
        deliveries.note_success(session, pk, "Success", NOW)
        deliveries.withdraw(session, "1.1")
        assert session.get_one(Delivery, pk, populate_existing=True).state == "delivered"
