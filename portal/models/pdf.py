from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, Integer, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, TenantOwned, belongs_to, created, one_of


class PdfState(StrEnum):
    WAITING = "waiting"
    HERE = "here"
    UNAVAILABLE = "unavailable"


class InvoicePdf(TenantOwned, Base):
    """The PDF of an invoice: waiting, here, or not available because of `reason`."""

    __tablename__ = "invoice_pdf"
    __table_args__ = (
        UniqueConstraint("tenant_id", "invoice_id"),
        belongs_to("invoice_id", "invoice"),
        one_of("state", PdfState),
        Index("ix_invoice_pdf_waiting", "tenant_id", "id", postgresql_where="state = 'waiting'"),
    )

    invoice_id: Mapped[int]
    state: Mapped[str]
    reason: Mapped[str | None]
    name: Mapped[str] = mapped_column(server_default="")
    size: Mapped[int | None] = mapped_column(Integer)
    storage_key: Mapped[str | None]
    wanted_at: Mapped[datetime] = created()
    fetched_at: Mapped[datetime | None]
    next_try_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")

    @property
    def is_waiting(self) -> bool:
        return self.state == PdfState.WAITING

    @property
    def is_here(self) -> bool:
        return self.state == PdfState.HERE

    @property
    def is_unavailable(self) -> bool:
        return self.state == PdfState.UNAVAILABLE


class StoredFile(TenantOwned, Base):
    """Bytes kept in the database while no other storage is configured; in a bucket, empty ones mark files that are to go."""

    __tablename__ = "stored_file"
    __table_args__ = (UniqueConstraint("tenant_id", "key"),)

    key: Mapped[str]
    data: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
