"""An invoice's PDF: under way, here with its bytes, or not."""

from dataclasses import dataclass

from sqlalchemy import select

from portal import storage
from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import (
    INCOMPLETE,
    InvoicePdf,
    PdfState,
    SyncKind,
    SyncRun,
)


def is_under_way(invoice_id: int) -> bool:
    """True while the invoice's PDF is awaited and a run that fetches PDFs has not ended."""
    awaited = scoped(InvoicePdf).where(
        InvoicePdf.invoice_id == invoice_id, InvoicePdf.state == PdfState.WAITING
    )
    running = scoped(SyncRun).where(SyncRun.kind == SyncKind.PDFS, SyncRun.state.in_(INCOMPLETE))
    return bool(db.session.scalar(select(awaited.exists() & running.exists())))


@dataclass(frozen=True)
class PdfFile:
    name: str
    data: bytes


def data(invoice_id: int) -> PdfFile | None:
    """The stored PDF of an invoice, the older one while a newer one is awaited, or None. Raises StorageFailed.

    Ends the transaction, before it asks the storage.
    """
    known = row(invoice_id)
    if known is None or not known.storage_key:
        return None
    db.session.commit()
    stored = storage.get(known.tenant_id, known.storage_key)
    return None if stored is None else PdfFile(known.name or f"invoice-{invoice_id}.pdf", stored)


def row(invoice_id: int) -> InvoicePdf | None:
    return db.session.scalar(scoped(InvoicePdf).where(InvoicePdf.invoice_id == invoice_id))
