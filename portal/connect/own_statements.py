"""Single statements outside the session's transaction, for what must be seen by other processes at once.

Their connections belong to one process: a forked child opens its own.
"""

import os
import threading
from typing import Any

from flask import current_app
from sqlalchemy import Engine, Row, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from portal import database
from portal.access import tenancy
from portal.extensions import db

_making = threading.Lock()  # two first calls at once would make two engines, and forget one
ENTER = text("SELECT set_config('app.tenant_id', :tenant_id, false)")


def run(tenant_id: int, statement: str, **values: Any) -> list[Row[Any]]:
    """Executes one statement as its own transaction within a partner's rows; its RETURNING or SELECT rows."""
    try:
        return _run(tenant_id, statement, values)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        return _run(tenant_id, statement, values)  # the server closed an idle connection


def _run(tenant_id: int, statement: str, values: dict[str, Any]) -> list[Row[Any]]:
    with _engine().connect() as connection:
        if connection.info.get("tenant_id") != tenant_id:
            connection.execute(ENTER, {"tenant_id": str(tenant_id)})
            connection.info["tenant_id"] = tenant_id
        result = connection.execute(text(statement), {"tenant_id": tenant_id, **values})
        return list(result) if result.returns_rows else []


def _engine() -> Engine:
    kept = current_app.extensions.setdefault("connect_engines", {})
    with _making:
        if os.getpid() not in kept:
            kept.clear()  # a parent's connections are left alone: closing them here would end them there
            kept[os.getpid()] = _new_engine()
        return kept[os.getpid()]


def _new_engine() -> Engine:
    options = current_app.config.get("SQLALCHEMY_ENGINE_OPTIONS", {})
    engine = create_engine(
        db.engine.url,
        isolation_level="AUTOCOMMIT",
        pool_size=2,
        max_overflow=6,
        pool_timeout=options.get("pool_timeout", 5),
        connect_args=options.get("connect_args", {}),
        hide_parameters=True,
    )
    database.prepare(engine)
    event.listen(engine, "connect", tenancy.lower_privileges)
    _dispose_with_the_sessions_engine(engine)
    return engine


def _dispose_with_the_sessions_engine(engine: Engine) -> None:
    owner = os.getpid()

    def dispose(_: Engine) -> None:
        if os.getpid() == owner:
            engine.dispose()

    event.listen(db.engine, "engine_disposed", dispose)
