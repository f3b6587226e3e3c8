"""Studies, series, instances ↔ values: what was received, what is current, what is still to be done. Shell.

Every function works inside the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.errors import GeometryError, RequestError
from db.geometry import PixelSpacing, Plane, PointMm
from db.measurement import ImageReference
from db.models import Image, Instance, Refusal, Series, Study
from db.tables import Base

CURRENT, SUPERSEDED, CONFLICT = "current", "superseded", "conflict"
RECEIVING, SETTLED, INCOMPLETE = "receiving", "settled", "incomplete"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One content of one instance as it arrived, with the name of its file."""

    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    content_sha256: str
    file_name: str
    size_bytes: int
    source_ae: str
    analyse: bool


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


@dataclass(frozen=True, slots=True)
class Content:
    """One of several contents that arrived under one SOP Instance UID."""

    instance_pk: int
    sop_instance_uid: str
    state: str
    received_at: datetime
    source_ae: str
    file_name: str


# --- receiving --------------------------------------------------------------------------------------------------


def add_instance(session: Session, arrival: Arrival, now: datetime) -> bool:
    """Record an arrival; a new content re-opens its study. Returns False if that very content was known.

    A second content of a known instance stands as 'conflict' until its study settles and the two are compared.
    Safe against the same arrival in another process: the database's unique keys decide.
    """
    _insert_once(
        session,
        Study,
        study_instance_uid=arrival.study_instance_uid,
        received_first_at=now,
        received_last_at=now,
        source_ae=arrival.source_ae,
        analyse=arrival.analyse,
        state=RECEIVING,
    )
    # The lock on the study's row lets no other process add to it between this look and the commit.
    session.execute(
        select(Study.study_instance_uid).where(Study.study_instance_uid == arrival.study_instance_uid).with_for_update()
    )
    known = session.scalar(
        select(exists().where(Instance.sop_instance_uid == arrival.sop_instance_uid, Instance.state == CURRENT))
    )
    new = _insert_once(
        session,
        Instance,
        sop_instance_uid=arrival.sop_instance_uid,
        study_instance_uid=arrival.study_instance_uid,
        series_instance_uid=arrival.series_instance_uid,
        sop_class_uid=arrival.sop_class_uid,
        transfer_syntax_uid=arrival.transfer_syntax_uid,
        content_sha256=arrival.content_sha256,
        file_name=arrival.file_name,
        size_bytes=arrival.size_bytes,
        state=CONFLICT if known else CURRENT,
        received_at=now,
        source_ae=arrival.source_ae,
        indexed=False,
    )
    study = Study.study_instance_uid == arrival.study_instance_uid
    if new:
        session.execute(update(Study).where(study).values(state=RECEIVING, received_last_at=now))
    else:  # sent again: the sender has not ended, but a settled study stays settled
        session.execute(update(Study).where(study, Study.state == RECEIVING).values(received_last_at=now))
    if arrival.analyse:
        session.execute(update(Study).where(study, Study.analyse.is_(False)).values(analyse=True))
    return new


