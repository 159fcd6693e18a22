"""The lines of invoices of the partner's own system: compared as a whole, and replaced as a whole."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, insert

from portal import serializers
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.imports.given import GivenLine
from portal.models import InvoiceLine

LONGEST_TOLD = 500


def of(invoice_ids: Sequence[int]) -> dict[int, list[GivenLine]]:
    """The lines that stand here, by invoice, in their order."""
    found: dict[int, list[GivenLine]] = {}
    rows = scoped(InvoiceLine).where(InvoiceLine.invoice_id.in_(invoice_ids))
    for row in db.session.scalars(rows.order_by(InvoiceLine.sort_order, InvoiceLine.id)):
        found.setdefault(row.invoice_id, []).append(
            GivenLine(
                row.name, row.price_raw, row.tax_raw, row.quantity, row.rate, row.description, row.item_on
            )
        )
    return found


def change(before: Sequence[GivenLine], after: Sequence[GivenLine]) -> tuple[str, str] | None:
    """(old, new) in words, None where they are the same."""
    return None if list(before) == list(after) else (told(before), told(after))


def told(lines: Sequence[GivenLine]) -> str:
    words = "; ".join(f"{line.name} {serializers.number(line.amount)}" for line in lines)
    return words if len(words) <= LONGEST_TOLD else f"{words[:LONGEST_TOLD]}…"


def replace(wanted: Mapping[int, Sequence[GivenLine]]) -> None:
    """Invoice id to its lines: what stood there goes."""
    of_these = (InvoiceLine.tenant_id == current_tenant_id(), InvoiceLine.invoice_id.in_(list(wanted)))
    db.session.execute(delete(InvoiceLine).where(*of_these).execution_options(synchronize_session=False))
    rows = [
        {
            "tenant_id": current_tenant_id(), "invoice_id": invoice_id, "name": line.name,
            "description": line.description, "quantity": line.quantity, "rate": line.rate, "price_raw": line.amount,
            "tax_raw": line.tax, "total_raw": line.amount + line.tax, "item_on": line.item_on, "sort_order": place,
        }
        for invoice_id, lines in wanted.items()
        for place, line in enumerate(lines)
    ]  # fmt: skip
    if rows:
        db.session.execute(insert(InvoiceLine), rows)
