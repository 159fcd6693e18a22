"""A customer's statement as the API tells it: the sums of each currency, and a page of lines."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from portal import serializers
from portal.models import Customer
from portal.money import plain
from portal.queries.api import page_size
from portal.queries.statement import Statement
from portal.queries.statement_rows import Entry, Kind, Open, OpenSums, PeriodSums
from portal.web.api_query import BadQuery

# What the sums of a period are called.
MOVED = {
    Kind.INVOICE: "invoiced",
    Kind.CREDIT: "credited",
    Kind.PAYMENT: "paid",
    Kind.FAILED: "failed",
    Kind.REFUNDED: "refunded",
    Kind.CHARGED_BACK: "charged_back",
    Kind.SETTLED: "marked_as_paid",
    Kind.ARCHIVED: "archived",
}


def told(customer: Customer, asked: Statement, args: Mapping[str, str]) -> dict[str, Any]:
    """Raises BadQuery for a cursor that is none of this statement's."""
    if "cursor" in args and not asked.is_place(args["cursor"]):
        raise BadQuery("cursor: send next_cursor of the answer before, as it is.")
    found = asked.page({"older": args.get("cursor", "")}, page_size(args))
    return {
        "customer_id": customer.id,
        "customer": customer.name,
        "from": serializers.day(asked.span.first if asked.span else None),
        "until": serializers.day(asked.span.last if asked.span else None),
        "as_of": serializers.day(asked.today),
        "currencies": [_sums(one) for one in asked.sums()],
        "data": [_entry(row) if isinstance(row, Entry) else _open(row) for row in found.rows],
        "next_cursor": found.older,
    }


def _sums(one: PeriodSums | OpenSums) -> dict[str, Any]:
    if isinstance(one, PeriodSums):
        amounts: dict[str, Decimal] = {"opening": one.opening}
        amounts |= {name: one.moved[kind] for kind, name in MOVED.items()}
    else:
        amounts = {"owed": one.owed, "overdue": one.overdue, "credit_left": one.left_over}
    amounts["closing"] = one.closing
    told = {name: plain(amount, one.currency) for name, amount in amounts.items()}
    return {"currency": one.currency, "lines": one.entries} | told


def _entry(row: Entry) -> dict[str, Any]:
    return {
        "kind": row.kind.value,
        "day": serializers.day(row.on_day),
        "currency": row.currency,
        "invoice_id": row.entry_id if row.kind.has_invoice else None,
        "payment_id": row.payment_id,
        "number": row.number if row.of_one else None,
        "due_on": serializers.day(row.due_on),
        "amount": plain(row.amount, row.currency),
        "balance": plain(row.balance, row.currency),
        "method": row.method or None,
        "reference": row.reference or None,
    }


def _open(row: Open) -> dict[str, Any]:
    return {
        "kind": "open",
        "day": serializers.day(row.on_day),
        "currency": row.currency,
        "invoice_id": row.entry_id,
        "payment_id": None,
        "number": row.number,
        "due_on": serializers.day(row.due_on),
        "amount": plain(row.amount, row.currency),
        "open": plain(row.open_amount, row.currency),
        "balance": plain(row.running, row.currency),
        "method": None,
        "reference": None,
    }
