from datetime import date, datetime
from decimal import Decimal
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


class PaymentState(StrEnum):
    """Where a payment's money is. Pages say *on its way* for pending, and *arrived* for settled."""

    PENDING = "pending"
    RECORDED = "recorded"
    SETTLED = "settled"
    PART_REFUNDED = "part_refunded"
    FAILED = "failed"
    REFUNDED = "refunded"
    CHARGED_BACK = "charged_back"
    DELETED = "deleted"


class Happened(StrEnum):
    """What can become of a payment after it was recorded."""

    SETTLED = "settled"
    FAILED = "failed"
    REFUNDED = "refunded"
    CHARGED_BACK = "charged_back"

    @property
    def takes_money_back(self) -> bool:
        return self != Happened.SETTLED


ENDS = [kind for kind in Happened if kind.takes_money_back]


class Payment(TenantOwned, Base):
    """Money a customer paid, allocated to one or more invoices of one currency.

    `amount` is what of it counts: what was refunded in part is taken off, here and from the allocations, and stands in
    `refunded_amount`. Once nothing of it counts, it is deleted; `ended_as` says that its money came back, and how.
    `pending`: its money is on its way. `held`: Autotask hears of it only once it is settled.
    """

    __tablename__ = "payment"
    __table_args__ = (
        belongs_to("customer_id", "customer"),
        one_of("method", PaymentMethod),
        *bounded("amount", least=SMALLEST),
        CheckConstraint("paid_on BETWEEN '1990-01-01' AND '2100-12-31'", name="paid_on_sane"),
        CheckConstraint("(deleted_at IS NULL) = (deleted_reason IS NULL)", name="deleted_with_reason"),
        one_of("ended_as", ENDS),
        CheckConstraint("ended_as IS NULL OR deleted_at IS NOT NULL", name="ended_is_deleted"),
        CheckConstraint("(settled_on IS NULL) = (settled_at IS NULL)", name="settled_with_time"),
        CheckConstraint("NOT pending OR settled_on IS NULL", name="pending_not_settled"),
        *bounded("refunded_amount", least="0"),
        Index(None, "tenant_id", "recorded_at", "id"),
        Index(None, "tenant_id", "customer_id"),
        Index("ix_payment_paid_on", "tenant_id", "paid_on"),
        Index("ix_payment_amount", "tenant_id", "amount"),
        Index("ix_payment_reference", "tenant_id", "reference", postgresql_where="reference <> ''"),
        Index(
            "ix_payment_pending",
            "tenant_id",
            "recorded_at",
            "id",
            postgresql_where="pending AND deleted_at IS NULL",
        ),
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
    pending: Mapped[bool] = mapped_column(server_default="false")
    held: Mapped[bool] = mapped_column(server_default="false")
    settled_on: Mapped[date | None]
    settled_at: Mapped[datetime | None]
    ended_as: Mapped[str | None]
    refunded_amount: Mapped[Amount] = mapped_column(server_default="0")

    customer: Mapped[Customer] = relationship(viewonly=True)
    recorded_by: Mapped[User | None] = relationship(foreign_keys=[recorded_by_id], viewonly=True)
    deleted_by: Mapped[User | None] = relationship(foreign_keys=[deleted_by_id], viewonly=True)
    allocations: Mapped[list["Allocation"]] = relationship(viewonly=True, order_by="Allocation.id")
    events: Mapped[list["PaymentEvent"]] = relationship(viewonly=True, order_by="PaymentEvent.id")

    @property
    def state(self) -> PaymentState:
        if self.deleted_at is not None:
            return PaymentState(self.ended_as or PaymentState.DELETED)
        if self.pending:
            return PaymentState.PENDING
        if self.refunded_amount:
            return PaymentState.PART_REFUNDED
        return PaymentState.SETTLED if self.settled_on else PaymentState.RECORDED

    @property
    def recorded_amount(self) -> Decimal:
        """What was recorded, whatever was refunded of it since."""
        return self.amount + self.refunded_amount

    @property
    def marks(self) -> list[str]:
        """The badges of its money; none where it simply is here."""
        return [] if self.state in (PaymentState.RECORDED, PaymentState.SETTLED) else [self.state]

    @property
    def is_held(self) -> bool:
        """Autotask is not told of it yet."""
        return self.deleted_at is None and self.pending and self.held


class PaymentEvent(TenantOwned, Base):
    """One thing that became of a payment; never changed. `ends`: nothing of the payment counts from then on."""

    __tablename__ = "payment_event"
    __table_args__ = (
        belongs_to("payment_id", "payment"),
        one_of("kind", Happened),
        *bounded("amount", least=SMALLEST),
        Index(None, "tenant_id", "payment_id"),
    )

    payment_id: Mapped[int]
    kind: Mapped[str]
    happened_on: Mapped[date]
    amount: Mapped[Amount]
    ends: Mapped[bool]
    reason: Mapped[str] = mapped_column(server_default="")
    recorded_at: Mapped[datetime] = created()
    recorded_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))

    recorded_by: Mapped[User | None] = relationship(viewonly=True)
    parts: Mapped[list["PaymentEventPart"]] = relationship(viewonly=True, order_by="PaymentEventPart.id")


class ClosedAs(StrEnum):
    """How an invoice was closed elsewhere before money of it came back."""

    PAID_THERE = "paid_there"
    VOIDED = "voided"
    ARCHIVED = "archived"
    MISSING = "missing"


class PaymentEventPart(TenantOwned, Base):
    """What of the money that came back had paid one invoice; `closed_as` where that was closed elsewhere by then."""

    __tablename__ = "payment_event_part"
    __table_args__ = (
        belongs_to("event_id", "payment_event"),
        belongs_to("invoice_id", "invoice"),
        one_of("closed_as", ClosedAs),
        *bounded("amount", least=SMALLEST),
        Index(None, "tenant_id", "event_id"),
        Index(None, "tenant_id", "invoice_id"),
    )

    event_id: Mapped[int]
    invoice_id: Mapped[int]
    amount: Mapped[Amount]
    closed_as: Mapped[str | None]


class Allocation(TenantOwned, Base):
    """The part of a payment that pays one invoice; 0 once all of it was refunded."""

    __tablename__ = "allocation"
    __table_args__ = (
        UniqueConstraint("tenant_id", "payment_id", "invoice_id"),
        belongs_to("payment_id", "payment"),
        belongs_to("invoice_id", "invoice"),
        *bounded("amount", least="0"),
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
