"""Our tables as sync writes them, and records turned into their rows."""

import json
from typing import Any

from portal.ledger import AT_FIRST, amount_due
from portal.models import Identifier, Integration
from portal.sync import record_kinds
from portal.sync.table import HIDDEN, Column, Table
from portal.sync.upsert import Row

MONEY, DAY, MOMENT, TEXT, WHOLE, YES_NO = "numeric(20,6)", "date", "timestamptz", "text", "bigint", "boolean"

CUSTOMER = Table(
    kind=record_kinds.CUSTOMER,
    columns={
        "name": Column(TEXT, "Name"),
        "number": Column(TEXT, "Number"),
        "currency": Column(TEXT, "Currency"),
        "active": Column(YES_NO, "Active"),
        "company_type": Column(WHOLE, "Company type"),
        "classification": Column(WHOLE, "Classification"),
        "territory_id": Column(WHOLE, "Territory"),
        "market_segment_id": Column(WHOLE, "Market segment"),
        "currency_autotask_id": Column(WHOLE, HIDDEN),
        "phone": Column(TEXT, "Phone"),
        "address": Column(TEXT, "Address"),
        "tax_exempt": Column(YES_NO, "Tax exempt"),
        "modified_at": Column(MOMENT, HIDDEN),
    },
    marks=("outside_filters_at", "missing_since"),
)

CONTACT = Table(
    kind=record_kinds.CONTACT,
    columns={
        "customer_id": Column(WHOLE, "Customer"),
        "first_name": Column(TEXT, "First name"),
        "last_name": Column(TEXT, "Last name"),
        "email": Column(TEXT, "E-mail"),
        "active": Column(YES_NO, "Active"),
        "billing": Column(YES_NO, "Billing contact"),
        "primary": Column(YES_NO, "Primary contact"),
        "user_defined": Column("jsonb", "User-defined fields"),
        "modified_at": Column(MOMENT, HIDDEN),
    },
    marks=("outside_filters_at", "missing_since"),
)

INVOICE = Table(
    kind=record_kinds.INVOICE,
    has_ranges=True,
    columns={
        "customer_id": Column(WHOLE, "Customer"),
        "number": Column(TEXT, "Number"),
        "autotask_number": Column(TEXT, "Number in Autotask"),
        "issued_on": Column(DAY, "Invoice date"),
        "due_on": Column(DAY, "Due date"),
        "currency": Column(TEXT, "Currency"),
        "total_raw": Column(MONEY, "Total in Autotask"),
        "tax_raw": Column(MONEY, "Tax"),
        "amount_due": Column(MONEY, "Amount due"),
        "is_voided": Column(YES_NO, "Voided"),
        "voided_on": Column(DAY, "Voided on"),
        "order_number": Column(TEXT, "Order number"),
        "comments": Column(TEXT, "Comments"),
        "tax_region": Column(TEXT, "Tax region"),
        "from_on": Column(DAY, "Billed from"),
        "to_on": Column(DAY, "Billed to"),
        "autotask_created_at": Column(MOMENT, HIDDEN),
        "autotask_due_on": Column(DAY, "Due date in Autotask"),
        "autotask_paid_on": Column(DAY, "Paid in Autotask on"),
    },
    content=(
        "customer_id",
        "number",
        "issued_on",
        "due_on",
        "total_raw",
        "tax_raw",
        "order_number",
        "comments",
        "tax_region",
        "from_on",
        "to_on",
    ),
    marks=("outside_filters_at", "missing_since", "locally_changed_at"),
    at_first={**AT_FIRST, "lines_read_at": ":lines_read_at"},
    before="outstanding",
)

LINE = Table(
    kind=record_kinds.LINE,
    columns={
        "invoice_id": Column(WHOLE, "Invoice"),
        "name": Column(TEXT, "Item"),
        "description": Column(TEXT, "Description"),
        "quantity": Column(MONEY, "Quantity"),
        "rate": Column(MONEY, "Rate"),
        "price_raw": Column(MONEY, "Price"),
        "tax_raw": Column(MONEY, "Tax"),
        "total_raw": Column(MONEY, "Total"),
        "item_on": Column(DAY, "Date"),
        "item_type": Column(WHOLE, HIDDEN),
        "sort_order": Column(WHOLE, HIDDEN),
        "non_billable": Column(YES_NO, "Not billed"),
    },
    content=("invoice_id",),
)

ADDRESS = ("address1", "address2", "city", "state", "postal_code")


def customer_row(record: dict[str, Any], currency: str) -> Row:
    """From records.company()."""
    address = "\n".join(record[part] for part in ADDRESS if record[part])
    return {**record, "number": record["number"] or "", "currency": currency, "address": address}


def contact_row(record: dict[str, Any], customer_id: int) -> Row:
    """From records.contact()."""
    user_defined = json.dumps(record["user_defined"], sort_keys=True)
    return {**record, "customer_id": customer_id, "user_defined": user_defined}


def invoice_row(record: dict[str, Any], integration: Integration, customer_id: int, currency: str) -> Row:
    """From records.invoice(): the amount due includes tax and is rounded here, nowhere else."""
    due = amount_due(record["total_raw"], record["tax_raw"], integration.totals_mode, currency)
    return {
        **record,
        "customer_id": customer_id,
        "currency": currency,
        "number": shown_number(integration.identifier, record["number_raw"], record["autotask_id"]),
        "autotask_number": record["number_raw"],
        "amount_due": due,
        "autotask_created_at": record["created_at"],
        "autotask_due_on": record["due_on"],
        "autotask_paid_on": record["paid_on"],
    }


def line_row(record: dict[str, Any], invoice_id: int) -> Row:
    """From records.line()."""
    return {**record, "invoice_id": invoice_id}


def shown_number(identifier: str, number: str | None, autotask_id: int) -> str:
    """Autotask's number, or its ID while that is empty or where the partner chose the ID (rule 1.5)."""
    return number if identifier == Identifier.NUMBER and number else str(autotask_id)
