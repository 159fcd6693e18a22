from datetime import date
from decimal import Decimal
from typing import Annotated

from sqlalchemy import CheckConstraint, Index, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, Currency, TenantOwned

LARGEST_SUM = 10**19
Sum = Annotated[Decimal, mapped_column(Numeric(24, 4))]


def within(column: str) -> CheckConstraint:
    """NaN and infinities sort above every number in PostgreSQL."""
    return CheckConstraint(f"{column} BETWEEN -{LARGEST_SUM} AND {LARGEST_SUM}", name=f"{column}_bounded")


class InvoiceSum(TenantOwned, Base):
    """Invoices of one partner that agree in these columns; several rows of the same add up (portal/ledger/kept_sums).

    `due_on` is empty for those that are not unpaid.
    """

    __tablename__ = "invoice_sum"
    __table_args__ = (within("outstanding"),)

    currency: Mapped[Currency]
    status: Mapped[str]
    agreement: Mapped[str]
    archived: Mapped[bool]
    due_on: Mapped[date | None]
    invoices: Mapped[int]
    outstanding: Mapped[Sum]


class CustomerSum(TenantOwned, Base):
    """What one customer owes in one currency, and what is left of its credits (negative); archived ones do not count."""

    __tablename__ = "customer_sum"
    __table_args__ = (
        within("outstanding"),
        within("credit"),
        Index(None, "tenant_id", "customer_id"),
    )

    customer_id: Mapped[int]
    currency: Mapped[Currency]
    invoices: Mapped[int]
    outstanding: Mapped[Sum]
    credit: Mapped[Sum]


class PaymentSum(TenantOwned, Base):
    """Payments of one currency and day."""

    __tablename__ = "payment_sum"
    __table_args__ = (within("amount"),)

    currency: Mapped[Currency]
    paid_on: Mapped[date]
    deleted: Mapped[bool]
    payments: Mapped[int]
    amount: Mapped[Sum]
