"""Rows as JSON: the words and forms that the command line and the API promise.

Amounts are strings with the currency's decimals, dates and instants ISO 8601.
"""

from datetime import date, datetime
from typing import Any

from portal.models import (
    Allocation,
    Customer,
    Delivery,
    ExceptionItem,
    Integration,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    Payment,
    PaymentEvent,
    SyncRun,
)
from portal.money import plain

ITEM_COUNTS = ("found", "created", "changed", "unchanged", "skipped", "failed")


def customer(row: Customer) -> dict[str, Any]:
    return {
        "id": row.id,
        "autotask_id": row.autotask_id,
        "external_id": row.external_id,
        "name": row.name,
        "number": row.number,
        "currency": row.currency,
        "active": row.active,
        "outside_filters": row.outside_filters_at is not None,
        "missing_since": moment(row.missing_since),
        "archived": row.archived_at is not None,
    }


def invoice(row: Invoice, delivery: Delivery | None = None) -> dict[str, Any]:
    return {
        "id": row.id,
        "autotask_id": row.autotask_id,
        "external_id": row.external_id,
        "number": row.number,
        "customer": row.customer.name,
        "customer_id": row.customer_id,
        "customer_autotask_id": row.customer.autotask_id,
        "customer_external_id": row.customer.external_id,
        "issued_on": day(row.issued_on),
        "due_on": day(row.due_on),
        "currency": row.currency,
        "amount_due": plain(row.amount_due, row.currency),
        "paid": plain(row.paid_amount, row.currency),
        "pending": plain(row.pending_amount, row.currency),
        "credited": plain(row.credited_amount, row.currency),
        "settled_in_autotask": plain(row.settled_amount, row.currency),
        "outstanding": plain(row.owed, row.currency),
        "status": row.status,
        "paid_on": day(paid_on(row, delivery)),
        "autotask_paid_on": day(row.autotask_paid_on),
        "autotask_read_at": moment(row.last_read_at),
        "agreement": row.agreement,
        "archived": row.archived_at is not None,
        "missing_since": moment(row.missing_since),
    }


def paid_on(row: Invoice, delivery: Delivery | None) -> date | None:
    """The day an invoice was paid: by the last payment here, else as Autotask settled it."""
    if row.status != InvoiceStatus.PAID:
        return None
    return (delivery.wish_paid_on if delivery else None) or row.autotask_paid_on


def line(row: InvoiceLine, currency: str) -> dict[str, Any]:
    return {
        "autotask_id": row.autotask_id,
        "name": row.name,
        "description": row.description,
        "quantity": number(row.quantity),
        "rate": number(row.rate),
        "price": number(row.price_raw),
        "tax": number(row.tax_raw),
        "total": number(row.total_raw),
        "amount": plain(row.price_raw, currency),
        "date": day(row.item_on),
    }


def payment(row: Payment) -> dict[str, Any]:
    return {
        "id": row.id,
        "customer": row.customer.name,
        "customer_id": row.customer_id,
        "customer_autotask_id": row.customer.autotask_id,
        "amount": plain(row.amount, row.currency),
        "currency": row.currency,
        "method": row.method,
        "paid_on": day(row.paid_on),
        "reference": row.reference,
        "note": row.note,
        "state": row.state.value,
        "recorded_amount": plain(row.recorded_amount, row.currency),
        "settled_on": day(row.settled_on),
        "recorded_at": moment(row.recorded_at),
        "deleted_at": moment(row.deleted_at),
        "deleted_reason": row.deleted_reason,
        "allocations": [_allocation(one, row.currency) for one in row.allocations],
        "events": [_payment_event(one, row.currency) for one in row.events],
    }


def _payment_event(row: PaymentEvent, currency: str) -> dict[str, Any]:
    parts = [{"invoice_id": one.invoice_id, "amount": plain(one.amount, currency)} for one in row.parts]
    return {
        "kind": row.kind,
        "on": day(row.happened_on),
        "amount": plain(row.amount, currency),
        "reason": row.reason,
        "recorded_at": moment(row.recorded_at),
        "allocations": parts,
    }


def _allocation(row: Allocation, currency: str) -> dict[str, Any]:
    return {
        "invoice_id": row.invoice_id,
        "autotask_id": row.invoice.autotask_id,
        "number": row.invoice.number,
        "amount": plain(row.amount, currency),
    }


def delivery(row: Delivery) -> dict[str, Any]:
    return {
        "id": row.id,
        "invoice_id": row.invoice_id,
        "invoice": row.invoice.number,
        "autotask_id": row.invoice.autotask_id,
        "wish": day(row.wish_paid_on),
        "wish_version": row.wish_version,
        "done_version": row.done_version,
        "state": row.state,
        "attempts": row.attempts,
        "error": row.error,
        "error_kind": row.error_kind,
        "wished_at": moment(row.wished_at),
        "next_try_at": moment(row.next_try_at),
        "confirmed_at": moment(row.confirmed_at),
    }


def exception_item(row: ExceptionItem, invoice_autotask_id: int | None = None) -> dict[str, Any]:
    return {
        "id": row.id,
        "cause": row.kind,
        "subject_type": row.subject_type,
        "subject": row.subject_key,
        "autotask_id": invoice_autotask_id,
        "label": row.label,
        "detail": row.detail,
        "ours": row.ours,
        "theirs": row.theirs,
        "state": row.state,
        "times_seen": row.times_seen,
        "first_seen_at": moment(row.first_seen_at),
        "last_seen_at": moment(row.last_seen_at),
        "resolved_at": moment(row.resolved_at),
        "resolution": row.resolution,
    }


def sync_run(row: SyncRun) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "state": row.state,
        "trigger": row.trigger,
        "api_calls": row.api_calls,
        "items": {
            item: {count: counts.get(count, 0) for count in ITEM_COUNTS} for item, counts in row.items.items()
        },
        "error": row.error,
        "created_at": moment(row.created_at),
        "started_at": moment(row.started_at),
        "finished_at": moment(row.finished_at),
    }


def integration(row: Integration) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "state": row.state,
        "role": row.role,
        "identifier": row.identifier,
        "email": row.email,
        "username": row.username,
        "zone_name": row.zone_name,
        "zone_url": row.zone_url,
        "totals_mode": row.totals_mode,
        "totals_source": row.totals_source,
        "totals_evidence": row.totals_evidence,
        "filters": row.filters,
        "usage": {"used": row.usage_used, "limit": row.usage_limit, "read_at": moment(row.usage_read_at)},
        "paused_until": moment(row.paused_until),
        "pause_reason": row.pause_reason,
        "reconnect_reason": row.reconnect_reason,
        "reconnect_since": moment(row.reconnect_since),
        "connected_at": moment(row.connected_at),
        "disconnected_at": moment(row.disconnected_at),
    }


def day(value: date | None) -> str | None:
    return value.isoformat() if value else None


def moment(value: datetime | None) -> str | None:
    return value.isoformat() if value else None


def number(value: Any) -> str:
    """A raw value to the digit, without trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
