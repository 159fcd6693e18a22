from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Computed, Index, UniqueConstraint, func, literal, or_, select
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from portal.models.base import (
    AMOUNT,
    Amount,
    Base,
    Currency,
    RawAmount,
    TenantOwned,
    belongs_to,
    bounded,
    by_external_id,
    created,
    one_of,
)
from portal.models.customer import Customer
from portal.models.read_range import ReadRange


class InvoiceStatus(StrEnum):
    OPEN = "open"
    PART_PAID = "part_paid"
    PAID = "paid"
    VOIDED = "voided"
    CREDIT = "credit"


class Agreement(StrEnum):
    """Whether the portal and Autotask say the same about one invoice."""

    AGREES = "agrees"
    WAITING = "waiting"
    DIFFERS = "differs"
    OUTSIDE_FILTERS = "outside_filters"
    MISSING = "missing"
    VOIDED = "voided"
    PORTAL_ONLY = "portal_only"


OUTSTANDING = "amount_due - paid_amount - credited_amount - settled_amount + applied_amount"

STATUS = f"""CASE
    WHEN is_voided THEN 'voided'
    WHEN amount_due < 0 THEN 'credit'
    WHEN {OUTSTANDING} <= 0 THEN 'paid'
    WHEN paid_amount + credited_amount + settled_amount > 0 THEN 'part_paid'
    ELSE 'open' END"""


# Owed still: as the condition of an index, which PostgreSQL recognizes only as constants.
UNPAID = "archived_at IS NULL AND status IN ('open', 'part_paid')"


