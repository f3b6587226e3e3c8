"""Promotion, roll-back and lineage of models."""

from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db import registry
from db.engine import Sessions
from db.errors import RequestError
from db.outcomes import Audit, Model, TrainingSetMember

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def add_model(session: Session, letter: str) -> str:
    registry.keep_training_set(session, "set", [registry.Member("lesion-1", "train", None)], None, NOW)
    return registry.register(
        session, weights_sha256=letter * 64, weights_name=f"models/{letter}", training_set_id="set",
        label_generation=None, card={}, froc={"4": 0.8}, gate={}, git_commit="", now=NOW,
    ).model_id  # fmt: skip


def test_a_model_starts_as_candidate_and_registering_twice_changes_nothing(sessions: Sessions) -> None:
    with sessions.begin() as session:
        assert add_model(session, "a") == add_model(session, "a") == "a" * 12
        (model,) = registry.models(session)
        assert (model.state, model.froc_at_4, model.froc_at_8) == ("candidate", 0.8, None)
        assert len(session.scalars(select(TrainingSetMember)).all()) == 1
        assert registry.promoted(session) is None


def test_one_model_is_promoted_at_a_time_and_roll_back_walks_back(sessions: Sessions) -> None:
    with sessions.begin() as session:
        first, second, third = (add_model(session, letter) for letter in "abc")
        for minutes, model_id in enumerate((first, second, third)):
            registry.promote(session, model_id, "person", NOW + timedelta(minutes=minutes))
        assert [registry.get(session, m).state for m in (first, second, third)] == ["retired", "retired", "promoted"]
        assert registry.rollback(session, "person", NOW).model_id == second
        assert registry.rollback(session, "person", NOW).model_id == first
        with pytest.raises(RequestError, match="no earlier model"):
            registry.rollback(session, "person", NOW)
        actions = session.scalars(select(Audit.action).order_by(Audit.audit_pk)).all()
        assert actions == ["promote model"] * 3 + ["roll back model"] * 2


def test_who_promotes_while_another_does_waits_and_takes_the_place_of_what_was_left(any_sessions: Sessions) -> None:
    with any_sessions.begin() as session:
        first, second, third = (add_model(session, letter) for letter in "abc")
        registry.promote(session, first, "person", NOW)

    def promote_third() -> None:
        with any_sessions.begin() as session:
            assert registry.get(session, first)  # it knows of the first before it waits
            registry.promote(session, third, "another", NOW + timedelta(minutes=2))

    with ThreadPoolExecutor(1) as other:
        with any_sessions.begin() as session:
            registry.promote(session, second, "person", NOW + timedelta(minutes=1))
            waiting = other.submit(promote_third)
            assert wait([waiting], timeout=0.5).not_done == {waiting}
        waiting.result(60)
    with any_sessions() as session:
        states = {model.model_id: model.state for model in registry.models(session)}
        assert states == {first: "retired", second: "retired", third: "promoted"}
        last = session.scalars(select(Audit).order_by(Audit.audit_pk.desc())).first()
        assert last is not None and last.facts == {"in_place_of": second}


def test_the_database_refuses_a_second_promoted_model(any_sessions: Sessions) -> None:
    with any_sessions.begin() as session:
        for letter in "ab":
            add_model(session, letter)
    with pytest.raises(IntegrityError), any_sessions.begin() as session:
        session.execute(update(Model).values(state="promoted"))


def test_lineage_leads_to_the_measurements_even_when_purged(sessions: Sessions) -> None:
    with sessions.begin() as session:
        lineage = registry.lineage(session, add_model(session, "a"))
        assert lineage["measurements"] == [{"lesion_id": "lesion-1", "split": "train", "source_sop_instance_uid": None}]
        with pytest.raises(RequestError, match="no such model"):
            registry.lineage(session, "unknown")
