"""The migrations: they lead to what the models say, up and down, and leave the views."""

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from postgres import Server
from sqlalchemy import Engine, MetaData, Table, func, inspect, select, text

from db import models, outcomes
from db.engine import open_engine
from db.errors import DatabaseError
from db.tables import Base
from db.views import VIEWS
from dicom_node.database import (
    alembic_config,
    changing_tables,
    current_revision,
    newest_revision,
    open_checked,
    upgrade,
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def new_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Engine]]:
    """Makes engines, each on an empty database of its own, all of either kind."""
    made: list[Engine] = []

    def new() -> Engine:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path}/migrations-{len(made)}.sqlite"
        else:
            server: Server = request.getfixturevalue("postgres_server")
            url = server.new_database(migrated=False)
        made.append(open_engine(url))
        return made[-1]

    yield new
    for engine in made:
        engine.dispose()


@pytest.fixture
def engine(new_engine: Callable[[], Engine]) -> Engine:
    """An engine on an empty database of either kind."""
    return new_engine()


@pytest.fixture
def of_the_models(new_engine: Callable[[], Engine]) -> Engine:
    """An engine on a database that the models made without any migration."""
    made = new_engine()
    Base.metadata.create_all(made)
    return made


def migrate_to(engine: Engine, revision: str) -> None:
    migrate(command.downgrade if revision == "base" else command.upgrade, engine, revision)


def migrate_down(engine: Engine, revision: str) -> None:
    migrate(command.downgrade, engine, revision)


def migrate(way: Callable[[Config, str], None], engine: Engine, revision: str) -> None:
    config = alembic_config()
    with changing_tables(engine) as connection:
        config.attributes["connection"] = connection
        way(config, revision)


def differences(engine: Engine) -> list[object]:
    """What autogenerate would still change between the database and the models."""
    assert {models.Study.metadata, outcomes.Result.metadata} == {Base.metadata}
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))


def test_the_migrations_equal_the_models(engine: Engine) -> None:
    upgrade(engine)
    assert differences(engine) == []


def checks(engine: Engine) -> set[tuple[str, str | None, str]]:
    """(table, name, condition) of every CHECK, which autogenerate does not look at, as the database itself words it."""
    found = inspect(engine).get_multi_check_constraints()
    return {(table, check["name"], check["sqltext"]) for (_, table), of_it in found.items() for check in of_it}


def test_the_migrations_leave_the_checks_of_the_models(engine: Engine, of_the_models: Engine) -> None:
    upgrade(engine)
    assert checks(engine) == checks(of_the_models)
    assert {table for table, _, _ in checks(engine)} > {"patient", "study", "task", "delivery"}


def test_a_check_that_a_migration_loses_or_changes_is_seen(engine: Engine, of_the_models: Engine) -> None:
    upgrade(engine)
    was = "CONSTRAINT ck_task_kind_known CHECK (kind IN ('categorise', 'train'))"
    now = "CONSTRAINT ck_task_kind_known CHECK (kind IN ('categorise'))"
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":  # which has no command for it
            connection.execute(text("PRAGMA writable_schema = ON"))
            connection.execute(
                text("UPDATE sqlite_master SET sql = replace(sql, :was, :now)"), {"was": was, "now": now}
            )
        else:
            connection.execute(text("ALTER TABLE task DROP CONSTRAINT ck_task_kind_known"))
            connection.execute(text(f"ALTER TABLE task ADD {now}"))
    engine.dispose()
    assert [name for _, name, _ in checks(engine) ^ checks(of_the_models)] == ["ck_task_kind_known"] * 2
    assert differences(engine) == [], "autogenerate sees nothing of it"


def test_there_is_one_newest_revision() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [newest_revision()]


