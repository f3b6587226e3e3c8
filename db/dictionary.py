"""The data dictionary of the views: column, type, unit, allowed words, meaning, made of the code itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, Date, DateTime, Float, Integer, String
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

from db.meanings import MEANINGS, PURPOSE, SHARED, Meaning
from db.views import VIEWS

KINDS: tuple[tuple[type[TypeEngine[Any]], str], ...] = (
    (Boolean, "yes/no"),
    (DateTime, "time"),
    (Date, "date"),
    (Float, "number"),
    (Integer, "whole number"),
    (String, "text"),
    (NullType, "number"),  # SQLAlchemy does not say what type an average has
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One column of a view. kind: one of KINDS' words."""

    column: str
    kind: str
    meaning: Meaning


def entries(view: str) -> list[Entry]:
    """The columns of a view, in its order. KeyError for one without a meaning."""
    columns = VIEWS[view]().selected_columns
    return [Entry(c.name, kind_of(c.type), MEANINGS[view].get(c.name) or SHARED[c.name]) for c in columns]


def kind_of(column_type: TypeEngine[Any]) -> str:
    held = column_type.impl_instance if isinstance(column_type, TypeDecorator) else column_type
    return next(word for kind, word in KINDS if isinstance(held, kind))


def as_markdown() -> str:
    """The section of docs/sql.md: a heading and a table for each view."""
    return "\n".join(line for view in PURPOSE for line in _section(view))


def _section(view: str) -> Iterator[str]:
    yield f"### `{view}`: {PURPOSE[view]}"
    yield ""
    yield "| column | type | unit | meaning |"
    yield "|---|---|---|---|"
    for entry in entries(view):
        says = entry.meaning.says
        if entry.meaning.words:
            says += ": " + ", ".join(f"`{word}`" for word in entry.meaning.words)
        yield f"| `{entry.column}` | {entry.kind} | {entry.meaning.unit} | {says} |".replace("|  |", "| |")
    yield ""
