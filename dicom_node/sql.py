"""`dicom-node sql`: one statement over the views; nothing else can be seen, and nothing written. Shell."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Sequence
from typing import cast

from sqlalchemy import create_engine, make_url
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
        connection.set_authorizer(_only_within(_hidden_views(connection)))
        cursor = connection.execute(statement)
        return [column[0] for column in cursor.description or ()], cursor.fetchall()
    except sqlite3.Error as error:
        raise RequestError(f"the database refused: {error}; the views are {', '.join(VIEWS)}") from error
    finally:
        connection.close()


def _hidden_views(connection: sqlite3.Connection) -> str:
    """Lay every view once more under a name that nobody can guess; returns what those names begin with.

    SQLite tells the authorizer in which view a table is read, but a common table expression of the same name looks
    like that view. So the public name only selects from the hidden one, and only the hidden one may read tables.
    """
    prefix = f"v{secrets.token_hex(16)}_"
    for name in VIEWS:
        (definition,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
        select = definition.split(" AS ", 1)[1]
        connection.execute(f"CREATE TEMP VIEW {prefix}{name} AS {select}")
        connection.execute(f"CREATE TEMP VIEW {name} AS SELECT * FROM {prefix}{name}")  # noqa: S608  (our own names)
    return prefix


def _only_within(prefix: str) -> Callable[[int, str | None, str | None, str | None, str | None], int]:
    """What SQLite asks at compile time for each thing that a statement touches."""

    def authorize(action: int, name: str | None, column: str | None, _database: str | None, within: str | None) -> int:
        if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE):
            return sqlite3.SQLITE_OK
        hidden = any(word is not None and word.startswith(prefix) for word in (name, within))
        # After a view is flattened, a bare count names its table once more, outside the view and without a column.
        if action == sqlite3.SQLITE_READ and (hidden or name in VIEWS or column == ""):
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    return authorize


def _query_postgresql(database_url: str, statement: str) -> Table:
    """As the role that may read the views only. Prepared, for only then the server takes one statement and no more."""
    import psycopg

    engine = create_engine(database_url)
    try:
        with engine.connect() as connection:
            role = reader_role(connection)
            connection.rollback()
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            connection.exec_driver_sql(f'SET LOCAL ROLE "{role}"')
            driver = cast("psycopg.Connection[tuple[object, ...]]", connection.connection.driver_connection)
            cursor = driver.execute(statement.encode(), prepare=True)
            return [column.name for column in cursor.description or ()], list(cursor.fetchall())
    except (SQLAlchemyError, psycopg.Error) as error:
        message = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise RequestError(f"the database refused: {message}; the views are {', '.join(VIEWS)}") from error
    finally:
        engine.dispose()
