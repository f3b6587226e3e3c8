"""Studies, series, instances ↔ values: what was received, what is current, what is still to be done. Shell.

Every function works inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import cast

from sqlalchemy import Table, bindparam, case, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from db.contents import CONFLICT, CURRENT, RECEIVING, SUPERSEDED, Content, contents_of
from db.errors import RequestError
from db.geometry import Plane
from db.indexing import planes_of
from db.measurement import ImageReference
from db.models import Image, Instance, Series, Study


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """An instance that counts: `file_name` is in the file store; modality is empty before its study first settled."""

    sop_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    file_name: str
    modality: str


@dataclass(frozen=True, slots=True)
class Undone:
    """A settled study with work left for its present revision."""

    study_instance_uid: str
    revision: int
    harvest: bool
    analyse: bool
    tries: int
    """Failed tries of this revision."""


@dataclass(frozen=True, slots=True)
class Due:
    """A study that has been quiet, with how many instances count. `expected_instances`: as far as already asked."""

    study_instance_uid: str
    source_ae: str
    received_last_at: datetime
    instances: int
    expected_instances: int | None


def due_to_settle(session: Session, quiet_before: datetime) -> list[Due]:
    """The studies that still receive and got nothing since then, the longest quiet first."""
    count = (
        select(func.count(Instance.instance_pk))
        .where(Instance.study_instance_uid == Study.study_instance_uid, Instance.state == CURRENT)
        .scalar_subquery()
    )
    rows = session.execute(
        select(Study, count)
        .where(Study.state == RECEIVING, Study.received_last_at <= quiet_before)
        .order_by(Study.received_last_at, Study.study_instance_uid)
    )
    return [
        Due(study.study_instance_uid, study.source_ae, study.received_last_at, count, study.expected_instances)
        for study, count in rows
    ]


def undone(
    session: Session, due_at: datetime | None = None, limit: int | None = None, harvest: bool | None = None
) -> list[Undone]:
    """Settled studies whose harvest or analysis lags behind their revision, the first settled first.

    A study with an open conflict is harvested, but not analysed before a person has chosen.
    due_at: only those that may be tried then; one that failed for good may not.
    harvest: only those that wait for their harvest, or, if False, for their analysis alone.
    """
    rival = aliased(Instance)
    conflict = exists().where(
        Instance.study_instance_uid == Study.study_instance_uid,
        Instance.state != SUPERSEDED,
        rival.sop_instance_uid == Instance.sop_instance_uid,
        rival.state == CONFLICT,
        rival.indexed,
    )
    to_harvest = Study.harvested_revision < Study.revision
    to_analyse = Study.analyse.is_(True) & (Study.analysed_revision < Study.revision) & ~conflict
    tries = case((Study.attempted_revision == Study.revision, Study.attempts), else_=0)
    query = (
        select(Study.study_instance_uid, Study.revision, to_harvest, to_analyse, tries)
        .where(Study.state != RECEIVING, or_(to_harvest, to_analyse))
        .order_by(Study.settled_at, Study.study_instance_uid)
        .limit(limit)
    )
    if due_at is not None:
        query = query.where(or_(tries == 0, Study.next_try_at <= due_at))
    if harvest is not None:
        query = query.where(to_harvest if harvest else ~to_harvest)
    rows = session.execute(query)
    return [Undone(uid, revision, bool(lags), bool(analyse), failed) for uid, revision, lags, analyse, failed in rows]


def lock(session: Session, study_instance_uid: str) -> Study:
    """The row of a study, which nobody else changes before this transaction ends."""
    return session.get_one(Study, study_instance_uid, with_for_update=True)


def revisions(session: Session, study_instance_uids: Collection[str], lock: bool = False) -> dict[str, int]:
    """The present revision of each study; with `lock` nobody else changes one before this transaction ends."""
    rows = session.execute(_LOCKED_REVISIONS if lock else _REVISIONS, {"uids": list(study_instance_uids)})
    return dict(rows.all())


_REVISIONS = (
    select(Study.study_instance_uid, Study.revision)
    .where(Study.study_instance_uid.in_(bindparam("uids", expanding=True)))
    .order_by(Study.study_instance_uid)  # one order for all, or two would wait for each other
)
_LOCKED_REVISIONS = _REVISIONS.with_for_update()


def mark_harvested(session: Session, study_instance_uid: str, revision: int) -> None:
    """Note the revision whose harvest ends in this transaction."""
    session.execute(_MARK_HARVESTED, {"uid": study_instance_uid, "ended": revision})


_STUDIES = cast(Table, Study.__table__)
_MARK_HARVESTED = (
    update(_STUDIES)
    .where(_STUDIES.c.study_instance_uid == bindparam("uid"), _STUDIES.c.harvested_revision < bindparam("ended"))
    .values(harvested_revision=bindparam("ended"))
)


def mark_analysed(session: Session, study_instance_uid: str, revision: int) -> None:
    """Note the revision whose analysis ends in this transaction."""
    session.execute(
        update(Study)
        .where(Study.study_instance_uid == study_instance_uid, Study.analysed_revision < revision)
        .values(analysed_revision=revision)
    )


def current_instances(session: Session, study_instance_uid: str) -> list[StoredInstance]:
    """The instances of a study that count: one content each, by series and SOP Instance UID."""
    rows = session.execute(_CURRENT_OF_STUDY, {"uid": study_instance_uid})
    return [StoredInstance(*row) for row in rows]


def current_instance(session: Session, sop_instance_uid: str) -> StoredInstance | None:
    """The content of an instance that counts; None if there is none."""
    row = session.execute(_CURRENT_INSTANCE, {"uid": sop_instance_uid}).first()
    return None if row is None else StoredInstance(*row)


_CURRENT = (
    select(
        Instance.sop_instance_uid,
        Instance.series_instance_uid,
        Instance.sop_class_uid,
        Instance.transfer_syntax_uid,
        Instance.file_name,
        func.coalesce(Series.modality, ""),
    )
    .outerjoin(Series, Series.series_instance_uid == Instance.series_instance_uid)
    .where(Instance.state == CURRENT)
)
_CURRENT_OF_STUDY = _CURRENT.where(Instance.study_instance_uid == bindparam("uid")).order_by(
    Instance.series_instance_uid, Instance.sop_instance_uid, Instance.instance_pk
)
_CURRENT_INSTANCE = _CURRENT.where(Instance.sop_instance_uid == bindparam("uid")).limit(1)
"""Made once, as in `db.harvested`."""


def images_sha256(session: Session, study_instance_uid: str) -> str:
    """Fingerprint of the CT images of a study that count, header and pixels; what else lies in the study is not in it.

    A report, a presentation state or a result of ours that comes later leaves it as it was; an image more, an image
    less or a corrected header changes it.
    """
    rows = session.execute(
        select(Instance.sop_instance_uid, Instance.content_sha256)
        .join(Image, Image.sop_instance_uid == Instance.sop_instance_uid)
        .join(Series, Series.series_instance_uid == Instance.series_instance_uid)
        .where(Instance.study_instance_uid == study_instance_uid, Instance.state == CURRENT, Series.modality == "CT")
    )
    return sha256("\n".join(sorted(f"{uid} {content}" for uid, content in rows)).encode()).hexdigest()


def plane_of(session: Session, image: ImageReference) -> Plane | None:
    """Where a frame lies in the patient; None if the image is not here or says nothing usable of it."""
    row = session.get(Image, image.sop_instance_uid)
    planes = [] if row is None else planes_of(row)
    if row is None or not planes or not 1 <= image.frame_number <= row.frames:
        return None
    return planes[0 if len(planes) == 1 else image.frame_number - 1]


# --- conflicts --------------------------------------------------------------------------------------------------


def conflicts(session: Session, study_instance_uid: str) -> list[Content]:
    """Every content of each contested instance of a study: the current one and its rivals, in order of arrival."""
    of_study = select(Instance.sop_instance_uid).where(
        Instance.study_instance_uid == study_instance_uid, Instance.state != SUPERSEDED
    )
    contested = select(Instance.sop_instance_uid).where(
        Instance.state == CONFLICT, Instance.indexed, Instance.sop_instance_uid.in_(of_study)
    )
    return contents_of(session, contested, (CURRENT, CONFLICT))


def choose(session: Session, instance_pk: int) -> str:
    """A person's choice among contents in conflict: that one becomes current, the others are superseded.

    Its study is re-opened, so that the next settling reads the chosen header. Returns the Study Instance UID.
    Raises RequestError if that content is not part of a conflict.
    """
    chosen = session.get(Instance, instance_pk)
    rivals = (
        []
        if chosen is None
        else list(session.scalars(select(Instance).where(Instance.sop_instance_uid == chosen.sop_instance_uid)))
    )
    if chosen is None or not any(rival.state == CONFLICT for rival in rivals) or chosen.state == SUPERSEDED:
        raise RequestError("that content is not part of a conflict", instance_pk=instance_pk)
    for rival in rivals:
        rival.state, rival.indexed = (CURRENT, False) if rival is chosen else (SUPERSEDED, True)
    touched = {rival.study_instance_uid for rival in rivals}
    session.execute(update(Study).where(Study.study_instance_uid.in_(touched)).values(state=RECEIVING))
    session.flush()
    return chosen.study_instance_uid
