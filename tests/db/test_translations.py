"""The ledger of translations: never harvested, counted where they were sent, known by their source."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from db.arrivals import Arrival, add_instance, not_returned
from db.documents import own_results
from db.engine import Sessions, reading
from db.models import Instance
from db.outcomes import Audit
from db.translations import SENT, of_source, record, translated_sources

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
STUDY, SOURCE, FIRST, SECOND = "1.2.3", "1.2.3.5.1", "2.25.1", "2.25.2"


@pytest.fixture
def ledger(any_sessions: Sessions) -> Sessions:
    """A study with one document, of which two translations were made."""
    arrive(any_sessions, SOURCE)
    with any_sessions.begin() as session:
        for uid in (FIRST, SECOND, FIRST):  # the same again changes nothing
            record(
                session,
                result_sop_instance_uid=uid,
                source_sop_instance_uid=SOURCE,
                study_instance_uid=STUDY,
                file_name=f"results/{uid}.dcm",
                now=NOW,
            )
    return any_sessions


def arrive(sessions: Sessions, uid: str) -> None:
    with sessions.begin() as session:
        add_instance(
            session, Arrival(uid, STUDY, "1.2.3.5", "1.2.840", "1.2", uid, f"{uid}.dcm", 9, "PACS", False), NOW
        )
        for row in session.query(Instance):
            row.state = "current"


def send(sessions: Sessions, uid: str, destination: str) -> None:
    with sessions.begin() as session:
        facts = {"destination": destination, "answer": "Success"}
        session.add(Audit(at=NOW, actor="tests", action=SENT, target=uid, facts=facts))


def test_a_translation_is_ours_and_its_source_is_known(ledger: Sessions) -> None:
    with reading(ledger) as session:
        assert own_results(session, [FIRST, SECOND, SOURCE]) == {FIRST, SECOND}
        assert translated_sources(session, [SOURCE, "1.9"]) == {SOURCE}
        assert [row.result_sop_instance_uid for row in of_source(session, SOURCE, STUDY)] == [FIRST, SECOND]
        assert of_source(session, SOURCE, "1.2.4") == []


def test_what_was_sent_and_did_not_come_back_is_counted_there_and_not_elsewhere(ledger: Sessions) -> None:
    def missing(destination: str) -> int:
        with reading(ledger) as session:
            return not_returned(session, STUDY, destination)

    assert missing("pacs") == 0
    send(ledger, FIRST, "pacs")
    send(ledger, FIRST, "pacs")
    send(ledger, SECOND, "pacs")
    assert (missing("pacs"), missing("viewer")) == (2, 0)
    arrive(ledger, FIRST)
    assert missing("pacs") == 1
