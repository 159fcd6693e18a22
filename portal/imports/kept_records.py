"""Customers and invoices as they stand here, whole, kept as JSON: so that a later change can be taken back."""

from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement

from portal.access.tenancy import scoped
from portal.extensions import db
from portal.imports import lines
from portal.imports.given import GivenCustomer, GivenInvoice, GivenLine
from portal.models import Customer, Invoice

Kept = dict[str, Any]
OF_CUSTOMER = ("name", "currency", "number", "active", "phone", "address", "tax_exempt")
OF_INVOICE = ("number", "currency", "issued_on", "due_on", "order_number", "comments")
DAYS, AMOUNTS = ("issued_on", "due_on", "item_on"), ("net", "tax", "amount", "quantity", "rate")


def customers(which: ColumnElement[bool]) -> dict[int, Kept]:
    """By id, what each of these is."""
    found = {}
    for row in db.session.scalars(scoped(Customer).where(which).execution_options(populate_existing=True)):
        kept = {name: getattr(row, name) for name in OF_CUSTOMER}
        found[row.id] = {"external_id": row.external_id, **kept}
    return found


def invoices(which: ColumnElement[bool]) -> dict[int, Kept]:
    """By id, what each of these is; `customer` is the id of its customer."""
    rows = db.session.scalars(scoped(Invoice).where(which).execution_options(populate_existing=True)).all()
    found, stand = {}, lines.of([row.id for row in rows])
    for row in rows:
        kept = {name: getattr(row, name) for name in OF_INVOICE}
        kept |= {"customer": row.customer_id, "net": row.total_raw, "tax": row.tax_raw}
        kept |= {"voided": row.voided_by_source, "lines": [asdict(line) for line in stand.get(row.id, ())]}
        found[row.id] = plain({"external_id": row.external_id, **kept})
    return found


def given_customer(kept: Kept) -> GivenCustomer:
    return GivenCustomer(**kept)


def given_invoice(kept: Kept, **other: Any) -> GivenInvoice:
    """`other` replaces what was kept. The customer is named by its id."""
    values = _back(kept) | {"customer": str(kept["customer"]), "lines": given_lines(kept)} | other
    return GivenInvoice(**values)


def given_lines(kept: Kept) -> list[GivenLine]:
    return [GivenLine(**_back(line)) for line in kept["lines"]]


def plain(value: Any) -> Any:
    """As JSON holds it."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return str(value) if isinstance(value, Decimal | date) else value


def _back(kept: Kept) -> Kept:
    found = dict(kept)
    for name in kept.keys() & set(DAYS):
        found[name] = date.fromisoformat(kept[name]) if kept[name] else None
    for name in kept.keys() & set(AMOUNTS):
        found[name] = Decimal(kept[name])
    return found
