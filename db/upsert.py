"""INSERT … ON CONFLICT on either database, each of which has it in a construct of its own. Shell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.tables import Base

BATCH = 100
"""Rows in one statement; SQLite takes 32,766 parameters."""


def insert_once(session: Session, model: type[Base], **values: object) -> bool:
    """Insert a row unless a unique key of it exists, in this transaction or another; whether it was inserted."""
    key = _table(model).primary_key
    insert = _insert(session, model).values(values).on_conflict_do_nothing().returning(*key)
    # The row itself tells: rowcount is not known on PostgreSQL where the key is counted up.
    return session.connection().execute(insert).first() is not None


def insert_or_update(session: Session, model: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, all with the same columns; where the primary key exists, the other columns are written over."""
    key = [column.name for column in _table(model).primary_key]
    for at in range(0, len(rows), BATCH):
        batch = list(rows[at : at + BATCH])
        insert = _insert(session, model).values(batch)
        changed = {name: insert.excluded[name] for name in batch[0] if name not in key}
        session.execute(insert.on_conflict_do_update(index_elements=key, set_=changed))


def _insert(session: Session, model: type[Base]) -> Any:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(_table(model))


def _table(model: type[Base]) -> Table:
    table = model.__table__
    if not isinstance(table, Table):
        raise TypeError(f"{model.__name__} is not one table")
    return table
