"""Run the migrations: given a connection by `db upgrade`, or by a URL on alembic's own command line."""

from alembic import context
from sqlalchemy import Connection, engine_from_config

from db import models, outcomes  # noqa: F401  (their tables join the metadata)
from db.tables import Base
from db.views import create_views, drop_views


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=Base.metadata, render_as_batch=True, compare_server_default=True
    )
    with context.begin_transaction():
        drop_views(connection)  # a table under a view could not be changed
        context.run_migrations()
        if context.get_context().get_current_heads() == tuple(context.script.get_heads()):
            create_views(connection)  # they speak of the newest tables


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    engine = engine_from_config(context.config.get_section(context.config.config_ini_section, {}), prefix="sqlalchemy.")
    with engine.connect() as connection:
        migrate(connection)
        connection.commit()
