"""Label generations and the categories that live through them: rows ↔ values. Shell.

Every function works inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, count
from typing import Any

from sqlalchemy import ColumnElement, exists, func, insert, select
from sqlalchemy.orm import Session

from db import lesions
from db.errors import RequestError
from db.geometry import Axis, PixelSpacing, PointPx
from db.measurement import ImageReference
from db.models import Category, CategoryMember, CategoryStatistics, Instance, LabelGeneration, LesionRow, SourceObject
from db.outcomes import Audit

MIN_LESIONS = 20
"""Fewer are not grouped."""

MAX_NAME = 64
"""Longest name of a category in characters: as long as a DICOM code meaning (LO, PS3.5 6.2), for results carry it."""


@dataclass(frozen=True, slots=True)
class TruthLesion:
    """A lesion that may be grouped: on a CT image that is here, with a pixel spacing. `file_name` is in the file store.

    patient: names the patient within this run, for leaving out all lesions of one at once.
    """

    lesion_id: str
    image: ImageReference
    file_name: str
    spacing: PixelSpacing
    long_axis: Axis
    short_axis: Axis | None
    patient: str
    split: str | None
    site: str | None
    site_code: str | None
    finding: str | None
    finding_code: str | None


@dataclass(frozen=True, slots=True)
class NewGroup:
    """A group of a new generation. category_id: the category that it goes on being; None for a new one.

    name: what to call it while no person has named it. stem: what the name begins with; a category that goes on keeps
    the name that it has while that begins with the stem, so that names do not change with the sizes of the groups.
    distances: lesion_id → distance to the centre.
    """

    category_id: int | None
    name: str
    stem: str
    site_code: str | None
    finding_code: str | None
    stability: float | None
    distances: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class NewGeneration:
    """One run of categorise, as `label_generation` keeps it."""

    extractor: str
    weights_sha256: str
    settings: Mapping[str, Any]
    figures: Mapping[str, Any]
    groups: Sequence[NewGroup]


@dataclass(frozen=True, slots=True)
class CategorySummary:
    """A category in one generation."""

    category_id: int
    name: str
    named_by_person: bool
    members: int
    stability: float | None
    site_code: str | None
    finding_code: str | None


# --- reading ----------------------------------------------------------------------------------------------------


def truth_lesions(session: Session, lesion_ids: Collection[str] | None = None) -> list[TruthLesion]:
    """Every lesion that may be grouped, by lesion_id: truth, on a CT image that is stored and has a pixel spacing.

    lesion_ids: only these, if given.
    """
    query = (
        select(LesionRow, Instance.file_name)
        .join(Instance, (Instance.sop_instance_uid == LesionRow.sop_instance_uid) & (Instance.state == "current"))
        .where(*_groupable())
        .order_by(LesionRow.lesion_id)
    )
    if lesion_ids is not None:
        query = query.where(LesionRow.lesion_id.in_(lesion_ids))
    return [_truth_lesion(row, file_name) for row, file_name in session.execute(query)]


def new_lesions(session: Session, since: datetime | None) -> int:
    """How many lesions that may be grouped were harvested after that time and are in no group yet.

    0 while there are fewer lesions than are grouped at all. since: None for ever.
    """
    stored = exists().where(Instance.sop_instance_uid == LesionRow.sop_instance_uid, Instance.state == "current")
    groupable = select(func.count()).select_from(LesionRow).where(*_groupable(), stored)
    if (session.scalar(groupable) or 0) < MIN_LESIONS:
        return 0
    grouped = select(CategoryMember.lesion_id).where(CategoryMember.label_generation == current_generation(session))
    new = groupable.join(SourceObject, SourceObject.source_sop_instance_uid == LesionRow.source_sop_instance_uid).where(
        LesionRow.lesion_id.not_in(grouped)
    )
    if since is not None:
        new = new.where(SourceObject.harvested_at > since)
    return session.scalar(new) or 0


def current_generation(session: Session) -> int | None:
    """The newest generation; None before the first."""
    return session.scalar(select(func.max(LabelGeneration.label_generation)))


def members(session: Session, label_generation: int) -> dict[str, int]:
    """lesion_id → category_id."""
    rows = session.execute(
        select(CategoryMember.lesion_id, CategoryMember.category_id).where(
            CategoryMember.label_generation == label_generation
        )
    )
    return {row.lesion_id: row.category_id for row in rows}


def list_categories(session: Session, label_generation: int | None = None) -> list[CategorySummary]:
    """The categories of a generation (the current one by default), largest first; empty before the first."""
    generation = current_generation(session) if label_generation is None else label_generation
    rows = session.execute(
        select(Category, CategoryStatistics)
        .join(CategoryStatistics, CategoryStatistics.category_id == Category.category_id)
        .where(CategoryStatistics.label_generation == generation)
        .order_by(CategoryStatistics.members.desc(), Category.category_id)
    )
    return [
        CategorySummary(
            category_id=category.category_id,
            name=category.name,
            named_by_person=category.named_by_person,
            members=statistics.members,
            stability=statistics.stability,
            site_code=category.site_code,
            finding_code=category.finding_code,
        )
        for category, statistics in rows
    ]


def samples(session: Session, category_id: int, count: int = 12, label_generation: int | None = None) -> list[str]:
    """The lesion_ids of a category's most typical members, nearest to its centre first; at most `count`."""
    generation = current_generation(session) if label_generation is None else label_generation
    return list(
        session.scalars(
            select(CategoryMember.lesion_id)
            .where(CategoryMember.label_generation == generation, CategoryMember.category_id == category_id)
            .order_by(CategoryMember.distance, CategoryMember.lesion_id)
            .limit(count)
        )
    )


