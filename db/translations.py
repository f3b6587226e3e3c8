"""Rows of the ledger of translations: documents of others that we wrote anew as viewers take them up. Shell.

Every function works inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.harvested import ANY_OF, batches
from db.outcomes import Translation

SENT = "send translation"
"""The audit's name for it; its target is the object, its facts name the destination."""

_TRANSLATED = select(Translation.source_sop_instance_uid).where(Translation.source_sop_instance_uid.in_(ANY_OF))


def record(
    session: Session,
    *,
    result_sop_instance_uid: str,
    source_sop_instance_uid: str,
    study_instance_uid: str,
    file_name: str,
    now: datetime,
) -> None:
    """Enter one before it leaves; the same again changes nothing."""
    if session.get(Translation, result_sop_instance_uid) is None:
        session.add(
            Translation(
                result_sop_instance_uid=result_sop_instance_uid,
                source_sop_instance_uid=source_sop_instance_uid,
                study_instance_uid=study_instance_uid,
                file_name=file_name,
                created_at=now,
            )
        )
        session.flush()


def of_source(session: Session, source_sop_instance_uid: str, study_instance_uid: str) -> list[Translation]:
    """All translations of what one document marks in a study, the oldest first; it may mark several."""
    return list(
        session.scalars(
            select(Translation)
            .where(Translation.source_sop_instance_uid == source_sop_instance_uid)
            .where(Translation.study_instance_uid == study_instance_uid)
            .order_by(Translation.created_at, Translation.result_sop_instance_uid)
        )
    )


def translated_sources(session: Session, source_sop_instance_uids: Collection[str]) -> set[str]:
    """Those of the documents that were translated."""
    return {
        uid for batch in batches(source_sop_instance_uids) for uid in session.scalars(_TRANSLATED, {"any_of": batch})
    }
