"""Which of Autotask's invoices may be the counterpart of one here, and what speaks against it (rule 6)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from portal import formatters
from portal.access.tenancy import current_tenant_id, scoped
from portal.autotask import filters, records
from portal.autotask.client import Client
from portal.autotask.conditions import MOST_IDS
from portal.autotask.filters import Condition
from portal.extensions import db
from portal.ledger import amount_due
from portal.models import Identifier, Invoice
from portal.money import plain
from portal.sync import counts, currencies
from portal.sync.current_run import Running
from portal.sync.task import Task

Record = dict[str, Any]
# Owed, or was: credits, voided and archived ones have no counterpart to look for.
IS_LOOKED_FOR = Invoice.archived_at.is_(None) & Invoice.is_voided.is_(False) & (Invoice.amount_due > 0)


def unmatched(after: int) -> list[Invoice]:
    rows = db.session.scalars(
        scoped(Invoice)
        .where(
            Invoice.id > after,
            Invoice.autotask_id.is_(None),
            IS_LOOKED_FOR,
        )
        .order_by(Invoice.id)
        .limit(MOST_IDS)
    ).all()
    db.session.commit()
    return list(rows)


def search(running: Running, client: Client, invoices: Sequence[Invoice]) -> list[Record]:
    conditions = _conditions(running.task.integration.identifier, [invoice.number for invoice in invoices])
    rows = [row for condition in conditions for page in client.pages("Invoices", [condition]) for row in page]
    found = running.bad.parsed(counts.INVOICES, records.invoice, rows)
    return [record for record in found if not record["is_voided"]]


def _conditions(identifier: str, numbers: Sequence[str]) -> list[Condition]:
    if identifier == Identifier.NUMBER:
        return [{"op": "in", "field": "invoiceNumber", "value": sorted(set(numbers))}]
    return list(filters.ids_in("id", [int(number) for number in numbers if _is_id(number)]))


def _is_id(number: str) -> bool:
    return number.isascii() and number.isdigit() and len(number) < 19


def is_same(identifier: str, invoice: Invoice, record: Record) -> bool:
    """The identifiers are equal to the letter; Autotask itself compares without regard to case."""
    if identifier == Identifier.NUMBER:
        return bool(record["number_raw"] == invoice.number)
    return str(record["autotask_id"]) == invoice.number


def currencies_of(running: Running, client: Client, found: Sequence[Record]) -> dict[int, str]:
    """Company id to currency: an Autotask invoice is in its company's."""
    db.session.commit()
    wanted = {record["company_autotask_id"] for record in found}
    pages = [
        page for condition in filters.ids_in("id", wanted) for page in client.pages("Companies", [condition])
    ]
    read = running.bad.parsed(counts.CUSTOMERS, records.company, [row for page in pages for row in page])
    return {record["autotask_id"]: currencies.code_of(running.task, record) for record in read}


def misfit(task: Task, invoice: Invoice, record: Record, currency_of: dict[int, str]) -> str | None:
    currency = currency_of.get(record["company_autotask_id"], task.tenant.default_currency)
    if currency != invoice.currency:
        return f"it is in {currency} there and in {invoice.currency} here"
    due = amount_due(record["total_raw"], record["tax_raw"], task.integration.totals_mode, currency)
    if due != invoice.amount_due:
        with formatters.written_for(task.tenant):
            there, here = formatters.amount(due, currency), formatters.amount(invoice.amount_due, currency)
        return f"its amount is {there} there and {here} here"
    return None


def why(
    task: Task,
    invoice: Invoice,
    same: Sequence[Record],
    fitting: Sequence[Record],
    currency_of: dict[int, str],
) -> str:
    word = "number" if task.integration.identifier == Identifier.NUMBER else "Autotask ID"
    if len(fitting) > 1:
        return (
            f"{len(fitting)} invoices of Autotask have the {word} {invoice.number} and this amount. Make the {word}s "
            "differ, so that the payment status goes to the right one."
        )
    if fitting:
        return (
            f"The invoice with the {word} {invoice.number} in Autotask already belongs to another one here."
        )
    if same:
        reason = misfit(task, invoice, same[0], currency_of)
        return (
            f"Autotask has an invoice with the {word} {invoice.number}, but {reason}. Correct one of the two."
        )
    return (
        f"Autotask has no invoice with the {word} {invoice.number}. Its payment status cannot be sent there."
    )


def shown(task: Task, record: Record, currency_of: dict[int, str]) -> dict[str, Any]:
    currency = currency_of.get(record["company_autotask_id"], task.tenant.default_currency)
    due = amount_due(record["total_raw"], record["tax_raw"], task.integration.totals_mode, currency)
    return {
        "autotask_id": record["autotask_id"],
        "number": record["number_raw"],
        "amount_due": plain(due, currency),
        "currency": currency,
    }


def is_taken(integration_id: int, record: Record) -> bool:
    return bool(
        db.session.scalar(
            select(func.count())
            .select_from(Invoice)
            .where(
                Invoice.tenant_id == current_tenant_id(),
                Invoice.integration_id == integration_id,
                Invoice.autotask_id == record["autotask_id"],
            )
        )
    )
