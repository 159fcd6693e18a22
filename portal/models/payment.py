from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.base import Amount, Base, Currency, TenantOwned, belongs_to, bounded, created, one_of
from portal.models.customer import Customer
from portal.models.invoice import Invoice
from portal.models.user import User

SMALLEST = "0.0001"
MOST_INVOICES = 500  # that one payment pays


class PaymentMethod(StrEnum):
    CARD = "card"
    ACH = "ach"
    CHECK = "check"
    WIRE = "wire"
    CASH = "cash"
    OTHER = "other"


class Payment(TenantOwned, Base):
    """Money a customer paid, allocated to one or more invoices of one currency."""

    __tablename__ = "payment"
    __table_args__ = (
        belongs_to("customer_id", "customer"),
        one_of("method", PaymentMethod),
        *bounded("amount", least=SMALLEST),
        CheckConstraint("paid_on BETWEEN '1990-01-01' AND '2100-12-31'", name="paid_on_sane"),
        CheckConstraint("(deleted_at IS NULL) = (deleted_reason IS NULL)", name="deleted_with_reason"),
        Index(None, "tenant_id", "recorded_at", "id"),
        Index(None, "tenant_id", "customer_id"),
        Index("ix_payment_paid_on", "tenant_id", "paid_on"),
        Index("ix_payment_amount", "tenant_id", "amount"),
    )

    customer_id: Mapped[int]
    currency: Mapped[Currency]
    amount: Mapped[Amount]
    method: Mapped[str]
    paid_on: Mapped[date]
    reference: Mapped[str] = mapped_column(server_default="")
    note: Mapped[str] = mapped_column(server_default="")
    recorded_at: Mapped[datetime] = created()
    recorded_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    deleted_at: Mapped[datetime | None]
    deleted_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    deleted_reason: Mapped[str | None]

    customer: Mapped[Customer] = relationship(viewonly=True)
    recorded_by: Mapped[User | None] = relationship(foreign_keys=[recorded_by_id], viewonly=True)
    deleted_by: Mapped[User | None] = relationship(foreign_keys=[deleted_by_id], viewonly=True)
    allocations: Mapped[list["Allocation"]] = relationship(viewonly=True, order_by="Allocation.id")


class Allocation(TenantOwned, Base):
    """The part of a payment that pays one invoice."""

    __tablename__ = "allocation"
    __table_args__ = (
        UniqueConstraint("tenant_id", "payment_id", "invoice_id"),
        belongs_to("payment_id", "payment"),
        belongs_to("invoice_id", "invoice"),
        *bounded("amount", least=SMALLEST),
        Index(None, "tenant_id", "invoice_id"),
    )

    payment_id: Mapped[int]
    invoice_id: Mapped[int]
    amount: Mapped[Amount]

    payment: Mapped[Payment] = relationship(viewonly=True)
    invoice: Mapped[Invoice] = relationship(viewonly=True)


class CreditApplication(TenantOwned, Base):
    """Part of a credit (an invoice with a negative total) applied to an open invoice."""

    __tablename__ = "credit_application"
    __table_args__ = (
        belongs_to("credit_invoice_id", "invoice"),
        belongs_to("invoice_id", "invoice"),
        *bounded("amount", least=SMALLEST),
        Index(None, "tenant_id", "invoice_id"),
        Index(None, "tenant_id", "credit_invoice_id"),
    )

    credit_invoice_id: Mapped[int]
    invoice_id: Mapped[int]
    amount: Mapped[Amount]
    applied_on: Mapped[date]
    recorded_at: Mapped[datetime] = created()
    recorded_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    removed_at: Mapped[datetime | None]
    removed_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))


class Settlement(TenantOwned, Base):
    """The rest of an invoice that Autotask marked as paid without a payment here."""

    __tablename__ = "settlement"
    __table_args__ = (
        belongs_to("invoice_id", "invoice"),
        *bounded("amount", least=SMALLEST),
        Index(
            "uq_settlement_live",
            "tenant_id",
            "invoice_id",
            unique=True,
            postgresql_where="removed_at IS NULL",
        ),
        Index("ix_settlement_settled_on", "tenant_id", "settled_on"),
    )

    invoice_id: Mapped[int]
    amount: Mapped[Amount]
    settled_on: Mapped[date]
    seen_at: Mapped[datetime] = created()
    removed_at: Mapped[datetime | None]


class IdempotencyKey(TenantOwned, Base):
    """The first answer given for a key, replayed when the key comes again with the same body."""

    __tablename__ = "idempotency_key"
    __table_args__ = (UniqueConstraint("tenant_id", "scope", "key"),)

    scope: Mapped[str]
    key: Mapped[str]
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int | None]
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    api_key_id: Mapped[int | None]
    created_at: Mapped[datetime] = created()
