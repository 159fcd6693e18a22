"""Putting customers and invoices away, and back. The caller commits."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import update

from portal import clock, ledger
from portal.access import audit
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import Customer, Invoice

KINDS: dict[str, type[Customer] | type[Invoice]] = {"customer": Customer, "invoice": Invoice}

EVENTS = {
    ("invoice", True): "invoices.archived",
    ("invoice", False): "invoices.restored",
    ("customer", True): "customers.archived",
    ("customer", False): "customers.restored",
}


def archive(actor: Actor, kind: str, ids: Sequence[int]) -> list[int]:
    """Puts invoices or customers away; the ids of those that were not archived yet."""
    return _set(actor, kind, ids, archive_now=True)


def restore(actor: Actor, kind: str, ids: Sequence[int]) -> list[int]:
    """Takes them out of the archive again; the ids of those that were in it."""
    return _set(actor, kind, ids, archive_now=False)


def _set(actor: Actor, kind: str, ids: Sequence[int], *, archive_now: bool) -> list[int]:
    model: Any = KINDS[kind]
    if kind == "invoice":
        ledger.lock_invoices(ids)
    wanted = model.archived_at.is_(None) if archive_now else model.archived_at.is_not(None)
    done = sorted(
        db.session.scalars(
            update(model)
            .where(model.tenant_id == current_tenant_id(), model.id.in_(ids), wanted)
            .values(archived_at=clock.now() if archive_now else None)
            .returning(model.id)
            .execution_options(synchronize_session=False)
        )
    )
    if done and kind == "invoice":
        ledger.restate(done)
    if done:
        audit.record(actor, EVENTS[kind, archive_now], kind, done[0] if len(done) == 1 else None, ids=done)
    return done
