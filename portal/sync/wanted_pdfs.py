"""Which printed invoices are asked for, and when."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, and_, bindparam, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import Invoice, InvoicePdf, PdfState

MOST_TRIES = 5
WEEK = timedelta(days=7)
WANT = text("""
    INSERT INTO invoice_pdf (tenant_id, invoice_id, state)
    SELECT tenant_id, id, 'waiting' FROM invoice
    WHERE tenant_id = :tenant_id AND id = ANY(:ids) AND autotask_id IS NOT NULL AND integration_id IS NOT NULL
        AND NOT is_voided AND autotask_paid_on IS NULL AND amount_due > 0
    ON CONFLICT (tenant_id, invoice_id) DO UPDATE SET state = 'waiting', reason = NULL, attempts = 0,
        next_try_at = NULL, wanted_at = now()
    WHERE invoice_pdf.state <> 'waiting' OR invoice_pdf.attempts > 0""").bindparams(
    bindparam("ids", type_=ARRAY(BigInteger))
)


def want(invoice_ids: Sequence[int]) -> None:
    """Asks for the PDFs of these invoices, as far as they are open; an older one is replaced when it comes."""
    if invoice_ids:
        db.session.execute(WANT, {"tenant_id": current_tenant_id(), "ids": list(invoice_ids)})


def want_one(invoice: Invoice) -> InvoicePdf:
    """The PDF of one invoice because a person opens it, however old: its row, waiting unless it is here."""
    row = db.session.scalar(
        select(InvoicePdf)
        .where(InvoicePdf.tenant_id == invoice.tenant_id, InvoicePdf.invoice_id == invoice.id)
        .execution_options(populate_existing=True)
    )
    if row is None:
        row = InvoicePdf(tenant_id=invoice.tenant_id, invoice_id=invoice.id, state=PdfState.WAITING)
        db.session.add(row)
    elif row.state == PdfState.UNAVAILABLE:
        row.state, row.reason, row.attempts, row.next_try_at = PdfState.WAITING, None, 0, None
    db.session.flush()
    return row


def _due(*columns: Any) -> Select[Any]:
    """PDFs that wait, and once a week those of open invoices, which Autotask can change without a trace.

    Where Autotask has no invoice any more there is none to be had.
    """
    waits = and_(
        InvoicePdf.state == PdfState.WAITING,
        or_(InvoicePdf.next_try_at.is_(None), InvoicePdf.next_try_at <= func.now()),
    )
    is_open = and_(
        Invoice.autotask_paid_on.is_(None),
        Invoice.is_voided.is_(False),
        Invoice.outside_filters_at.is_(None),
    )
    old = and_(InvoicePdf.state == PdfState.HERE, InvoicePdf.fetched_at < func.now() - WEEK, is_open)
    return (
        select(*columns)
        .select_from(InvoicePdf)
        .join(Invoice, (Invoice.tenant_id == InvoicePdf.tenant_id) & (Invoice.id == InvoicePdf.invoice_id))
        .where(InvoicePdf.tenant_id == current_tenant_id(), Invoice.missing_since.is_(None), or_(waits, old))
    )


def number_waiting() -> int:
    return db.session.scalar(_due(func.count())) or 0


def next_waiting() -> tuple[int, int, int, str] | None:
    """(PDF row, invoice, Autotask id, number) of what to fetch next: what waits first, then the newest."""
    row = db.session.execute(
        _due(InvoicePdf.id, Invoice.id, Invoice.autotask_id, Invoice.number)
        .order_by(InvoicePdf.state.desc(), Invoice.issued_on.desc(), Invoice.id.desc())
        .limit(1)
    ).first()
    return tuple(row) if row else None


def try_unavailable_again() -> None:
    """Lets unavailable ones wait again after a day, at most five times."""
    db.session.execute(
        update(InvoicePdf)
        .where(
            InvoicePdf.tenant_id == current_tenant_id(),
            InvoicePdf.state == PdfState.UNAVAILABLE,
            InvoicePdf.attempts < MOST_TRIES,
            InvoicePdf.wanted_at < func.now() - func.make_interval(0, 0, 0, InvoicePdf.attempts),
        )
        .values(state=PdfState.WAITING)
    )
