"""The contents of instances, of which several may share a SOP Instance UID, and the step that settles them. Shell.

Every function works inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from db.models import Instance, Study

CURRENT, SUPERSEDED, CONFLICT = STATES = ("current", "superseded", "conflict")
RECEIVING, SETTLED, INCOMPLETE = "receiving", "settled", "incomplete"


@dataclass(frozen=True, slots=True)
class Content:
    """One content of an instance. `new`: its study has not settled since it came."""

    instance_pk: int
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    state: str
    new: bool
    content_sha256: str
    file_name: str
    received_at: datetime
    source_ae: str


def contents_of(session: Session, sop_instance_uids: Select[str], states: Collection[str] = STATES) -> list[Content]:
    """Every content of some instances, in whatever study: by SOP Instance UID, then in order of arrival."""
    rows = session.scalars(
        select(Instance)
        .where(Instance.sop_instance_uid.in_(sop_instance_uids), Instance.state.in_(states))
        .order_by(Instance.sop_instance_uid, Instance.received_at, Instance.instance_pk)
    )
    return [
        Content(
            row.instance_pk,
            row.sop_instance_uid,
            row.study_instance_uid,
            row.series_instance_uid,
            row.state,
            not row.indexed,
            row.content_sha256,
            row.file_name,
            row.received_at,
            row.source_ae,
        )
        for row in rows
    ]


def contents_to_settle(session: Session, study_instance_uid: str) -> list[Content]:
    """Every content of each instance of which something new came to this study."""
    new = select(Instance.sop_instance_uid).where(
        Instance.study_instance_uid == study_instance_uid, Instance.indexed.is_(False)
    )
    return contents_of(session, new)


def note_expected(session: Session, study_instance_uid: str, expected: int | None) -> None:
    """Note what the sender's PACS counts, while the study waits for the rest."""
    session.execute(
        update(Study).where(Study.study_instance_uid == study_instance_uid).values(expected_instances=expected)
    )


def lock_receiving(session: Session, study_instance_uid: str) -> Study | None:
    """A study that is still 'receiving', locked until this transaction ends; None if it is not."""
    return session.scalars(
        select(Study).where(Study.study_instance_uid == study_instance_uid, Study.state == RECEIVING).with_for_update()
    ).one_or_none()


def set_states(
    session: Session, study_instance_uid: str, contents: Sequence[Content], states: Mapping[int, str]
) -> None:
    """Write which contents count, and that those of this study are settled.

    Another study of which a content changed is re-opened, for what counts there is not what it was.
    """
    changed = [content for content in contents if states[content.instance_pk] != content.state]
    for content in changed:
        session.execute(
            update(Instance)
            .where(Instance.instance_pk == content.instance_pk)
            .values(state=states[content.instance_pk])
        )
    session.execute(
        update(Instance)
        .where(Instance.study_instance_uid == study_instance_uid, Instance.indexed.is_(False))
        .values(indexed=True)
    )
    others = {content.study_instance_uid for content in changed} - {study_instance_uid}
    session.execute(update(Study).where(Study.study_instance_uid.in_(others)).values(state=RECEIVING))


def close_revision(session: Session, study: Study, expected: int | None, now: datetime) -> int:
    """Settle a study in its next revision; 'incomplete' if fewer instances count than expected. Returns how many."""
    instances = session.scalar(
        select(func.count(Instance.instance_pk)).where(
            Instance.study_instance_uid == study.study_instance_uid, Instance.state == CURRENT
        )
    )
    study.state = SETTLED if expected is None or (instances or 0) >= expected else INCOMPLETE
    study.expected_instances = expected
    study.revision += 1
    study.settled_at = now
    session.flush()
    return instances or 0