def test_every_migration_goes_down_and_up_again(engine: Engine) -> None:
    upgrade(engine)
    before = checks(engine)
    migrate_to(engine, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    assert inspect(engine).get_view_names() == []
    upgrade(engine)
    assert differences(engine) == []
    assert checks(engine) == before


def test_of_two_promoted_models_the_later_one_stays(engine: Engine) -> None:
    migrate_to(engine, "0001")
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO training_set (training_set_id, created_at) VALUES ('set', '2026-03-01 00:00:00')")
        )
        for hour, letter in enumerate("abc"):
            connection.execute(
                text(
                    "INSERT INTO model (model_id, state, trained_at, promoted_at, training_set_id, weights_sha256,"
                    " weights_name, git_commit, card, gate) VALUES (:letter, :state, :at, :at, 'set', :letter, '', '',"
                    " '{}', '{}')"
                ),
                {
                    "letter": letter,
                    "state": "candidate" if letter == "a" else "promoted",
                    "at": f"2026-03-01 0{hour}:00:00",
                },
            )
    upgrade(engine)
    with engine.connect() as connection:
        states = connection.execute(text("SELECT model_id, state FROM model ORDER BY model_id")).all()
    assert [tuple(row) for row in states] == [("a", "candidate"), ("b", "retired"), ("c", "promoted")]


OF_TYPE = {
    str: "1.2",
    int: 1,
    float: 1.5,
    bool: True,
    object: {},
    date: date(2026, 3, 14),
    datetime: datetime(2026, 3, 14),
}
"""A value of each kind; `object` is JSON."""


def fill(engine: Engine) -> list[Table]:
    """One row in every table, which refers to the others as far as it can; the tables."""
    metadata = MetaData()
    metadata.reflect(engine)
    checked = {table: inspect(engine).get_check_constraints(table) for table in metadata.tables}
    tables = [table for table in metadata.sorted_tables if table.name != "alembic_version"]
    with engine.begin() as connection:
        for table in tables:
            allowed = {str(check["name"]): re.findall("'([^']*)'", check["sqltext"]) for check in checked[table.name]}
            row = {}
            for column in table.columns:
                if choices := allowed.get(f"ck_{table.name}_{column.name}_known"):
                    row[column.name] = choices[0]
                elif column.foreign_keys:
                    (key,) = column.foreign_keys
                    row[column.name] = connection.scalar(select(key.column))
                else:
                    row[column.name] = OF_TYPE[column.type.python_type]
            connection.execute(table.insert().values(row))
    return tables


def test_a_filled_database_loses_nothing_on_its_way_up_and_down(engine: Engine) -> None:
    migrate_to(engine, "0003")
    tables = fill(engine)
    for move in (upgrade, lambda engine: migrate_down(engine, "0003"), upgrade):
        move(engine)
        with engine.connect() as connection:
            assert {table.name: connection.scalar(select(func.count()).select_from(table)) for table in tables} == {
                table.name: 1 for table in tables
            }
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1, "as every connection of ours"
        for view in VIEWS:
            connection.execute(text(f"SELECT * FROM {view}")).all()


def test_an_upgraded_database_has_every_view(engine: Engine) -> None:
    assert upgrade(engine) == newest_revision() == current_revision(engine)
    assert set(inspect(engine).get_view_names()) == set(VIEWS)


def test_upgrading_again_changes_nothing(engine: Engine) -> None:
    upgrade(engine)
    assert upgrade(engine) == newest_revision()


def test_a_database_that_is_not_upgraded_is_refused_with_the_command(tmp_path: Path) -> None:
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(DatabaseError, match=r"dicom-node db upgrade.*found=none, wanted="):
        open_checked(f"sqlite:///{tmp_path}/empty.sqlite")


def test_a_missing_database_is_refused_with_the_command_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"no database yet; run `dicom-node db upgrade`"):
        open_checked(f"sqlite:///{tmp_path}/none.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_only_its_owner_may_read_the_database(tmp_path: Path) -> None:
    upgrade(open_engine(f"sqlite:///{tmp_path}/node.sqlite"))
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
