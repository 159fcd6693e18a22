"""The tenant of every transaction. Row-level security shows a partner's rows only inside its scope."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Select, event, select, text
from sqlalchemy.orm import Session, SessionTransaction
from werkzeug.exceptions import NotFound

from portal.extensions import db
from portal.models.base import TenantOwned

Row = TypeVar("Row", bound=TenantOwned)

APPLY = text(
    "SELECT set_config('app.tenant_id', :tenant_id, true), set_config('app.scope', :name, true),"
    " set_config('app.key_hash', :key_hash, true)"
)


@dataclass(frozen=True)
class Scope:
    """What the database shows: one partner's rows, (`system`) due work of all, or one presented API key.

    Outside all of them it shows people and their logins, for whom no partner is known yet.
    """

    tenant_id: int | None = None
    system: bool = False
    key_hash: bytes = b""

    @property
    def name(self) -> str:
        if self.system:
            return "system"
        return "people" if self.tenant_id is None and not self.key_hash else ""


class NoTenant(RuntimeError):
    """A query for a partner's rows was made outside any tenant scope: a programming error."""


NOWHERE = Scope()
_current: ContextVar[Scope] = ContextVar("scope", default=NOWHERE)
_by_statement: ContextVar[bool] = ContextVar("by_statement", default=False)


def current_tenant_id() -> int:
    """The tenant of the running scope. Raises NoTenant outside one."""
    tenant_id = _current.get().tenant_id
    if tenant_id is None:
        raise NoTenant("No partner is in scope.")
    return tenant_id


def tenant_in_scope() -> int | None:
    """The tenant of the running scope, None outside every partner."""
    return _current.get().tenant_id


@contextmanager
def tenant_scope(tenant_id: int) -> Iterator[None]:
    """Every transaction inside sees and writes this partner's rows only; every log line names the partner."""
    with structlog.contextvars.bound_contextvars(tenant_id=tenant_id), _scope(Scope(tenant_id=tenant_id)):
        yield


@contextmanager
def system_scope() -> Iterator[None]:
    """Every transaction inside reads due work of all partners, and writes nobody's."""
    with _scope(Scope(system=True)):
        yield


@contextmanager
def people_scope() -> Iterator[None]:
    """Every transaction inside sees people and their logins, and no partner's rows."""
    with _scope(NOWHERE):
        yield


@contextmanager
def shown_by_its_statement() -> Iterator[None]:
    """A transaction begun inside is shown nothing yet: its first statement sets the scope outside all partners itself."""
    token = _by_statement.set(True)
    try:
        yield
    finally:
        _by_statement.reset(token)


def show_what_is_in_scope() -> None:
    """Shows the open transaction, if there is one, what the running scope shows."""
    _apply_to_open_transaction()


@contextmanager
def key_scope(key_hash: bytes) -> Iterator[None]:
    """Every transaction inside sees the one API key with this hash, whose partner is not known yet."""
    with _scope(Scope(key_hash=key_hash)):
        yield


def enter(connection: Connection, tenant_id: int) -> None:
    """Shows one partner's rows to a transaction that is not the session's, until it ends."""
    _show(connection, Scope(tenant_id=tenant_id))


def scoped(model: type[Row]) -> Select[Row]:
    """A select of one partner's rows: the start of every query for them."""
    return select(model).where(model.tenant_id == current_tenant_id())


def find_or_404(model: type[Row], row_id: int) -> Row:
    """The partner's row with this id. Raises NotFound for unknown and foreign ids, and for those no row can have."""
    row = db.session.get(model, (current_tenant_id(), row_id)) if 0 < row_id < 2**63 else None
    if row is None:
        raise NotFound
    return row


@contextmanager
def _scope(scope: Scope) -> Iterator[None]:
    token = _current.set(scope)
    try:
        _apply_to_open_transaction()
        yield
    except BaseException:
        db.session.rollback()
        raise
    finally:
        _current.reset(token)
        _apply_to_open_transaction()


def _apply_to_open_transaction() -> None:
    if not (db.session.registry.has() and db.session().in_transaction()):
        return
    if _is_aborted():
        db.session.rollback()
    else:
        _apply(db.session.connection())


def _is_aborted() -> bool:
    if not db.session().is_active:
        return True
    driver: Any = db.session.connection().connection.driver_connection
    return bool(driver.info.transaction_status == TransactionStatus.INERROR)


def _apply(connection: Connection) -> None:
    _show(connection, _current.get())


def _show(connection: Connection, scope: Scope) -> None:
    connection.execute(
        APPLY,
        {
            "tenant_id": "" if scope.tenant_id is None else str(scope.tenant_id),
            "name": scope.name,
            "key_hash": scope.key_hash.hex(),
        },
    )


@event.listens_for(Session, "after_begin")
def _scope_every_transaction(_: Session, transaction: SessionTransaction, connection: Connection) -> None:
    if (
        not transaction.nested and not _by_statement.get()
    ):  # a savepoint is inside the scope that its transaction has
        _apply(connection)


def lower_privileges(dbapi_connection: Any, _: Any) -> None:
    """On connect: a role that would bypass row-level security steps down to `portal_app`, which does not."""
    with dbapi_connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone()[0]:
            cursor.execute(STEP_DOWN)
            cursor.execute("SET ROLE portal_app")
    dbapi_connection.commit()


STEP_DOWN = """
DO $$ BEGIN
    PERFORM pg_advisory_xact_lock(7311);
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'portal_app') THEN
        CREATE ROLE portal_app NOLOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
    IF NOT has_schema_privilege('portal_app', 'public', 'CREATE') THEN
        GRANT ALL ON SCHEMA public TO portal_app;
    END IF;
END $$"""
