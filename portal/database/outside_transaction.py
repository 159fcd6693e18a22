"""Single statements outside the session's transaction, for what must be seen by other processes at once.

They take a connection of the session's own pool. Whoever has a transaction open holds one already, and in a
process that may hold one only would wait in vain for a second: such a caller may only read, on the one it has.
"""

from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError

from portal.extensions import db

ENTER = text("SELECT set_config('app.tenant_id', :tenant_id, false)")


class TransactionOpen(RuntimeError):
    """A transaction is open where none may be: a programming error."""


def run(tenant_id: int, statement: str, **values: Any) -> list[Row[Any]]:
    """Executes one statement as its own transaction within a partner's rows; its RETURNING or SELECT rows."""
    if in_transaction():
        raise TransactionOpen("Commit first: the statement needs a connection of its own.")
    try:
        return _run(tenant_id, statement, values)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        return _run(tenant_id, statement, values)  # the server closed an idle connection


def read(tenant_id: int, query: str, **values: Any) -> list[Row[Any]]:
    """The rows of a SELECT within the current partner's, whether a transaction is open or not."""
    if in_transaction():
        return list(db.session.execute(text(query), {"tenant_id": tenant_id, **values}))
    return run(tenant_id, query, **values)


def in_transaction() -> bool:
    return bool(db.session.registry.has() and db.session().in_transaction())


def _run(tenant_id: int, statement: str, values: dict[str, Any]) -> list[Row[Any]]:
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.info.get("tenant_id") != tenant_id:
            connection.execute(ENTER, {"tenant_id": str(tenant_id)})
            connection.info["tenant_id"] = tenant_id
        result = connection.execute(text(statement), {"tenant_id": tenant_id, **values})
        return list(result) if result.returns_rows else []
