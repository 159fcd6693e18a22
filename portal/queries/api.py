"""What the JSON API reads: lists by id with a cursor, and the forms of its rows."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload, undefer

from portal import serializers
from portal.access.tenancy import current_tenant_id, find_or_404, scoped
from portal.extensions import db
from portal.forms import api_payment_event
from portal.forms.api_body import BadBody, Fault
from portal.forms.api_payment import Body
from portal.models import (
    Allocation,
    Customer,
    Delivery,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    Payment,
    PaymentEvent,
)
from portal.payments import duplicates
from portal.payments.life import NewEvent
from portal.payments.recording import NewPayment
from portal.queries import arrivals
from portal.web.api_query import BadQuery

USUAL, MOST = 50, 200
LINES = 500
LARGEST_ID = 2**63 - 1
Named = Sequence[tuple[int | None, int | None, Decimal]]


def customers(args: Mapping[str, str]) -> dict[str, Any]:
    rows, following = _page(_named(scoped(Customer), Customer, args), Customer, args)
    return {"data": [serializers.customer(row) for row in rows], "next_cursor": following}


def invoices(args: Mapping[str, str]) -> dict[str, Any]:
    statement = scoped(Invoice).options(joinedload(Invoice.customer), undefer(Invoice.last_read_at))
    if "status" in args:
        if args["status"] not in set(InvoiceStatus):
            raise BadQuery(f"status: send one of {', '.join(InvoiceStatus)}.")
        statement = statement.where(Invoice.status == args["status"])
    if "customer_id" in args:
        statement = statement.where(Invoice.customer_id == _number(args, "customer_id", LARGEST_ID))
    if "number" in args:
        statement = statement.where(Invoice.number == args["number"])
    rows, following = _page(_named(statement, Invoice, args), Invoice, args)
    deliveries = _deliveries([row.id for row in rows])
    return {
        "data": [serializers.invoice(row, deliveries.get(row.id)) for row in rows],
        "next_cursor": following,
    }


def invoice(invoice_id: int) -> dict[str, Any]:
    """One invoice with its first lines, and the cursor of those that follow. Raises NotFound."""
    row = find_or_404(Invoice, invoice_id)
    lines, following = _cut(_lines_of(row), InvoiceLine, LINES)
    body = serializers.invoice(row, _deliveries([invoice_id]).get(invoice_id))
    return body | {
        "lines": [serializers.line(line, row.currency) for line in lines],
        "lines_next_cursor": following,
    }


def lines(invoice_id: int, args: Mapping[str, str]) -> dict[str, Any]:
    """A page of one invoice's lines. Raises NotFound."""
    row = find_or_404(Invoice, invoice_id)
    found, following = _page(_lines_of(row), InvoiceLine, args)
    return {"data": [serializers.line(line, row.currency) for line in found], "next_cursor": following}


def _lines_of(row: Invoice) -> Any:
    return scoped(InvoiceLine).where(InvoiceLine.invoice_id == row.id)


def customer(customer_id: int) -> dict[str, Any]:
    """One customer. Raises NotFound."""
    return serializers.customer(find_or_404(Customer, customer_id))


def payments(args: Mapping[str, str]) -> dict[str, Any]:
    statement = scoped(Payment).options(
        joinedload(Payment.customer),
        selectinload(Payment.allocations).joinedload(Allocation.invoice),
        selectinload(Payment.events).selectinload(PaymentEvent.parts),
    )
    rows, following = _page(statement, Payment, args)
    return {"data": _told(rows), "next_cursor": following}


def payment(row: Payment) -> dict[str, Any]:
    """One payment with where each part is on its way to Autotask."""
    return _told([row])[0]


def new_payment(body: Body) -> NewPayment:
    """The payment of a body that was read, its invoices found. Raises BadBody for unknown ones."""
    return NewPayment(
        _invoices(body.allocations), body.method, body.paid_on, body.reference, body.note,
        body.old_day_confirmed, body.pending,
    )  # fmt: skip


def new_event(body: api_payment_event.Body) -> NewEvent:
    """What happened, of a body that was read, its invoices found. Raises BadBody for unknown ones."""
    return NewEvent(body.kind, body.on, body.amount, body.reason, _invoices(body.allocations))


def _invoices(allocations: Named) -> list[tuple[int, Decimal]]:
    by_autotask_id = _by_autotask_id(allocations)
    pairs = []
    for place, (invoice_id, autotask_id, amount) in enumerate(allocations):
        found = invoice_id if autotask_id is None else by_autotask_id.get(autotask_id)
        if found is None:
            raise BadBody([Fault(f"/allocations/{place}", "There is no such invoice.")])
        pairs.append((found, amount))
    return pairs


def _by_autotask_id(allocations: Named) -> dict[int, int]:
    wanted = [autotask_id for _, autotask_id, _ in allocations if autotask_id is not None]
    rows = db.session.execute(
        select(Invoice.autotask_id, Invoice.id).where(
            Invoice.tenant_id == current_tenant_id(), Invoice.autotask_id.in_(wanted)
        )
    )
    return {row[0]: row[1] for row in rows if row[0] is not None}


def _told(payments: Sequence[Payment]) -> list[dict[str, Any]]:
    same = duplicates.earlier(payments)
    return [_one(journey, same.get(journey.payment.id)) for journey in arrivals.journeys(payments)]


def _one(journey: arrivals.Journey, same_as: int | None) -> dict[str, Any]:
    body = serializers.payment(journey.payment)
    for allocation, part in zip(body["allocations"], journey.parts, strict=True):
        allocation["in_autotask"] = part.arrival.value
    return body | {"in_autotask": journey.arrival.value, "possible_duplicate_of": same_as}


def _deliveries(invoice_ids: Sequence[int]) -> dict[int, Delivery]:
    rows = db.session.scalars(scoped(Delivery).where(Delivery.invoice_id.in_(invoice_ids)))
    return {row.invoice_id: row for row in rows}


def _named(statement: Any, model: Any, args: Mapping[str, str]) -> Any:
    """Only the row that the partner's own system calls so, where one is asked for."""
    return statement.where(model.external_id == args["external_id"]) if "external_id" in args else statement


def _page(statement: Any, model: Any, args: Mapping[str, str]) -> tuple[Sequence[Any], str | None]:
    """Rows by ascending id after the cursor, and the cursor of the next page (None at the end)."""
    if "cursor" in args:
        statement = statement.where(model.id > _number(args, "cursor", LARGEST_ID))
    return _cut(statement, model, page_size(args))


def _cut(statement: Any, model: Any, limit: int) -> tuple[Sequence[Any], str | None]:
    rows = db.session.scalars(statement.order_by(model.id).limit(limit + 1)).all()
    shown = rows[:limit]
    return shown, str(shown[-1].id) if len(rows) > limit else None


def page_size(args: Mapping[str, str]) -> int:
    """How many rows are asked for. Raises BadQuery."""
    return _number(args, "limit", MOST) if "limit" in args else USUAL


def _number(args: Mapping[str, str], name: str, most: int) -> int:
    text = args[name]
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) <= most):
        raise BadQuery(f"{name}: send a whole number from 1 to {most}.")
    return int(text)
