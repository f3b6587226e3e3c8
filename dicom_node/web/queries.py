"""What the pages show of what was harvested: lesions, categories, refused and rejected. Shell: reads only.

Every function makes a fixed number of queries, whatever the number of rows, and returns plain values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnExpressionArgument, and_, func, select
from sqlalchemy.orm import Session

from db.models import (
    Category,
    CategoryMember,
    CategoryStatistics,
    LabelGeneration,
    LesionRow,
    Refusal,
    Rejection,
)
from dicom_node.web.paging import PAGE_ROWS, Page, offset_of

SAMPLES = 8
"""Lesions on the sample picture of a category."""


def count(session: Session, what: Any, *conditions: ColumnExpressionArgument[bool]) -> int:
    return session.scalar(select(func.count()).select_from(what).where(*conditions)) or 0


def counted(session: Session, column: Any, *conditions: ColumnExpressionArgument[bool]) -> dict[str, int]:
    """How many rows hold each value of a column, the most frequent first; NULL counts as ''."""
    number = func.count().label("number")
    rows = session.execute(select(column, number).where(*conditions).group_by(column).order_by(number.desc(), column))
    return {"" if value is None else str(value): total for value, total in rows}


# --- lesions ----------------------------------------------------------------------------------------------------


def lesions(
    session: Session, number: int = 1, rows: int = PAGE_ROWS, *conditions: ColumnExpressionArgument[bool]
) -> Page[LesionRow]:
    """The lesions measured last, first."""
    newest = (
        select(LesionRow)
        .where(*conditions)
        .order_by(LesionRow.measured_at.desc().nulls_last(), LesionRow.lesion_id)
        .offset(offset_of(number, rows))
        .limit(rows)
    )
    return Page(list(session.scalars(newest)), count(session, LesionRow, *conditions), max(1, number), rows)


def lesions_by_id(session: Session, lesion_ids: Sequence[str]) -> list[LesionRow]:
    return list(session.scalars(select(LesionRow).where(LesionRow.lesion_id.in_(lesion_ids))))


@dataclass(frozen=True, slots=True)
class LesionCounts:
    total: int
    by_source: dict[str, int]
    by_split: dict[str, int]
    excluded: dict[str, int]


def lesion_counts(session: Session) -> LesionCounts:
    return LesionCounts(
        count(session, LesionRow),
        counted(session, LesionRow.source_kind),
        counted(session, LesionRow.split, LesionRow.split.is_not(None)),
        counted(session, LesionRow.excluded_because, LesionRow.excluded_because.is_not(None)),
    )


# --- categories -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CategoryLine:
    category_id: int
    name: str
    named_by_person: bool
    members: int
    stability: float | None
    samples: tuple[str, ...]
    """lesion_id of the most typical members that have an image."""


def newest_generation(session: Session) -> LabelGeneration | None:
    return session.scalar(select(LabelGeneration).order_by(LabelGeneration.label_generation.desc()).limit(1))


def categories(session: Session, label_generation: int) -> list[CategoryLine]:
    """The categories of a generation, the largest first, with their samples: two queries."""
    statistics = (
        select(Category, CategoryStatistics)
        .join(CategoryStatistics, CategoryStatistics.category_id == Category.category_id)
        .where(CategoryStatistics.label_generation == label_generation)
        .order_by(CategoryStatistics.members.desc(), Category.category_id)
        .limit(PAGE_ROWS)
    )
    samples = category_samples(session, label_generation)
    return [
        CategoryLine(
            category.category_id,
            category.name,
            category.named_by_person,
            row.members,
            row.stability,
            tuple(samples.get(category.category_id, ())),
        )
        for category, row in session.execute(statistics)
    ]


def category_samples(session: Session, label_generation: int) -> dict[int, list[str]]:
    """For each category the lesion_id of its most typical members that have an image, the most typical first."""
    rank = func.row_number().over(partition_by=CategoryMember.category_id, order_by=CategoryMember.distance)
    ranked = (
        select(CategoryMember.category_id, CategoryMember.lesion_id, rank.label("rank"))
        .join(LesionRow, and_(LesionRow.lesion_id == CategoryMember.lesion_id, LesionRow.image_present))
        .where(CategoryMember.label_generation == label_generation)
        .subquery()
    )
    typical = select(ranked.c.category_id, ranked.c.lesion_id).where(ranked.c.rank <= SAMPLES)
    found: dict[int, list[str]] = {}
    for category_id, lesion_id in session.execute(typical.order_by(ranked.c.category_id, ranked.c.rank)):
        found.setdefault(category_id, []).append(lesion_id)
    return found


# --- refused and rejected ---------------------------------------------------------------------------------------


def refusal_counts(session: Session) -> dict[str, int]:
    return counted(session, Refusal.reason_code)


def rejection_counts(session: Session) -> dict[str, int]:
    return counted(session, Rejection.reason_code)


def refusals(session: Session, number: int = 1, reason: str = "", rows: int = PAGE_ROWS) -> Page[Refusal]:
    """Objects that were not taken, the newest first."""
    conditions = [Refusal.reason_code == reason] if reason else []
    newest = select(Refusal).where(*conditions).order_by(Refusal.at.desc(), Refusal.refusal_pk.desc())
    found = list(session.scalars(newest.offset(offset_of(number, rows)).limit(rows)))
    return Page(found, count(session, Refusal, *conditions), max(1, number), rows)


def rejections(session: Session, number: int = 1, reason: str = "", rows: int = PAGE_ROWS) -> Page[Rejection]:
    """What was read and did not become a measurement, the newest first."""
    conditions = [Rejection.reason_code == reason] if reason else []
    newest = select(Rejection).where(*conditions).order_by(Rejection.at.desc(), Rejection.rejection_pk.desc())
    found = list(session.scalars(newest.offset(offset_of(number, rows)).limit(rows)))
    return Page(found, count(session, Rejection, *conditions), max(1, number), rows)
