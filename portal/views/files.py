"""Payments, customers, exceptions and deliveries as files: what their lists show, in one piece."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, g, request

from portal import clock
from portal.access.permissions import Permission, requires
from portal.formatters import iso
from portal.models import Delivery, Payment
from portal.money import rounded
from portal.queries import customers, deliveries, exceptions, payments
from portal.web import exports

pages = Blueprint("files", __name__, url_prefix="/p/<partner_slug>")

PAYMENTS = (
    "Payment ID", "Paid on", "Customer", "Customer Autotask ID", "Currency", "Amount", "Method", "Reference", "Note",
    "Invoices", "Recorded at", "Deleted at", "Deleted because", "State", "Recorded amount", "Arrived on",
)  # fmt: skip
CUSTOMERS = (
    "Name", "Number", "Autotask ID", "External ID", "Currency", "Unpaid invoices", "Outstanding", "Overdue",
    "Credit left", "Active", "Archived at",
)  # fmt: skip
EXCEPTIONS = (
    "Exception ID", "Cause", "What", "Detail", "Here", "In Autotask", "Invoice", "Invoice Autotask ID", "State",
    "Times seen", "First seen at", "Last seen at", "Resolved at", "Resolution",
)  # fmt: skip
DELIVERIES = (
    "Delivery ID", "Invoice", "Invoice Autotask ID", "Customer", "Autotask shall show paid on", "State", "Tries",
    "Error", "Wished at", "Confirmed at",
)  # fmt: skip


@pages.get("/payments/export.csv", endpoint="payments")
@requires(Permission.EXPORT)
def of_payments() -> Any:
    rows = payments.every(payments.filter_from(request.args))
    return exports.send(exports.Table("payments.csv", PAYMENTS, rows, _payment, payments.with_invoices))


@pages.get("/customers/export.csv", endpoint="customers")
@requires(Permission.EXPORT)
def of_customers() -> Any:
    rows = customers.every(customers.filter_from(request.args, clock.today(g.partner.time_zone)))
    return exports.send(exports.Table("customers.csv", CUSTOMERS, rows, _customer))


@pages.get("/exceptions/export.csv", endpoint="exceptions")
@requires(Permission.EXPORT)
def of_exceptions() -> Any:
    rows = exceptions.every(exceptions.filter_from(request.args))
    return exports.send(exports.Table("exceptions.csv", EXCEPTIONS, rows, _exception))


@pages.get("/deliveries/export.csv", endpoint="deliveries")
@requires(Permission.EXPORT)
def of_deliveries() -> Any:
    rows = deliveries.every(deliveries.filter_from(request.args))
    return exports.send(exports.Table("deliveries.csv", DELIVERIES, rows, _delivery))


def _payment(found: tuple[Payment, Sequence[str]]) -> tuple[object, ...]:
    row, invoices = found
    return (
        row.id, row.paid_on, row.customer.name, row.customer.autotask_id, row.currency,
        rounded(row.amount, row.currency), row.method, row.reference, row.note, ", ".join(invoices),
        iso(row.recorded_at), iso(row.deleted_at), row.deleted_reason, row.state.value,
        rounded(row.recorded_amount, row.currency), row.settled_on,
    )  # fmt: skip


def _customer(found: Any) -> tuple[object, ...]:
    row, currency = found.Customer, found.Customer.currency
    return (
        row.name, row.number, row.autotask_id, row.external_id, currency, found.invoices,
        rounded(found.outstanding, currency), rounded(found.overdue, currency), rounded(-found.credit, currency),
        "yes" if row.active else "no", iso(row.archived_at),
    )  # fmt: skip


def _exception(found: Any) -> tuple[object, ...]:
    row, invoice = found.ExceptionItem, found.Invoice
    return (
        row.id, exceptions.NAMES.get(row.kind, row.kind), row.label, row.detail, _values(row.ours), _values(row.theirs),
        invoice.number if invoice else None, invoice.autotask_id if invoice else None, row.state, row.times_seen,
        iso(row.first_seen_at), iso(row.last_seen_at), iso(row.resolved_at), row.resolution,
    )  # fmt: skip


def _values(said: Mapping[str, Any]) -> str:
    return json.dumps(said, ensure_ascii=False, sort_keys=True) if said else ""


def _delivery(row: Delivery) -> tuple[object, ...]:
    return (
        row.id, row.invoice.number, row.invoice.autotask_id, row.invoice.customer.name, row.wish_paid_on, row.state,
        row.attempts, row.error, iso(row.wished_at), iso(row.confirmed_at),
    )  # fmt: skip
