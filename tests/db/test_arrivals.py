"""Arrivals → rows: what a second arrival of a known content changes, and what it leaves alone."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from db.arrivals import Arrival, add_instance
from db.engine import Sessions, reading
from db.models import Instance, Study

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
STUDY = "1.2.3"


def arrive(sessions: Sessions, content: str, at: datetime = NOW, source_ae: str = "PACS") -> bool:
    with sessions.begin() as session:
        arrival = Arrival(
            "1.2.3.1.1", STUDY, "1.2.3.1", "1.2.840", "1.2", content, f"{content}.dcm", 9, source_ae, False
        )
        return add_instance(session, arrival, at)


def stand(sessions: Sessions, content: str, state: str) -> None:
    """As settling leaves a content, and its study."""
    with sessions.begin() as session:
        session.execute(update(Instance).where(Instance.content_sha256 == content).values(state=state, indexed=True))
        session.execute(update(Study).values(state="settled"))


def study(sessions: Sessions) -> Study:
    with reading(sessions) as session:
        return session.scalars(select(Study)).one()


def instance(sessions: Sessions, content: str) -> Instance:
    with reading(sessions) as session:
        return session.scalars(select(Instance).where(Instance.content_sha256 == content)).one()


def test_a_superseded_content_that_comes_again_re_opens_its_study_to_be_compared(any_sessions: Sessions) -> None:
    arrive(any_sessions, "a")
    arrive(any_sessions, "b")
    stand(any_sessions, "a", "superseded")
    stand(any_sessions, "b", "current")
    assert not arrive(any_sessions, "a", LATER)
    assert (study(any_sessions).state, study(any_sessions).received_last_at) == ("receiving", LATER)
    again = instance(any_sessions, "a")
    assert (again.state, again.indexed, again.received_at) == ("superseded", False, LATER)
    assert instance(any_sessions, "b").indexed


@pytest.mark.parametrize("state", ["current", "conflict"])
def test_a_content_that_counts_or_is_contested_leaves_its_study_settled(any_sessions: Sessions, state: str) -> None:
    arrive(any_sessions, "a")
    stand(any_sessions, "a", state)
    assert not arrive(any_sessions, "a", LATER)
    assert study(any_sessions).state == "settled"
    assert (instance(any_sessions, "a").state, instance(any_sessions, "a").indexed) == (state, True)


def test_an_imported_study_gets_the_sender_that_routes_it_later(any_sessions: Sessions) -> None:
    arrive(any_sessions, "a", source_ae="")
    assert study(any_sessions).source_ae == ""
    arrive(any_sessions, "a", source_ae="PACS")
    arrive(any_sessions, "b", source_ae="OTHER")
    arrive(any_sessions, "c", source_ae="")
    assert study(any_sessions).source_ae == "PACS"
