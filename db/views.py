"""The SQL views: what researchers and tools read, the same on SQLite and PostgreSQL (docs/sql.md).

Views hold no data. They are dropped before and made again after every migration (alembic/env.py), so that
`db.views_of_harvest` and `db.views_of_results` alone say what they are.
"""

from __future__ import annotations

from sqlalchemy import Connection, MetaData, text
from sqlalchemy.sql.ddl import CreateView

from db import views_of_harvest, views_of_results

READER_ROLE = "lesion_reader"
"""On PostgreSQL: the role that may read the views and nothing else; `sql` works as this role."""

VIEWS = {
    "lesions": views_of_harvest.lesions,
    "lesion_sources": views_of_harvest.lesion_sources,
    "reader_spread": views_of_harvest.reader_spread,
    "rejections": views_of_harvest.rejections,
    "studies": views_of_harvest.studies,
    "detections": views_of_results.detections,
    "deliveries": views_of_results.deliveries,
    "receipts": views_of_results.receipts,
    "models": views_of_results.models,
    "assessments": views_of_results.assessments,
    "override_rates": views_of_results.override_rates,
    "categories": views_of_harvest.categories,
    "lesion_growth": views_of_harvest.lesion_growth,
    "analyses": views_of_results.analyses,
}


def drop_views(connection: Connection) -> None:
    for name in reversed(VIEWS):
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))


def create_views(connection: Connection) -> None:
    """Make all views, and let the reader role read them (PostgreSQL)."""
    metadata = MetaData()
    for name, query in VIEWS.items():
        connection.execute(CreateView(query(), name, metadata=metadata))
    if connection.dialect.name == "postgresql":
        _grant_reader(connection)


def _grant_reader(connection: Connection) -> None:
    """Without CREATEROLE the role must be made by the database's administrator (docs/sql.md); views work anyway."""
    role = reader_role(connection)
    exists = connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role})
    may_create = connection.scalar(text("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user"))
    if not exists and not may_create:
        return
    if not exists:
        connection.execute(text(f'CREATE ROLE "{role}" NOLOGIN'))
        connection.execute(text(f'GRANT "{role}" TO current_user'))
    schema = connection.scalar(text("SELECT current_schema()"))
    connection.execute(text(f'GRANT USAGE ON SCHEMA "{schema}" TO "{role}"'))
    for name in VIEWS:
        connection.execute(text(f'GRANT SELECT ON {name} TO "{role}"'))


def reader_role(connection: Connection) -> str:
    """Roles belong to the server, views to one database: so the name holds the database's."""
    return f"{READER_ROLE}_{connection.scalar(text('SELECT current_database()'))}"
