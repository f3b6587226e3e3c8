"""The database's revision: bring it up, ask for it, refuse to work on another one. Shell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import sessionmaker

from db.engine import Sessions, open_engine
from db.errors import DatabaseError


class DatabaseAway(DatabaseError):
    """The database cannot be reached."""


def alembic_config() -> Config:
    """Alembic's configuration on the migrations of this installation: in the wheel, or in a checkout's alembic/."""
    package = Path(__file__).parent
    folder = package / "migrations"
    config = Config()
    config.set_main_option("script_location", str(folder if folder.is_dir() else package.parent / "alembic"))
    config.set_main_option("path_separator", "os")
    return config


def newest_revision() -> str:
    return ScriptDirectory.from_config(alembic_config()).get_current_head() or ""


@contextmanager
def _reachable(engine: Engine) -> Iterator[None]:
    """Raises DatabaseAway where the database does not answer; its password stays out."""
    try:
        yield
    except OperationalError as error:
        because = str(error.orig).strip().splitlines()[0]
        database = engine.url.render_as_string(hide_password=True)
        raise DatabaseAway(f"the database cannot be reached: {because}", database=database) from error


def current_revision(engine: Engine) -> str:
    """The revision of a database; empty if it holds none of our tables. Raises DatabaseAway if it is not reached."""
    with _reachable(engine), engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() or ""


def upgrade(engine: Engine) -> str:
    """Bring a database to the newest revision, in one transaction; returns it.

    Raises DatabaseAway if it is not reached, DatabaseError if a newer version of the node was here before.
    """
    _refuse_newer(current_revision(engine))
    config = alembic_config()
    with _reachable(engine), changing_tables(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return newest_revision()


@contextmanager
def changing_tables(engine: Engine) -> Iterator[Connection]:
    """A transaction in which a migration may make a table anew.

    SQLite changes most of a table by a copy in its place, and to drop the old one would break what refers to it. So it
    looks at foreign keys once, at the end, and not in between; that can only be said outside of a transaction.
    """
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            with connection.begin():
                yield connection
            return
        driver = connection.connection
        driver.execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.begin():
                yield connection
                if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all():
                    tables = sorted({str(row[0]) for row in broken})
                    raise DatabaseError("rows refer to others that are not there; restore the backup", tables=tables)
        finally:
            driver.execute("PRAGMA foreign_keys = ON")


def _refuse_newer(found: str) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if found and found not in known:
        raise DatabaseError(
            "the database is of a newer version of the node; install that one, or restore the backup",
            found=found,
            newest_known=newest_revision(),
        )


def open_checked(url: str) -> Sessions:
    """Sessions on a database of the newest revision.

    Raises DatabaseError if it has another one, and says what to do; DatabaseAway if it is not reached.
    """
    path = make_url(url).database if url.startswith("sqlite") else None
    if path is not None and not Path(path).exists():
        raise DatabaseError("there is no database yet; run `dicom-node db upgrade`", path=path)
    engine = open_engine(url)
    try:
        _check_revision(engine)
    except DatabaseError:
        engine.dispose()
        raise
    return sessionmaker(engine, expire_on_commit=False)


def _check_revision(engine: Engine) -> None:
    found, wanted = current_revision(engine), newest_revision()
    _refuse_newer(found)
    if found != wanted:
        raise DatabaseError(
            "the database is not at this version's revision; run `dicom-node db upgrade`",
            found=found or "none",
            wanted=wanted,
        )
