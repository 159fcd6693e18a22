"""The printed invoices: waiting, here, or not available because of a reason. One call each, so a run has a cap."""

from sqlalchemy import func, select

from portal import attention, formatters, storage
from portal.access.tenancy import current_tenant_id
from portal.autotask.client import Client
from portal.autotask.documents import Pdf
from portal.autotask.errors import BadRecord, Forbidden, NotFound, Rejected
from portal.connect.slots import held
from portal.database import claims
from portal.extensions import db
from portal.models import Cause, InvoicePdf, PdfState, SyncChange
from portal.sync import counts
from portal.sync.current_run import Running
from portal.sync.wanted_pdfs import MOST_TRIES, next_waiting, number_waiting

MOST_IN_A_RUN = 200
KILLED_WORKERS = "Three times in a row the portal's own process died while it fetched this PDF, so it does not try again by itself."
FORBIDDEN = ("integration", ["pdfs"])  # one exception for all PDFs, because one right gives them all


class KilledWorkers(Exception):
    """Whoever asks for this PDF dies; str() says so."""


def fetch_waiting(running: Running, client: Client) -> None:
    """Fetches what waits, at most 200 in a run; each is committed by itself."""
    running.progress.words = "PDF invoices"
    running.progress.total = min(number_waiting(), MOST_IN_A_RUN)
    _count_the_dead(running)
    waiting = _note_next(running)
    with held(client, "Invoices"):
        while waiting is not None and running.items[counts.PDFS]["found"] < MOST_IN_A_RUN:
            may_go_on = _fetch(running, client, *waiting)
            running.progress.done += 1
            running.checkpoint.deaths.pop(str(waiting[0]), None)
            waiting = _note_next(running)
            if not may_go_on:
                break
    if any(running.items[counts.PDFS][name] for name in ("created", "changed", "unchanged")):
        attention.close_items(Cause.PDF_UNAVAILABLE, *FORBIDDEN)
    counts.skip(running.items, counts.PDFS, "left for the next run", number_waiting())
    running.save()


def _count_the_dead(running: Running) -> None:
    """The worker before may have died over the PDF that it asked for."""
    if running.took_over and running.checkpoint.pdf:
        key = str(running.checkpoint.pdf)
        running.checkpoint.deaths[key] = running.checkpoint.deaths.get(key, 0) + 1


def _note_next(running: Running) -> tuple[int, int, int, str] | None:
    """What is asked for next, noted before it is, for whoever comes after a death. Commits."""
    waiting = next_waiting()
    running.checkpoint.pdf = waiting[0] if waiting else 0
    running.save()
    return waiting


def _asked_for(running: Running, client: Client, pdf_id: int, autotask_id: int) -> Pdf:
    if running.checkpoint.deaths.get(str(pdf_id), 0) >= claims.MOST_DEATHS:
        raise KilledWorkers(KILLED_WORKERS)
    return client.invoice_pdf(autotask_id)


def _fetch(
    running: Running, client: Client, pdf_id: int, invoice_id: int, autotask_id: int, number: str
) -> bool:
    """False where no other PDF would be given either."""
    counts.add(running.items, counts.PDFS, found=1)
    try:
        pdf = _asked_for(running, client, pdf_id, autotask_id)
    except (BadRecord, NotFound, Forbidden, Rejected, KilledWorkers) as error:
        row = _unavailable(running.task.run_id, pdf_id, number, autotask_id, error)
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
    """Stores a PDF: "created", "changed" or "unchanged"; nothing where the match with its invoice was taken back."""
    row = db.session.get(InvoicePdf, (current_tenant_id(), pdf_id), populate_existing=True)
    if row is None:
        return "unchanged"
    key = f"invoices/{invoice_id}.pdf"
    before = storage.get(current_tenant_id(), row.storage_key) if row.storage_key else None
    if before != pdf.data:
        storage.want_again(current_tenant_id(), key)
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


def _unavailable(run_id: int, pdf_id: int, number: str, autotask_id: int, error: Exception) -> InvoicePdf:
    """Says why; it is tried again on later days, five times, and whenever a person opens it.

    What killed its workers is tried again by people only.
    """
    row = db.session.get_one(InvoicePdf, (current_tenant_id(), pdf_id), populate_existing=True)
    if row.state == PdfState.HERE:  # what is here stays; it is looked at again in a week
        row.fetched_at = db.session.scalar(select(func.clock_timestamp()))
        return row
    row.attempts = MOST_TRIES if isinstance(error, KilledWorkers) else row.attempts + 1
    row.reason = reason_of(error)
    row.state = PdfState.UNAVAILABLE
    _tell(run_id, row, number, autotask_id, error)
    db.session.flush()
    return row


def _tell(run_id: int, row: InvoicePdf, number: str, autotask_id: int, error: Exception) -> None:
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
        invoice_id=row.invoice_id,
        run_id=run_id,
    )


def reason_of(error: Exception) -> str:
    """In words for a person why there is no PDF."""
    if isinstance(error, BadRecord):
        return f"What Autotask sent {error.reason}."
    if isinstance(error, NotFound):
        return "Autotask has no PDF of this invoice."
    return str(error)
