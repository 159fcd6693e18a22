from sqlalchemy import Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, TenantOwned

# Its order is that of the characters' codes: what begins with some words is one stretch of it.
BY_CODE = Text(collation="C")


class InvoiceWord(TenantOwned, Base):
    """Where a search finds an invoice: how its numbers begin, and parts of them, in small letters. A trigger writes it."""

    __tablename__ = "invoice_word"
    __table_args__ = (
        Index(None, "tenant_id", "word", "invoice_id"),
        Index("ix_invoice_word_tenant_id_invoice_id", "tenant_id", "invoice_id"),
    )

    invoice_id: Mapped[int]
    word: Mapped[str] = mapped_column(BY_CODE)


class PaymentWord(TenantOwned, Base):
    """The same of a payment's reference."""

    __tablename__ = "payment_word"
    __table_args__ = (
        Index(None, "tenant_id", "word", "payment_id"),
        Index("ix_payment_word_tenant_id_payment_id", "tenant_id", "payment_id"),
    )

    payment_id: Mapped[int]
    word: Mapped[str] = mapped_column(BY_CODE)
