import click
from alembic import context
from flask import current_app
from sqlalchemy import Connection, inspect, text

from portal.access.database_roles import let_in_the_serving_role, owner_engine
from portal.models import Base

LOCK_TIMEOUT = text("SET lock_timeout = '3s'")


def run() -> None:
    with owner_engine().connect() as connection:
        connection.execute(LOCK_TIMEOUT)
        connection.commit()
        if newer := newer_revision(connection):
            click.echo(f"The database is at {newer}, which a newer release made: nothing to do for this one.")
            return
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            **current_app.extensions["migrate"].configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()
        let_in_the_serving_role(connection)


def newer_revision(connection: Connection) -> str | None:
    """The database's revision where it is beyond the newest that this release holds.

    A release that is rolled back must not fail on it: every migration works with the code before it.
    """
    known = inspect(connection).has_table("alembic_version")
    found = connection.scalar(text("SELECT max(version_num) FROM alembic_version")) if known else None
    connection.rollback()  # alembic would not commit inside a transaction that it did not begin
    own = context.script.get_current_head()
    return found if found and own and found.isdigit() and int(found) > int(own) else None


run()