class Invoice(TenantOwned, Base):
    """What a customer owes. Rows are matched by `autotask_id` only; `number` is untrusted text.

    `total_raw` and `tax_raw` are Autotask's values to the digit, `amount_due` includes tax and is rounded.
    `external_id` is the name of one that came in from the partner's own system, which may void it too.
    A negative `amount_due` is a credit, of which `applied_amount` went to other invoices. Of `paid_amount`,
    `pending_amount` is still on its way. `matched_by_hand_at` is when a person said which one of Autotask's it is, and
    `match_ends_at` since when that is being taken back (ledger/unmatching.py).
    """

    __tablename__ = "invoice"
    __table_args__ = (
        UniqueConstraint("tenant_id", "integration_id", "autotask_id"),
        belongs_to("integration_id", "integration"),
        belongs_to("customer_id", "customer"),
        one_of("agreement", Agreement),
        *bounded("amount_due", "total_raw", "tax_raw", "lines_raw"),
        *bounded(
            "paid_amount", "credited_amount", "settled_amount", "applied_amount", "pending_amount", least="0"
        ),
        Index(None, "tenant_id", "issued_on", "id"),
        Index(None, "tenant_id", "customer_id"),
        Index("ix_invoice_amount_due", "tenant_id", "amount_due"),
        Index(None, "tenant_id", "status", "issued_on", "id"),
        Index("ix_invoice_number", "tenant_id", "number"),
        by_external_id("invoice"),
        Index(
            "ix_invoice_unpaid",
            "tenant_id",
            "issued_on",
            "id",
            postgresql_include=["due_on"],
            postgresql_where=UNPAID,
        ),
        Index(
            "ix_invoice_owed",
            "tenant_id",
            "customer_id",
            "due_on",
            postgresql_include=["currency", "outstanding"],
            postgresql_where=UNPAID,
        ),
        Index(
            "ix_invoice_unusual",
            "tenant_id",
            "agreement",
            "issued_on",
            "id",
            postgresql_where="agreement <> 'agrees'",
        ),
        Index(
            "ix_invoice_archived", "tenant_id", "issued_on", "id", postgresql_where="archived_at IS NOT NULL"
        ),
        Index(
            "ix_invoice_lines_wanted", "tenant_id", "autotask_id", postgresql_where="lines_read_at IS NULL"
        ),
    )

    integration_id: Mapped[int | None]
    autotask_id: Mapped[int | None]
    external_id: Mapped[str | None]
    customer_id: Mapped[int]
    number: Mapped[str]
    autotask_number: Mapped[str | None]
    issued_on: Mapped[date]
    due_on: Mapped[date | None]
    currency: Mapped[Currency]
    total_raw: Mapped[RawAmount]
    tax_raw: Mapped[RawAmount] = mapped_column(server_default="0")
    lines_raw: Mapped[RawAmount | None]
    amount_due: Mapped[Amount]
    paid_amount: Mapped[Amount] = mapped_column(server_default="0")
    credited_amount: Mapped[Amount] = mapped_column(server_default="0")
    settled_amount: Mapped[Amount] = mapped_column(server_default="0")
    applied_amount: Mapped[Amount] = mapped_column(server_default="0")
    pending_amount: Mapped[Amount] = mapped_column(server_default="0")
    outstanding: Mapped[Decimal] = mapped_column(AMOUNT, Computed(OUTSTANDING, persisted=True))
    status: Mapped[str] = mapped_column(Computed(STATUS, persisted=True))
    is_voided: Mapped[bool] = mapped_column(server_default="false")
    voided_by_source: Mapped[bool] = mapped_column(server_default="false")
    voided_on: Mapped[date | None]
    order_number: Mapped[str] = mapped_column(server_default="")
    comments: Mapped[str] = mapped_column(server_default="")
    tax_region: Mapped[str] = mapped_column(server_default="")
    from_on: Mapped[date | None]
    to_on: Mapped[date | None]
    autotask_created_at: Mapped[datetime | None]
    autotask_due_on: Mapped[date | None]
    autotask_paid_on: Mapped[date | None]
    autotask_read_at: Mapped[datetime | None]
    lines_read_at: Mapped[datetime | None]
    locally_changed_at: Mapped[datetime | None]
    agreement: Mapped[str] = mapped_column(server_default=Agreement.AGREES)
    outside_filters_at: Mapped[datetime | None]
    missing_since: Mapped[datetime | None]
    matched_by_hand_at: Mapped[datetime | None]
    match_ends_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = created()

    customer: Mapped[Customer] = relationship(viewonly=True)
    if TYPE_CHECKING:
        last_read_at: Mapped[datetime | None]

    @property
    def is_unpaid(self) -> bool:
        """Something of it is owed still, and it is neither voided nor a credit."""
        return self.status in (InvoiceStatus.OPEN, InvoiceStatus.PART_PAID)

    @property
    def owed(self) -> Decimal:
        """What is outstanding as it is shown: nothing of a voided invoice, whatever was paid on it."""
        return Decimal(0) if self.is_voided else self.outstanding

    def shown_on(self, today: date) -> str:
        """Its status as a badge says it: with overdue, overpaid, and settled by Autotask alone told apart."""
        if self.is_overdue_on(today):
            return "overdue"
        if self.is_overpaid:
            return "overpaid"
        if self.is_paid and self.pending_amount:
            return "pending"
        return "settled" if self.is_settled_there else self.status

    def is_overdue_on(self, today: date) -> bool:
        return self.is_unpaid and self.due_on is not None and self.due_on < today

    @property
    def said_there(self) -> str:
        """What its badge tells of Autotask: that it is voided stands in its status already."""
        if self.agreement == Agreement.VOIDED and self.missing_since is not None:
            return Agreement.MISSING
        outside = self.agreement == Agreement.VOIDED and self.outside_filters_at is not None
        return Agreement.OUTSIDE_FILTERS if outside else self.agreement

    @property
    def is_credit(self) -> bool:
        return self.status == InvoiceStatus.CREDIT

    @property
    def is_paid(self) -> bool:
        return self.status == InvoiceStatus.PAID

    @property
    def is_overpaid(self) -> bool:
        return self.is_paid and self.outstanding < 0

    @property
    def is_settled_there(self) -> bool:
        """Autotask alone says that it was paid."""
        return self.is_paid and bool(self.settled_amount) and not self.paid_amount

    @property
    def credit(self) -> Decimal:
        """What Autotask owes the customer by it, as a positive amount."""
        return -self.amount_due

    @property
    def too_much(self) -> Decimal:
        """What is left of a credit, or was paid above what is owed, as a positive amount."""
        return -self.outstanding

    @property
    def is_payable(self) -> bool:
        """True while a payment may be recorded against it."""
        return (
            self.is_unpaid
            and self.archived_at is None
            and self.missing_since is None
            and self.outstanding > 0
        )


# Written as constants, as the condition of the indexes of what is owed is: PostgreSQL compares both.
IS_UNPAID: ColumnElement[bool] = Invoice.status.in_(
    [literal(status.value, literal_execute=True) for status in (InvoiceStatus.OPEN, InvoiceStatus.PART_PAID)]
)
IN_A_RANGE = (
    select(func.max(ReadRange.read_at))
    .where(
        ReadRange.tenant_id == Invoice.tenant_id,
        ReadRange.integration_id == Invoice.integration_id,
        ReadRange.low <= Invoice.autotask_id,
        ReadRange.high >= Invoice.autotask_id,
        or_(
            ReadRange.only_unpaid.is_(False),
            Invoice.autotask_paid_on.is_(None) & Invoice.is_voided.is_(False),
        ),
        Invoice.missing_since.is_(None),
        Invoice.outside_filters_at.is_(None),
    )
    .correlate(Invoice)
    .scalar_subquery()
)
# When Autotask last said what stands here. `autotask_read_at` is when that was written; reading it again writes nothing.
Invoice.last_read_at = column_property(func.greatest(Invoice.autotask_read_at, IN_A_RANGE), deferred=True)
