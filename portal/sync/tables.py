"""Our tables as sync writes them, and records turned into their rows."""

import json
from typing import Any

from portal.ledger import AT_FIRST, amount_due
from portal.models import Identifier, Integration
from portal.sync import record_kinds
from portal.sync.table import Table
from portal.sync.upsert import Row

MONEY, DAY, MOMENT = "numeric(20,6)", "date", "timestamptz"

CUSTOMER = Table(
    kind=record_kinds.CUSTOMER,
    columns={
        "name": "text",
        "number": "text",
        "currency": "text",
        "active": "boolean",
        "company_type": "bigint",
        "classification": "bigint",
        "territory_id": "bigint",
        "market_segment_id": "bigint",
        "currency_autotask_id": "bigint",
        "phone": "text",
        "address": "text",
        "tax_exempt": "boolean",
        "modified_at": MOMENT,
    },
    logged={
        "name": "Name",
        "number": "Number",
        "currency": "Currency",
        "active": "Active",
        "company_type": "Company type",
        "classification": "Classification",
        "territory_id": "Territory",
        "market_segment_id": "Market segment",
        "phone": "Phone",
        "address": "Address",
        "tax_exempt": "Tax exempt",
    },
    hidden=("currency_autotask_id", "modified_at"),
    marks=("outside_filters_at", "missing_since"),
)

CONTACT = Table(
    kind=record_kinds.CONTACT,
    columns={
        "customer_id": "bigint",
        "first_name": "text",
        "last_name": "text",
        "email": "text",
        "active": "boolean",
        "billing": "boolean",
        "primary": "boolean",
        "user_defined": "jsonb",
        "modified_at": MOMENT,
    },
    logged={
        "customer_id": "Customer",
        "first_name": "First name",
        "last_name": "Last name",
        "email": "E-mail",
        "active": "Active",
        "billing": "Billing contact",
        "primary": "Primary contact",
        "user_defined": "User-defined fields",
    },
    hidden=("modified_at",),
    marks=("outside_filters_at", "missing_since"),
)

INVOICE = Table(
    kind=record_kinds.INVOICE,
    columns={
        "customer_id": "bigint",
        "number": "text",
        "autotask_number": "text",
        "issued_on": DAY,
        "due_on": DAY,
        "currency": "text",
        "total_raw": MONEY,
        "tax_raw": MONEY,
        "amount_due": MONEY,
        "is_voided": "boolean",
        "voided_on": DAY,
        "order_number": "text",
        "comments": "text",
        "tax_region": "text",
        "from_on": DAY,
        "to_on": DAY,
        "autotask_created_at": MOMENT,
        "autotask_due_on": DAY,
        "autotask_paid_on": DAY,
    },
    logged={
        "customer_id": "Customer",
        "number": "Number",
        "autotask_number": "Number in Autotask",
        "issued_on": "Invoice date",
        "due_on": "Due date",
        "currency": "Currency",
        "amount_due": "Amount due",
        "total_raw": "Total in Autotask",
        "tax_raw": "Tax",
        "is_voided": "Voided",
        "voided_on": "Voided on",
        "autotask_due_on": "Due date in Autotask",
        "autotask_paid_on": "Paid in Autotask on",
        "order_number": "Order number",
        "comments": "Comments",
        "tax_region": "Tax region",
        "from_on": "Billed from",
        "to_on": "Billed to",
    },
    hidden=("autotask_created_at",),
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
    touch_unchanged=True,
)

LINE = Table(
    kind=record_kinds.LINE,
    columns={
        "invoice_id": "bigint",
        "name": "text",
        "description": "text",
        "quantity": MONEY,
        "rate": MONEY,
        "price_raw": MONEY,
        "tax_raw": MONEY,
        "total_raw": MONEY,
        "item_on": DAY,
        "item_type": "bigint",
        "sort_order": "bigint",
        "non_billable": "boolean",
    },
    logged={
        "invoice_id": "Invoice",
        "name": "Item",
        "description": "Description",
        "quantity": "Quantity",
        "rate": "Rate",
        "price_raw": "Price",
        "tax_raw": "Tax",
        "total_raw": "Total",
        "item_on": "Date",
        "non_billable": "Not billed",
    },
    hidden=("item_type", "sort_order"),
    content=("invoice_id",),
    # A voided invoice keeps its lines: one that moves on to the next invoice leaves a copy behind (rule 3.9).
    keep="""
        UPDATE invoice_line l SET autotask_id = NULL FROM invoice i
        WHERE l.tenant_id = :tenant_id AND l.id = ANY(:ids)
            AND i.tenant_id = l.tenant_id AND i.id = l.invoice_id AND i.is_voided
        RETURNING l.id""",
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
