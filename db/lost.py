"""Stored instances whose file is gone: listed for as long as it is, and taken up again when it is back. Shell.

A note is a row of `refusal` with the reason `lost`, and goes when the file is back. Every function works inside the
caller's transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy import CursorResult, Select, delete, func, select, update
from sqlalchemy.orm import Session

from db.contents import RECEIVING, SUPERSEDED
from db.errors import LostFile, StoreAway
from db.files import FileStore
from db.models import Instance, Refusal, Study

log = logging.getLogger(__name__)

LOST = "lost"
TO_DO = "its file is gone from the store; send the object again"


class Stored(Protocol):
    """What has a file in the store."""

    @property
    def file_name(self) -> str: ...

    @property
    def sop_instance_uid(self) -> str: ...


Kept = TypeVar("Kept", bound=Stored)


def gone(files: FileStore, stored: Iterable[Kept]) -> list[Kept]:
    """Those whose file is not there. Raises StoreAway where the folder of them all is gone: then none is lost."""
    missing = [each for each in stored if not files.path(each.file_name).is_file()]
    for folder in {each.file_name.partition("/")[0] for each in missing if "/" in each.file_name}:
        if not files.path(folder).is_dir():
            raise StoreAway(folder=files.path(folder))
    return missing


def lost_file(missing: Iterable[Stored]) -> LostFile:
    """The error that names the first of some lost instances, and how many they are."""
    uids = sorted(each.sop_instance_uid for each in missing)
    return LostFile(sop_instance_uid=uids[0], lost=len(uids))


def note(session: Session, missing: Iterable[Stored], now: datetime) -> None:
    """List each lost instance that is not listed yet."""
    names = {each.file_name for each in missing}
    if not names:
        return
    noted = select(Refusal.sop_instance_uid).where(Refusal.reason_code == LOST)
    unknown = select(Instance).where(Instance.file_name.in_(names), Instance.sop_instance_uid.not_in(noted))
    for row in session.scalars(unknown.order_by(Instance.instance_pk)).all():
        log.error(
            "lost sop_instance=%s study=%s file=%s: %s",
            row.sop_instance_uid, row.study_instance_uid, row.file_name, TO_DO,
        )  # fmt: skip
        session.add(
            Refusal(at=now, source=row.source_ae, sop_instance_uid=row.sop_instance_uid, reason_code=LOST, reason=TO_DO)
        )
    session.flush()


def forget(session: Session, sop_instance_uids: Iterable[str]) -> int:
    """Take these from the list, for a file of theirs is there; returns how many stood on it."""
    uids = set(sop_instance_uids)
    if not uids:
        return 0
    ended = session.execute(delete(Refusal).where(Refusal.reason_code == LOST, Refusal.sop_instance_uid.in_(uids)))
    return ended.rowcount if isinstance(ended, CursorResult) else 0


def found_again(session: Session, sop_instance_uid: str, file_name: str, now: datetime) -> bool:
    """Re-open the study of a lost instance whose file is back, so that it is read; False if it was not listed."""
    if not forget(session, [sop_instance_uid]):
        return False
    content = Instance.file_name == file_name
    study = select(Instance.study_instance_uid).where(content).scalar_subquery()
    session.execute(update(Instance).where(content).values(indexed=False))
    session.execute(
        update(Study).where(Study.study_instance_uid == study).values(state=RECEIVING, received_last_at=now)
    )
    log.info("found again sop_instance=%s", sop_instance_uid)
    return True


def look_again(session: Session, files: FileStore, now: datetime) -> int:
    """Take up every lost instance whose file was put back; returns how many."""
    listed = session.execute(
        select(Instance.sop_instance_uid, Instance.file_name)
        .join(Refusal, Refusal.sop_instance_uid == Instance.sop_instance_uid)
        .where(Refusal.reason_code == LOST, Instance.state != SUPERSEDED)
    ).all()
    return sum(found_again(session, uid, name, now) for uid, name in listed if files.path(name).is_file())


def listed() -> Select[int]:
    """The query for how many instances are lost now."""
    return select(func.count(Refusal.sop_instance_uid.distinct())).where(Refusal.reason_code == LOST)
