from alembic import context
from flask import current_app
from sqlalchemy import text

from portal.extensions import db
from portal.models import Base

LOCK_TIMEOUT = text("SET lock_timeout = '3s'")


def run() -> None:
    with db.engine.connect() as connection:
        connection.execute(LOCK_TIMEOUT)
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            **current_app.extensions["migrate"].configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
