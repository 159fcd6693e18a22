from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from portal.models.base import Amount, Base, TenantOwned, belongs_to, bounded


class InvoicePast(TenantOwned, Base):
    """What an invoice said before `until`. Written by a trigger, so that no writer can forget it."""

    __tablename__ = "invoice_past"
    __table_args__ = (
        belongs_to("invoice_id", "invoice"),
        *bounded("amount_due"),
        Index(None, "tenant_id", "invoice_id", "until"),
    )

    invoice_id: Mapped[int]
    until: Mapped[datetime]
    number: Mapped[str]
    amount_due: Mapped[Amount]


class CustomerPast(TenantOwned, Base):
    """What a customer was called before `until`. Written by a trigger."""

    __tablename__ = "customer_past"
    __table_args__ = (
        belongs_to("customer_id", "customer"),
        Index(None, "tenant_id", "customer_id", "until"),
    )

    customer_id: Mapped[int]
    until: Mapped[datetime]
    name: Mapped[str]
