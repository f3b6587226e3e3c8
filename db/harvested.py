"""Documents, measurements and rejections ↔ values: the normalised rows of the harvest. Shell.

Every function works inside the caller's transaction; a document saved twice leaves the same rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar, cast

from sqlalchemy import (
    BindParameter,
    Row,
    Table,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Session

from db.geometry import Axis, BoxPx, PointPx
from db.measurement import Measurement, Rejected, WeakLabel
from db.models import (
    LesionRow,
    MeasurementRow,
    Rejection,
    SourceObject,
)

BATCH = 500
"""Values in one IN list, rows in one INSERT."""

VERDICT = ("excluded_because", "lesion_identity", "same_as", "replaced_by")
"""The columns that are decided again whenever documents come or go."""

LONGEST_UID = 256
"""Of what a document calls a UID: PS3.5 allows 64 characters, and no index of a database takes any length."""

KEY_IMAGE = "a key image: no place on it"
NO_EXTENT = "a place without an extent"
"""Why what was only pointed at is no truth."""

T = TypeVar("T")

Columns = Row[*tuple[Any, ...]]
"""A row of a table as it is read, without an entity made of it, which would cost most of a short harvest."""

_SOURCES, _MEASUREMENTS, _REJECTIONS, _LESIONS = (
    cast(Table, model.__table__) for model in (SourceObject, MeasurementRow, Rejection, LesionRow)
)
ANY_OF: BindParameter[Any] = bindparam("any_of", expanding=True)
"""Statements that take it are made once, for to make one takes longer than to run it."""

_FORGET = [
    delete(table).where(table.c.source_sop_instance_uid.in_(ANY_OF))
    for table in (_LESIONS, _MEASUREMENTS, _REJECTIONS, _SOURCES)
]
_DECIDE = (
    update(_MEASUREMENTS)
    .where(_MEASUREMENTS.c.lesion_id == bindparam("decided"))
    .values({name: bindparam(name) for name in VERDICT})
)
_ON_IMAGES = select(_MEASUREMENTS).where(_MEASUREMENTS.c.sop_instance_uid.in_(ANY_OF))
_OF_SOURCES = select(_MEASUREMENTS).where(_MEASUREMENTS.c.source_sop_instance_uid.in_(ANY_OF))


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """One stored document, as a reader found it."""

    sop_instance_uid: str
    study_instance_uid: str
    kind: str
    writer: str = ""
    content_at: datetime | None = None
    predecessors: tuple[str, ...] = ()
    own: bool = False
    reader_version: int = 1
    stated_verdicts: tuple[tuple[str, str, str], ...] = ()
    """(UID, verdict, reader): what it says in words of results, findings and lesions."""
    reader: str = ""
    """Who wrote it, where it says so for the whole."""


def batches(values: Iterable[T]) -> Iterator[list[T]]:
    every = list(values)
    for start in range(0, len(every), BATCH):
        yield every[start : start + BATCH]


# --- writing ----------------------------------------------------------------------------------------------------


def save_source(
    session: Session,
    source: SourceFacts,
    measurements: Sequence[tuple[Measurement | WeakLabel, str | None]],
    rejected: Sequence[Rejected],
    now: datetime,
    lesion_ids: Sequence[str] | None = None,
) -> list[str]:
    """Write one document with its rows in place of what was known of it; returns the lesion ids.

    measurements: each with the reason why it is doubtful, or None. Their source is taken to be this document.
    lesion_ids: one for each measurement; without them each has the id of its place.
    """
    remove_sources(session, [source.sop_instance_uid])
    session.execute(
        insert(_SOURCES).values(
            source_sop_instance_uid=source.sop_instance_uid,
            study_instance_uid=source.study_instance_uid,
            kind=source.kind,
            writer=source.writer,
            content_at=source.content_at,
            predecessors=list(source.predecessors),
            own=source.own,
            stated_verdicts=[list(one) for one in source.stated_verdicts],
            reader_version=source.reader_version,
            harvested_at=now,
        )
    )
    rows = [_row(source, measurement, noisy) for measurement, noisy in measurements]
    for row, lesion_id in zip(rows, lesion_ids or (), strict=lesion_ids is not None):
        if row["lesion_identity"] == row["lesion_id"]:
            row["lesion_identity"] = lesion_id
        row["lesion_id"] = lesion_id
    for batch in batches(rows):
        session.execute(insert(_MEASUREMENTS), batch)
    for some in batches(rejected):
        session.execute(insert(_REJECTIONS), [_rejection(source, one, now) for one in some])
    return [row["lesion_id"] for row in rows]


def remove_sources(session: Session, source_sop_instance_uids: Collection[str]) -> None:
    """Forget documents and all their rows; the flat ones too."""
    for batch in batches(source_sop_instance_uids):
        for statement in _FORGET:
            session.execute(statement, {"any_of": batch})


def save_verdicts(session: Session, verdicts: Mapping[str, Mapping[str, str | None]]) -> None:
    """Write what was decided: lesion_id → column → value, for each of VERDICT."""
    for batch in batches(verdicts.items()):
        session.execute(_DECIDE, [{"decided": lesion_id, **values} for lesion_id, values in batch])


def _row(source: SourceFacts, found: Measurement | WeakLabel, noisy_because: str | None) -> dict[str, Any]:
    finding, site, tracking_uid = found.finding, found.site, found.tracking_uid[:LONGEST_UID]
    named = replace(found.source, sop_instance_uid=source.sop_instance_uid)
    return {
        "lesion_id": named.lesion_id,
        "source_sop_instance_uid": source.sop_instance_uid,
        "source_item": named.item,
        "source_kind": named.kind,
        "sop_instance_uid": found.image.sop_instance_uid[:LONGEST_UID],
        "frame_number": found.image.frame_number,
        **(_drawn(found) if isinstance(found, Measurement) else _pointed_at(found)),
        "finding_code": str(finding) if finding is not None and finding.value else None,
        "finding": finding.meaning if finding is not None else None,
        "site_code": str(site) if site is not None and site.value else None,
        "site": site.meaning if site is not None else None,
        "tracking_id": found.tracking_id,
        "tracking_uid": tracking_uid,
        "reader": found.reader,
        "measured_at": found.measured_at,
        "comment": found.comment,
        "by_algorithm": found.by_algorithm,
        "noisy_because": noisy_because,
        "same_as": None,
        "replaced_by": None,
        "lesion_identity": tracking_uid or named.lesion_id,
    }


def _drawn(measurement: Measurement) -> dict[str, Any]:
    return {
        **_columns("long", measurement.long_axis),
        **_columns("short", measurement.short_axis),
        **_edges(measurement.outline),
        "point_x": None,
        "point_y": None,
        "derived": measurement.derived,
        "stated_long_axis_mm": measurement.stated_long_axis_mm,
        "stated_short_axis_mm": measurement.stated_short_axis_mm,
        "excluded_because": None,
    }


def _pointed_at(label: WeakLabel) -> dict[str, Any]:
    point = label.point
    return {
        **_columns("long", None),
        **_columns("short", None),
        **_edges(None),
        "point_x": None if point is None else point.col,
        "point_y": None if point is None else point.row,
        "derived": False,
        "stated_long_axis_mm": None,
        "stated_short_axis_mm": None,
        "excluded_because": KEY_IMAGE if point is None else NO_EXTENT,
    }


def _edges(outline: BoxPx | None) -> dict[str, float | None]:
    return {
        "outline_x1": None if outline is None else outline.x1,
        "outline_y1": None if outline is None else outline.y1,
        "outline_x2": None if outline is None else outline.x2,
        "outline_y2": None if outline is None else outline.y2,
    }


def _columns(name: str, axis: Axis | None) -> dict[str, float | None]:
    a, b = (None, None) if axis is None else axis.points
    return {
        f"{name}_x1": None if a is None else a.col,
        f"{name}_y1": None if a is None else a.row,
        f"{name}_x2": None if b is None else b.col,
        f"{name}_y2": None if b is None else b.row,
    }


def _rejection(source: SourceFacts, rejected: Rejected, now: datetime) -> dict[str, Any]:
    return {
        "source_sop_instance_uid": source.sop_instance_uid,
        "source_item": rejected.source_item,
        "reason_code": rejected.reason_code,
        "reason": rejected.reason,
        "traceback": rejected.traceback,
        "at": now,
    }


# --- reading ----------------------------------------------------------------------------------------------------


def long_axis_of(row: MeasurementRow | LesionRow | Columns) -> Axis | None:
    """None for what was only pointed at."""
    ends = (row.long_x1, row.long_y1, row.long_x2, row.long_y2)
    return None if None in ends else Axis(PointPx(*ends[:2]), PointPx(*ends[2:]))  # type: ignore[arg-type]


def short_axis_of(row: MeasurementRow | LesionRow | Columns) -> Axis | None:
    ends = (row.short_x1, row.short_y1, row.short_x2, row.short_y2)
    return None if None in ends else Axis(PointPx(*ends[:2]), PointPx(*ends[2:]))  # type: ignore[arg-type]


def outline_of(row: MeasurementRow | Columns) -> BoxPx | None:
    edges = (row.outline_x1, row.outline_y1, row.outline_x2, row.outline_y2)
    return None if None in edges else BoxPx(*edges)  # type: ignore[arg-type]


def point_of(row: MeasurementRow | Columns) -> PointPx | None:
    return None if row.point_x is None or row.point_y is None else PointPx(row.point_x, row.point_y)


def rows_on(session: Session, sop_instance_uids: Collection[str]) -> list[Columns]:
    """All rows of `measurement` on these images, of any document; what was only pointed at, too."""
    return [
        row for batch in batches(sorted(sop_instance_uids)) for row in session.execute(_ON_IMAGES, {"any_of": batch})
    ]


def rows_of_source(session: Session, source_sop_instance_uid: str) -> list[Columns]:
    """The rows of one document, in the order of their ids."""
    rows = session.execute(_OF_SOURCES, {"any_of": [source_sop_instance_uid]})
    return sorted(rows, key=lambda row: row.lesion_id)
