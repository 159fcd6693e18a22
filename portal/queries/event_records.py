"""The records that events are about, found for a whole page of events in one statement a kind."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.models import (
    AuditEvent,
    Customer,
    ExceptionItem,
    Integration,
    Invoice,
    Payment,
)

MOST_NAMED = 5


@dataclass(frozen=True)
class Records:
    """What the events of a page name, by id. What was never here is lacking."""

    invoices: Mapping[int, Invoice] = field(default_factory=dict)
    customers: Mapping[int, Customer] = field(default_factory=dict)
    payments: Mapping[int, Payment] = field(default_factory=dict)
    exceptions: Mapping[int, ExceptionItem] = field(default_factory=dict)
    picklists: Mapping[str, Any] = field(default_factory=dict)


def of(events: Sequence[AuditEvent], session: Session) -> Records:
    """The records of these events of one partner."""
    if not events:
        return Records()
    tenant_id = events[0].tenant_id

    def rows(model: Any, ids: set[int]) -> dict[int, Any]:
        found = select(model).where(model.tenant_id == tenant_id, model.id.in_(ids))
        return {row.id: row for row in session.scalars(found)} if ids else {}

    payments = rows(Payment, _subjects(events, "payment"))
    invoices = rows(Invoice, {number for event in events for number in invoice_ids(event)})
    customers = {row.customer_id for row in (*payments.values(), *invoices.values())}
    customers |= _subjects(events, "customer") | _listed(events, "customers")
    return Records(
        invoices=invoices,
        customers=rows(Customer, customers),
        payments=payments,
        exceptions=rows(ExceptionItem, _listed(events, "exceptions") | _subjects(events, "exception")),
        picklists=_picklists(events, session),
    )


def invoice_ids(event: AuditEvent) -> list[int]:
    """The invoices that an event names, in its own order."""
    details = event.details
    found = [event.subject_id] if event.subject_type == "invoice" else []
    found += [details.get(name) for name in ("invoice_id", "credit_id")]
    found += [pair[0] for pair in details.get("allocations") or []]
    if event.event.startswith("invoices."):
        found += (details.get("ids") or [])[:MOST_NAMED]
    return [number for number in dict.fromkeys(found) if isinstance(number, int)]


def _subjects(events: Iterable[AuditEvent], kind: str) -> set[int]:
    return {event.subject_id for event in events if event.subject_type == kind and event.subject_id}


def _listed(events: Iterable[AuditEvent], kind: str) -> set[int]:
    mine = (event for event in events if event.event.startswith(f"{kind}."))
    return {number for event in mine for number in (event.details.get("ids") or [])[:MOST_NAMED]}


def _picklists(events: Sequence[AuditEvent], session: Session) -> Mapping[str, Any]:
    if not any(event.event == "filters.changed" for event in events):
        return {}
    found = select(Integration.picklists).where(Integration.tenant_id == events[0].tenant_id)
    return session.scalar(found.limit(1)) or {}
