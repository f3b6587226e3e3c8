"""Rows of `circuit`: destinations that failed in a row. Shell; every function works in the caller's transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.outcomes import Circuit as Row
from db.upsert import insert_once


def lock(session: Session, destination: str) -> Row:
    """The row of a destination, which nobody else changes before this transaction ends; made if there is none."""
    insert_once(session, Row, destination=destination, failures=0, reason="")
    return session.get_one(Row, destination, with_for_update=True, populate_existing=True)


def probe_now(session: Session, destination: str, now: datetime) -> None:
    """A person wants the destination tried, whatever it did before."""
    row = session.get(Row, destination, with_for_update=True)
    if row is not None and row.opened_at is not None:
        row.probe_at = now


def open_circuits(session: Session) -> list[Row]:
    """The destinations to which nothing goes but a probe, the longest away first: since when, until when, and why."""
    return list(session.scalars(select(Row).where(Row.opened_at.is_not(None)).order_by(Row.opened_at, Row.destination)))
