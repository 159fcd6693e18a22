"""The printed invoices: waiting, here, or not available because of a reason. One call each, so a run has a cap."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, and_, bindparam, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from portal import attention, formatters, storage
from portal.access.tenancy import current_tenant_id
from portal.autotask.client import Client
from portal.autotask.documents import Pdf
from portal.autotask.errors import BadRecord, Forbidden, NotFound, Rejected
from portal.connect.slots import held
from portal.extensions import db
from portal.models import Cause, Invoice, InvoicePdf, PdfState, SyncChange
from portal.sync import counts
from portal.sync.current_run import Running

MOST_IN_A_RUN = 200
MOST_TRIES = 5
WEEK = timedelta(days=7)
FORBIDDEN = ("integration", ["pdfs"])  # one exception for all PDFs, because one right gives them all

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


def fetch_waiting(running: Running, client: Client) -> None:
    """Fetches what waits, at most 200 in a run; each is committed by itself."""
    running.progress.words = "PDF invoices"
    running.progress.total = min(_waiting(), MOST_IN_A_RUN)
    running.save()
    with held(client, "Invoices"):
        while running.items[counts.PDFS]["found"] < MOST_IN_A_RUN:
            waiting = _next()
            db.session.commit()
            if waiting is None:
                break
            may_go_on = _fetch(running, client, *waiting)
            running.progress.done += 1
            running.save()
            if not may_go_on:
                break
    if any(running.items[counts.PDFS][name] for name in ("created", "changed", "unchanged")):
        attention.close_items(Cause.PDF_UNAVAILABLE, *FORBIDDEN)
    counts.skip(running.items, counts.PDFS, "left for the next run", _waiting())
    running.save()


def _due(*columns: Any) -> Select[Any]:
    """PDFs that wait, and once a week those of open invoices, which Autotask can change without a trace."""
    waits = and_(
        InvoicePdf.state == PdfState.WAITING,
        or_(InvoicePdf.next_try_at.is_(None), InvoicePdf.next_try_at <= func.now()),
    )
    is_open = and_(
        Invoice.autotask_paid_on.is_(None),
        Invoice.is_voided.is_(False),
        Invoice.missing_since.is_(None),
        Invoice.outside_filters_at.is_(None),
    )
    old = and_(InvoicePdf.state == PdfState.HERE, InvoicePdf.fetched_at < func.now() - WEEK, is_open)
    return (
        select(*columns)
        .select_from(InvoicePdf)
        .join(Invoice, (Invoice.tenant_id == InvoicePdf.tenant_id) & (Invoice.id == InvoicePdf.invoice_id))
        .where(InvoicePdf.tenant_id == current_tenant_id(), or_(waits, old))
    )


def _waiting() -> int:
    return db.session.scalar(_due(func.count())) or 0


def _next() -> tuple[int, int, int, str] | None:
    """(PDF row, invoice, Autotask id, number) of what to fetch next: what waits first, then the newest."""
    row = db.session.execute(
        _due(InvoicePdf.id, Invoice.id, Invoice.autotask_id, Invoice.number)
        .order_by(InvoicePdf.state.desc(), Invoice.issued_on.desc(), Invoice.id.desc())
        .limit(1)
    ).first()
    return tuple(row) if row else None


def _fetch(
    running: Running, client: Client, pdf_id: int, invoice_id: int, autotask_id: int, number: str
) -> bool:
    """False where no other PDF would be given either."""
    counts.add(running.items, counts.PDFS, found=1)
    try:
        pdf = client.invoice_pdf(autotask_id)
    except (BadRecord, NotFound, Forbidden, Rejected) as error:
        row = _unavailable(running.task.run_id, pdf_id, invoice_id, number, autotask_id, error)
        running.bad.failed(
            counts.PDFS,
            "pdf",
            number,
            reason_of(error),
            autotask_id=autotask_id,
            row_id=row.invoice_id,
        )
        return not isinstance(error, Forbidden)
    else:
        kept = keep(pdf_id, invoice_id, pdf)
        counts.add(running.items, counts.PDFS, **{kept: 1})
        if kept == "changed":
            _log_change(running.task.run_id, invoice_id, autotask_id, number, pdf)
        attention.close_items(Cause.PDF_UNAVAILABLE, "invoice", [str(autotask_id)])
        return True


def keep(pdf_id: int, invoice_id: int, pdf: Pdf) -> str:
    """Stores a PDF: "created", "changed" or "unchanged"."""
    row = db.session.get_one(InvoicePdf, (current_tenant_id(), pdf_id), populate_existing=True)
    key = f"invoices/{invoice_id}.pdf"
    before = storage.get(current_tenant_id(), row.storage_key) if row.storage_key else None
    if before != pdf.data:
        storage.put(current_tenant_id(), key, pdf.data)
    row.state, row.reason, row.storage_key = PdfState.HERE, None, key
    row.name, row.size, row.attempts, row.next_try_at = pdf.name, len(pdf.data), 0, None
    row.fetched_at = db.session.scalar(select(func.clock_timestamp()))
    db.session.flush()
    return "created" if before is None else "unchanged" if before == pdf.data else "changed"


def _log_change(run_id: int, invoice_id: int, autotask_id: int, number: str, pdf: Pdf) -> None:
    db.session.add(
        SyncChange(
            tenant_id=current_tenant_id(), run_id=run_id, subject_type="pdf", subject_id=invoice_id,
            autotask_id=autotask_id, label=number, field="PDF", old_value="an older one",
            new_value=f"{pdf.name}, {formatters.size(len(pdf.data))}",
        )
    )  # fmt: skip


def _unavailable(
    run_id: int, pdf_id: int, invoice_id: int, number: str, autotask_id: int, error: Exception
) -> InvoicePdf:
    """Says why; it is tried again on later days, five times, and whenever a person opens it."""
    row = db.session.get_one(InvoicePdf, (current_tenant_id(), pdf_id), populate_existing=True)
    if row.state == PdfState.HERE:  # what is here stays; it is looked at again in a week
        row.fetched_at = db.session.scalar(select(func.clock_timestamp()))
        return row
    row.attempts += 1
    row.reason = reason_of(error)
    row.state = PdfState.UNAVAILABLE
    forbidden = isinstance(error, Forbidden)
    subject, (key,) = FORBIDDEN if forbidden else ("invoice", [str(autotask_id)])
    todo = (
        "No PDF comes in until the API user may read invoice PDFs in Autotask; give it that right"
        if forbidden
        else "Open the invoice in Autotask and check its PDF there"
    )
    attention.open_item(
        Cause.PDF_UNAVAILABLE,
        subject,
        key,
        label=f"PDF of invoice {number}",
        detail=f"{row.reason} {todo}, then press Retry.",
        theirs={"answer": error.value} if isinstance(error, BadRecord) else {},
        invoice_id=invoice_id,
        run_id=run_id,
    )
    db.session.flush()
    return row


def reason_of(error: Exception) -> str:
    """In words for a person why there is no PDF."""
    if isinstance(error, BadRecord):
        return f"What Autotask sent {error.reason}."
    if isinstance(error, NotFound):
        return "Autotask has no PDF of this invoice."
    return str(error)


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
