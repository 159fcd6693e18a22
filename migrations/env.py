import time

import click
from alembic import context
from flask import current_app
from psycopg import errors
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError

from portal.access.database_roles import let_in_the_serving_role, owner_engine
from portal.models import Base

# Seconds to wait for a lock. Less than PostgreSQL takes to look for a deadlock (1 s): the migration gives way, and no
# payment does. Where people work without a pause that never comes, and everybody waits a moment longer.
PATIENCE = (*[0.8] * 10, *[3.0] * 20)
PAUSE = 1.0  # seconds between tries
LOCK_TIMEOUT = text("SELECT set_config('lock_timeout', :wait, false)")
SOMEBODY_WORKS = (errors.LockNotAvailable, errors.DeadlockDetected)


def run() -> None:
    with owner_engine().connect() as connection:
        if newer := newer_revision(connection):
            click.echo(f"The database is at {newer}, which a newer release made: nothing to do for this one.")
            return
        migrate(connection)
        let_in_the_serving_role(connection)


def migrate(connection: Connection) -> None:
    """Each migration in a transaction of its own; one that met somebody at work is tried again."""
    for left, patience in zip(range(len(PATIENCE) - 1, -1, -1), PATIENCE, strict=True):
        connection.execute(LOCK_TIMEOUT, {"wait": f"{patience * 1000:.0f}ms"})
        connection.commit()
        try:
            return steps(connection)
        except OperationalError as error:
            if not isinstance(error.orig, SOMEBODY_WORKS) or not left:
                raise
            connection.rollback()
            click.echo(
                f"Somebody works on what a migration changes: it is tried again, {left} times at most.",
                err=True,
            )
            time.sleep(PAUSE)
    raise AssertionError("unreachable")


def steps(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transaction_per_migration=True,
        **current_app.extensions["migrate"].configure_args,
    )
    with context.begin_transaction():
        context.run_migrations()


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
