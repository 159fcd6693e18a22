"""Events as others read them, and their order.

The database's triggers write them (migration 0036), in the transaction of the change. Where nobody has an endpoint or a
key that reads events, none is written.
"""

import json
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select, text

from portal import money
from portal.access.tenancy import current_tenant_id
from portal.extensions import db, rows_written
from portal.models import Event, EventKind

AMOUNTS = frozenset({
    "amount", "amount_due", "paid", "credited", "settled_in_autotask", "outstanding", "tax", "recorded_amount",
})  # fmt: skip
MOST_AT_ONCE = 1000
IS_NEW = text("SELECT EXISTS (SELECT FROM event WHERE tenant_id = :tenant_id AND place IS NULL)")
LOCK = text("SELECT pg_advisory_xact_lock(8136, hashtext(:tenant))")
NUMBER = text("""
    UPDATE event e SET place = n.place FROM (
        SELECT id, coalesce((SELECT max(place) FROM event WHERE tenant_id = :tenant_id), 0)
            + row_number() OVER (ORDER BY id) AS place
        FROM (SELECT id FROM event WHERE tenant_id = :tenant_id AND place IS NULL ORDER BY id LIMIT :most) AS new
    ) AS n
    WHERE e.tenant_id = :tenant_id AND e.id = n.id""")
PAYMENTS = text("SELECT write_payment_events(:kind, :tenant_id, CAST(:ids AS bigint[]))")


def told(event: Event) -> dict[str, Any]:
    """An event as JSON: the same whenever and wherever it is told."""
    return {
        "id": event.name,
        "type": event.kind,
        "timestamp": event.created_at.isoformat(),
        "data": _told(event.data, _currency(event.data)),
    }


def body(event: Event) -> bytes:
    """What is sent and signed."""
    return json.dumps(told(event), separators=(",", ":"), ensure_ascii=False).encode()


def write_of_payments(kind: EventKind, payment_ids: list[int]) -> None:
    """Events of these payments as they stand now, in the caller's transaction: one statement for all of them."""
    values = {"kind": kind, "tenant_id": current_tenant_id(), "ids": payment_ids}
    db.session.execute(PAYMENTS, values)


def number_new() -> bool:
    """Gives a place to events that have none; whether there may be more than it took at once. Commits.

    A place is given only after the event's own transaction was committed, one reader at a time: so whoever has read up
    to a place misses none that a slower transaction writes below it (a sequence's numbers would).
    """
    values = {"tenant_id": current_tenant_id(), "most": MOST_AT_ONCE}
    if not db.session.scalar(IS_NEW, values):
        return False
    db.session.execute(LOCK, {"tenant": str(current_tenant_id())})
    numbered = rows_written(NUMBER, values)
    db.session.commit()
    return numbered == MOST_AT_ONCE


def last_place() -> int:
    """Up to where events can be read."""
    query = select(func.max(Event.place)).where(Event.tenant_id == current_tenant_id())
    return db.session.scalar(query) or 0


def _currency(data: Any) -> str:
    """The one that the amounts of a record are in."""
    inner: Any = next(iter(data.values()), None) if isinstance(data, dict) else None
    return str(inner.get("currency", "USD")) if isinstance(inner, dict) else "USD"


def _told(value: Any, currency: str, name: str = "") -> Any:
    """With each amount in its currency's own decimals, as the API writes them."""
    if isinstance(value, dict):
        return {key: _told(inner, currency, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_told(inner, currency) for inner in value]
    return money.plain(Decimal(value), currency) if name in AMOUNTS and value not in (None, "") else value
