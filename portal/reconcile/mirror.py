"""Autotask's values of one invoice, as last read. A value read earlier never overwrites one read later."""

from sqlalchemy import select

from portal import ledger
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import Integration, Invoice
from portal.reconcile.decide import Reading


def lock(invoice_id: int) -> Invoice:
    """The invoice, held until the transaction ends: always before its delivery, as the ledger does."""
    return db.session.scalars(
        scoped(Invoice)
        .where(Invoice.id == invoice_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def write(invoice: Invoice, read: Reading | None) -> bool:
    """Takes over what was read. False when something read later is there already."""
    if read is None or _is_older(read, invoice.id):
        return False
    invoice.autotask_read_at = read.started_at
    invoice.autotask_paid_on = read.paid_on
    invoice.is_voided, invoice.voided_on = read.is_voided, read.voided_on
    if read.due_on != invoice.autotask_due_on:
        invoice.autotask_due_on = invoice.due_on = read.due_on
    if (read.total_raw, read.tax_raw) != (invoice.total_raw, invoice.tax_raw):
        _take_total(invoice, read)
    db.session.flush()
    return True


def _is_older(read: Reading, invoice_id: int) -> bool:
    """Asked once the invoice is held: a page that found it unchanged has committed its range of ids by then."""
    last = db.session.scalar(
        select(Invoice.last_read_at).where(Invoice.tenant_id == current_tenant_id(), Invoice.id == invoice_id)
    )
    return last is not None and last >= read.started_at


def _take_total(invoice: Invoice, read: Reading) -> None:
    invoice.total_raw, invoice.tax_raw = read.total_raw, read.tax_raw
    totals_mode = db.session.scalar(
        select(Integration.totals_mode).where(
            Integration.tenant_id == current_tenant_id(), Integration.id == invoice.integration_id
        )
    )
    if totals_mode is None:
        return
    invoice.amount_due = ledger.amount_due(read.total_raw, read.tax_raw, totals_mode, invoice.currency)
    invoice.locally_changed_at = None
