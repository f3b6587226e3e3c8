"""Models ↔ rows: what is promoted, what was it made from, who promoted it. Shell.

Every function works inside the caller's transaction. At most one model is promoted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.errors import RequestError
from db.models import MeasurementRow
from db.outcomes import Audit, Model, TrainingSet, TrainingSetMember

CANDIDATE, SHADOW, PROMOTED, RETIRED = "candidate", "shadow", "promoted", "retired"
ID_DIGITS = 12
GATE = "gate"
"""The actor's name where no person promoted."""


@dataclass(frozen=True, slots=True)
class Member:
    """One lesion of a training set."""

    lesion_id: str
    split: str
    category_id: int | None


def model_id_of(weights_sha256: str) -> str:
    return weights_sha256[:ID_DIGITS]


def keep_training_set(
    session: Session, training_set_id: str, members: Iterable[Member], label_generation: int | None, now: datetime
) -> None:
    """Enter a snapshot; the same one again changes nothing."""
    if session.get(TrainingSet, training_set_id) is not None:
        return
    session.add(TrainingSet(training_set_id=training_set_id, created_at=now, label_generation=label_generation))
    session.flush()
    session.add_all(
        TrainingSetMember(
            training_set_id=training_set_id,
            lesion_id=member.lesion_id,
            split=member.split,
            category_id=member.category_id,
        )
        for member in members
    )
    session.flush()


def register(
    session: Session,
    *,
    weights_sha256: str,
    weights_name: str,
    training_set_id: str,
    label_generation: int | None,
    card: dict[str, Any],
    froc: Mapping[str, float | None],
    gate: dict[str, Any],
    git_commit: str,
    now: datetime,
) -> Model:
    """Enter a trained model as candidate; the same weights again change nothing and give the row that stands.

    froc: sensitivity at `0.5`, `1`, `2`, `4` and `8` false positives a scan on the frozen set.
    """
    known = session.get(Model, model_id_of(weights_sha256))
    if known is not None:
        return known
    model = Model(
        model_id=model_id_of(weights_sha256),
        state=CANDIDATE,
        trained_at=now,
        label_generation=label_generation,
        training_set_id=training_set_id,
        weights_sha256=weights_sha256,
        weights_name=weights_name,
        git_commit=git_commit,
        card=card,
        froc_at_0_5=froc.get("0.5"),
        froc_at_1=froc.get("1"),
        froc_at_2=froc.get("2"),
        froc_at_4=froc.get("4"),
        froc_at_8=froc.get("8"),
        gate=gate,
    )
    session.add(model)
    session.flush()
    return model


def models(session: Session) -> list[Model]:
    """All models, the newest first."""
    return list(session.scalars(select(Model).order_by(Model.trained_at.desc(), Model.model_id)))


def get(session: Session, model_id: str) -> Model:
    """Raises RequestError if there is no such model."""
    model = session.get(Model, model_id)
    if model is None:
        raise RequestError("there is no such model", model_id=model_id)
    return model


def promoted(session: Session) -> Model | None:
    """The model that is in use; None before the first promotion."""
    return session.scalar(select(Model).where(Model.state == PROMOTED))


def promoted_for_update(session: Session) -> Model | None:
    """The model that is in use, and that stays so until the transaction ends."""
    _lock(session)
    return promoted(session)


def promote(session: Session, model_id: str, actor: str, now: datetime) -> Model:
    """Put a model to use in the place of the one that is; the audit says who did. Again changes nothing.

    Raises RequestError if there is no such model.
    """
    _lock(session)
    model, incumbent = get(session, model_id), promoted(session)
    if incumbent is model:
        return model
    if incumbent is not None:
        incumbent.state = RETIRED
        session.flush()
    model.state, model.promoted_at = PROMOTED, now
    _audit(session, "promote model", model_id, actor, now, incumbent.model_id if incumbent else None)
    return model


def rollback(session: Session, actor: str, now: datetime) -> Model:
    """Put the model back to use that was in use before; the one in use becomes a candidate again.

    Raises RequestError if there is none to go back to.
    """
    _lock(session)
    incumbent = promoted(session)
    before = session.scalar(
        select(Model)
        .where(Model.state == RETIRED, Model.promoted_at.is_not(None))
        .order_by(Model.promoted_at.desc())
        .limit(1)
    )
    if incumbent is None or before is None:
        raise RequestError("there is no earlier model to go back to")
    incumbent.state, incumbent.promoted_at = CANDIDATE, None
    session.flush()
    before.state = PROMOTED  # and keeps its place in the order of promotions
    _audit(session, "roll back model", before.model_id, actor, now, incumbent.model_id)
    return before


def _lock(session: Session) -> None:
    """Until the transaction ends nobody else promotes; what is asked next is what they left.

    SQLite has one writer at a time anyway.
    """
    rows = select(Model).order_by(Model.model_id).with_for_update().execution_options(populate_existing=True)
    session.scalars(rows).all()


def lineage(session: Session, model_id: str) -> dict[str, Any]:
    """What a model was made from: weights → label generation → training set → measurements → source documents.

    Each measurement has its split and the SOP Instance UID of the document in which a reader drew it, None where the
    measurement was purged since; `split` train taught the model, val set its operating point, test judged it.
    Raises RequestError if there is no such model.
    """
    model = get(session, model_id)
    rows = session.execute(
        select(TrainingSetMember.lesion_id, TrainingSetMember.split, MeasurementRow.source_sop_instance_uid)
        .outerjoin(MeasurementRow, MeasurementRow.lesion_id == TrainingSetMember.lesion_id)
        .where(TrainingSetMember.training_set_id == model.training_set_id)
        .order_by(TrainingSetMember.lesion_id)
    )
    return {
        "weights_sha256": model.weights_sha256,
        "label_generation": model.label_generation,
        "training_set_id": model.training_set_id,
        "measurements": [
            {"lesion_id": lesion_id, "split": split, "source_sop_instance_uid": source}
            for lesion_id, split, source in rows
        ],
    }


def _audit(session: Session, action: str, model_id: str, actor: str, now: datetime, in_place_of: str | None) -> None:
    session.add(Audit(at=now, actor=actor, action=action, target=model_id, facts={"in_place_of": in_place_of}))
    session.flush()