# --- writing ----------------------------------------------------------------------------------------------------


def add_generation(session: Session, generation: NewGeneration, now: datetime) -> int:
    """Write a generation with its categories and members, make it current, and give back its number."""
    grouped = sum(len(group.distances) for group in generation.groups)
    row = LabelGeneration(
        created_at=now,
        extractor=generation.extractor,
        weights_sha256=generation.weights_sha256,
        settings=dict(generation.settings),
        lesions=grouped,
        figures=dict(generation.figures),
    )
    session.add(row)
    session.flush()
    number = row.label_generation
    for group in generation.groups:
        category_id = _category(session, group).category_id
        session.execute(
            insert(CategoryStatistics).values(
                label_generation=number,
                category_id=category_id,
                members=len(group.distances),
                stability=group.stability,
            )
        )
        rows = [
            {"label_generation": number, "lesion_id": lesion_id, "category_id": category_id, "distance": distance}
            for lesion_id, distance in group.distances.items()
        ]
        if rows:
            session.execute(insert(CategoryMember), rows)
    lesions.refresh(session)
    return number


def rename(session: Session, category_id: int, name: str, actor: str, now: datetime) -> None:
    """Give a category a person's name, which no later run changes, and record who did it.

    Raises RequestError for an unknown category, an empty or too long name, or the name of another category.
    """
    wanted = " ".join(name.split())
    if not 1 <= len(wanted) <= MAX_NAME:
        raise RequestError("a category's name has 1 to 64 characters", characters=len(wanted))
    category = session.get(Category, category_id)
    if category is None:
        raise RequestError("there is no such category", category_id=category_id)
    taken = session.scalar(select(Category.category_id).where(func.lower(Category.name) == wanted.lower()))
    if taken is not None and taken != category_id:
        raise RequestError("another category has this name", category_id=taken)
    session.add(
        Audit(
            at=now,
            actor=actor,
            action="rename category",
            target=str(category_id),
            facts={"old": category.name, "new": wanted},
        )
    )
    category.name = wanted
    category.named_by_person = True
    session.flush()
    lesions.refresh(
        session, session.scalars(select(LesionRow.lesion_id).where(LesionRow.category_id == category_id)).all()
    )


def _groupable() -> tuple[ColumnElement[bool], ...]:
    return (
        LesionRow.excluded_because.is_(None),
        LesionRow.image_present.is_(True),
        LesionRow.modality == "CT",
        LesionRow.row_spacing_mm.is_not(None),
        LesionRow.col_spacing_mm.is_not(None),
    )


def _truth_lesion(row: LesionRow, file_name: str) -> TruthLesion:
    assert row.row_spacing_mm is not None and row.col_spacing_mm is not None  # noqa: S101  # _groupable asks for them
    short_axis = None
    if None not in (row.short_x1, row.short_y1, row.short_x2, row.short_y2):
        short_axis = _axis(row.short_x1, row.short_y1, row.short_x2, row.short_y2)
    return TruthLesion(
        lesion_id=row.lesion_id,
        image=ImageReference(row.sop_instance_uid, row.frame_number),
        file_name=file_name,
        spacing=PixelSpacing(row.row_spacing_mm, row.col_spacing_mm),
        long_axis=_axis(row.long_x1, row.long_y1, row.long_x2, row.long_y2),
        short_axis=short_axis,
        patient=f"{row.issuer_of_patient_id or ''}\x1f{row.patient_id or row.study_instance_uid or ''}",
        split=row.split,
        site=row.site,
        site_code=row.site_code,
        finding=row.finding,
        finding_code=row.finding_code,
    )


def _axis(x1: float | None, y1: float | None, x2: float | None, y2: float | None) -> Axis:
    return Axis(PointPx(float(x1 or 0), float(y1 or 0)), PointPx(float(x2 or 0), float(y2 or 0)))


def _category(session: Session, group: NewGroup) -> Category:
    """The row of a group's category, new or going on; its name changes only while no person has given one."""
    category = None if group.category_id is None else session.get(Category, group.category_id)
    if category is None:
        category = Category(name="", named_by_person=False)
        session.add(category)
        session.flush()
    if not category.named_by_person and not _begins_with(category.name, group.stem):
        category.name = _free_name(session, group.name, category.category_id)
    category.site_code, category.finding_code = group.site_code, group.finding_code
    session.flush()
    return category


def _begins_with(name: str, stem: str) -> bool:
    """Whether a name is the stem, or the stem with what tells it apart: `Bone`, `Bone, dense`, `Bone 2`."""
    rest = name.removeprefix(stem[:MAX_NAME])
    return name.startswith(stem[:MAX_NAME]) and (not rest or rest.startswith(", ") or rest[1:].isdigit())


def _free_name(session: Session, name: str, category_id: int) -> str:
    """The name, with the first number behind it that makes it unlike those of all other categories."""
    others = select(func.lower(Category.name)).where(Category.category_id != category_id)
    taken = set(session.scalars(others))
    numbered = (f"{name[: MAX_NAME - len(str(n)) - 1]} {n}" for n in count(2))
    return next(free for free in chain([name[:MAX_NAME]], numbered) if free.lower() not in taken)
