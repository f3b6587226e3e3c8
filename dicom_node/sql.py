"""`dicom-node sql`: one statement over the views, on a connection that can neither write nor see anything else. Shell."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from db.errors import RequestError
from db.views import VIEWS, reader_role

Table = tuple[list[str], list[Sequence[object]]]


def query(database_url: str, statement: str) -> Table:
    """Column names and rows of one statement. Raises RequestError with the database's own message."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        return _query_sqlite(str(url.database), statement)
    return _query_postgresql(database_url, statement)


def _query_sqlite(path: str, statement: str) -> Table:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        connection.set_authorizer(_authorize)
        cursor = connection.execute(statement)
        return [column[0] for column in cursor.description or ()], cursor.fetchall()
    except sqlite3.Warning as error:
        raise RequestError("give one statement at a time") from error
    except sqlite3.Error as error:
        raise RequestError(f"the database refused: {error}; the views are {', '.join(VIEWS)}") from error
    finally:
        connection.close()


def _authorize(action: int, name: str | None, _what: str | None, _database: str | None, within: str | None) -> int:
    """SQLite asks at compile time for each thing that a statement touches; `within` is the view it stands in."""
    if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE):
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_READ and (name in VIEWS or within in VIEWS):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _query_postgresql(database_url: str, statement: str) -> Table:
    engine = create_engine(database_url)
    try:
        with engine.connect() as connection:
            role = reader_role(connection)
            connection.rollback()
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            connection.exec_driver_sql(f'SET LOCAL ROLE "{role}"')
            # A parameter makes the driver use the protocol that takes exactly one statement.
            result = connection.connection.cursor()
            result.execute(statement, prepare=True)
            return [column.name for column in result.description or ()], result.fetchall()
    except (SQLAlchemyError, _driver_error()) as error:
        message = str(getattr(error, "orig", error)).splitlines()[0]
        raise RequestError(f"the database refused: {message}; the views are {', '.join(VIEWS)}") from error
    finally:
        engine.dispose()


def _driver_error() -> type[Exception]:
    import psycopg

    return psycopg.Error