def _insert_once(session: Session, model: type[Base], **values: object) -> bool:
    """Insert a row unless its unique key exists, in this transaction or another; whether it was inserted."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    result = session.connection().execute(dialect.insert(model.__table__).values(values).on_conflict_do_nothing())
    return result.rowcount == 1


def has_content(session: Session, sop_instance_uid: str, content_sha256: str) -> bool:
    return bool(
        session.scalar(
            select(
                exists().where(Instance.sop_instance_uid == sop_instance_uid, Instance.content_sha256 == content_sha256)
            )
        )
    )


def add_refusal(
    session: Session, source: str, sop_instance_uid: str, reason_code: str, reason: str, now: datetime
) -> None:
    """List an object that was not taken, or not wholly."""
    session.execute(
        insert(Refusal).values(
            at=now, source=source, sop_instance_uid=sop_instance_uid, reason_code=reason_code, reason=reason
        )
    )


# --- settling and what follows ----------------------------------------------------------------------------------


def due_to_settle(session: Session, quiet_before: datetime) -> list[str]:
    """Study Instance UIDs that still receive and got nothing since then, the longest quiet first."""
    return list(
        session.scalars(
            select(Study.study_instance_uid)
            .where(Study.state == RECEIVING, Study.received_last_at <= quiet_before)
            .order_by(Study.received_last_at, Study.study_instance_uid)
        )
    )


def undone(session: Session) -> list[Undone]:
    """Settled studies whose harvest or analysis lags behind their revision, the first settled first.

    A study with an open conflict is harvested, but not analysed before a person has chosen.
    """
    conflict = exists().where(Instance.study_instance_uid == Study.study_instance_uid, Instance.state == CONFLICT)
    to_harvest = Study.harvested_revision < Study.revision
    to_analyse = Study.analyse.is_(True) & (Study.analysed_revision < Study.revision) & ~conflict
    rows = session.execute(
        select(Study.study_instance_uid, Study.revision, to_harvest, to_analyse)
        .where(Study.state != RECEIVING, or_(to_harvest, to_analyse))
        .order_by(Study.settled_at, Study.study_instance_uid)
    )
    return [Undone(uid, revision, bool(harvest), bool(analyse)) for uid, revision, harvest, analyse in rows]


def mark_harvested(session: Session, study_instance_uid: str, revision: int) -> None:
    """Note the revision whose harvest ends in this transaction."""
    session.execute(
        update(Study)
        .where(Study.study_instance_uid == study_instance_uid, Study.harvested_revision < revision)
        .values(harvested_revision=revision)
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
    rows = session.execute(
        select(Instance, func.coalesce(Series.modality, ""))
        .outerjoin(Series, Series.series_instance_uid == Instance.series_instance_uid)
        .where(Instance.study_instance_uid == study_instance_uid, Instance.state == CURRENT)
        .order_by(Instance.series_instance_uid, Instance.sop_instance_uid, Instance.instance_pk)
    )
    return [
        StoredInstance(
            i.sop_instance_uid, i.series_instance_uid, i.sop_class_uid, i.transfer_syntax_uid, i.file_name, modality
        )
        for i, modality in rows
    ]


def plane_of(session: Session, image: ImageReference) -> Plane | None:
    """Where a frame lies in the patient; None if the image is not here or says nothing usable of it."""
    row = session.get(Image, image.sop_instance_uid)
    if row is None or row.row_spacing_mm is None or row.col_spacing_mm is None or not row.planes:
        return None
    if not 1 <= image.frame_number <= row.frames:
        return None
    x, y, z, *cosines = row.planes[0 if len(row.planes) == 1 else image.frame_number - 1]
    try:
        return Plane(
            PointMm(x, y, z),
            (cosines[0], cosines[1], cosines[2]),
            (cosines[3], cosines[4], cosines[5]),
            PixelSpacing(row.row_spacing_mm, row.col_spacing_mm),
        )
    except GeometryError:
        return None


# --- conflicts --------------------------------------------------------------------------------------------------


def conflicts(session: Session, study_instance_uid: str) -> list[Content]:
    """Every content of each instance of a study that has a conflict: the current one and its rivals, oldest first."""
    contested = select(Instance.sop_instance_uid).where(
        Instance.study_instance_uid == study_instance_uid, Instance.state == CONFLICT
    )
    rows = session.scalars(
        select(Instance)
        .where(Instance.sop_instance_uid.in_(contested), Instance.state.in_((CURRENT, CONFLICT)))
        .order_by(Instance.sop_instance_uid, Instance.received_at, Instance.instance_pk)
    )
    return [Content(i.instance_pk, i.sop_instance_uid, i.state, i.received_at, i.source_ae, i.file_name) for i in rows]


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
        rival.state = CURRENT if rival is chosen else SUPERSEDED
    chosen.indexed = False
    touched = {rival.study_instance_uid for rival in rivals}
    session.execute(update(Study).where(Study.study_instance_uid.in_(touched)).values(state=RECEIVING))
    session.flush()
    return chosen.study_instance_uid
