from decimal import Decimal

from sqlalchemy import select, text

from portal.access.tenancy import current_tenant_id
from portal.extensions import db, rows_written
from portal.ledger.derive import lock_invoices, restate
from portal.models import Invoice, TotalsMode
from portal.money import rounded

PAGE = 1000
WRITE_AMOUNTS = text("""
    UPDATE invoice SET amount_due = new.amount, locally_changed_at = NULL
    FROM unnest(CAST(:ids AS bigint[]), CAST(:amounts AS numeric[])) AS new(id, amount)
    WHERE tenant_id = :tenant_id AND invoice.id = new.id AND amount_due <> new.amount""")


def amount_due(total_raw: Decimal, tax_raw: Decimal, totals_mode: str, currency: str) -> Decimal:
    """What the customer owes, tax included, rounded to the currency's minor unit (rules 1.6 and 4.1)."""
    total = total_raw if totals_mode == TotalsMode.WITH_TAX else total_raw + tax_raw
    return rounded(total, currency)


def recompute_amounts(integration_id: int, totals_mode: str) -> int:
    """Amounts due of all invoices of an integration after its totals mode changed; how many differ now.

    Safe to run twice. The caller commits.
    """
    changed, after = 0, 0
    while rows := _page(integration_id, after):
        after = rows[-1].id
        changed += _write(
            [(row.id, amount_due(row.total_raw, row.tax_raw, totals_mode, row.currency)) for row in rows]
        )
    return changed


def _page(integration_id: int, after: int) -> list[Invoice]:
    return list(
        db.session.scalars(
            select(Invoice)
            .where(
                Invoice.tenant_id == current_tenant_id(),
                Invoice.integration_id == integration_id,
                Invoice.id > after,
            )
            .order_by(Invoice.id)
            .limit(PAGE)
        )
    )


def _write(amounts: list[tuple[int, Decimal]]) -> int:
    ids = [invoice_id for invoice_id, _ in amounts]
    lock_invoices(ids)
    written = rows_written(
        WRITE_AMOUNTS,
        {"tenant_id": current_tenant_id(), "ids": ids, "amounts": [amount for _, amount in amounts]},
    )
    if written:
        restate(ids)
    db.session.expire_all()
    return written
