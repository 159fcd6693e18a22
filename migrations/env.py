import time

import click
from alembic import context
from flask import current_app
from psycopg import errors
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError

from portal.access.database_roles import let_in_the_serving_role, owner_engine
from portal.models import Base

# Shorter than PostgreSQL takes to look for a deadlock: the migration gives way, and never a payment.
LOCK_TIMEOUT = text("SET lock_timeout = '800ms'")
TRIES, PAUSE = 60, 1.0  # seconds
SOMEBODY_WORKS = (errors.LockNotAvailable, errors.DeadlockDetected)


def run() -> None:
    with owner_engine().connect() as connection:
        connection.execute(LOCK_TIMEOUT)
        connection.commit()
        if newer := newer_revision(connection):
            click.echo(f"The database is at {newer}, which a newer release made: nothing to do for this one.")
            return
        migrate(connection)
        let_in_the_serving_role(connection)


def migrate(connection: Connection) -> None:
    """Each migration in a transaction of its own; one that met somebody at work is tried again."""
    for left in range(TRIES - 1, -1, -1):
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
