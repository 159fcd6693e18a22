"""One line of an invoice."""

from datetime import date, datetime

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import (
    Base,
    RawAmount,
    TenantOwned,
    belongs_to,
    bounded,
)


class InvoiceLine(TenantOwned, Base):
    """One posted billing item of an invoice, whose partner and integration are its own as well."""

    __tablename__ = "invoice_line"
    __table_args__ = (
        UniqueConstraint("tenant_id", "integration_id", "autotask_id"),
        belongs_to("invoice_id", "invoice"),
        *bounded("quantity", "rate", "price_raw", "tax_raw", "total_raw"),
        Index(None, "tenant_id", "invoice_id"),
    )

    tenant_id: Mapped[int] = mapped_column(primary_key=True)
    integration_id: Mapped[int | None]
    autotask_id: Mapped[int | None]
    invoice_id: Mapped[int]
    name: Mapped[str] = mapped_column(server_default="")
    description: Mapped[str] = mapped_column(server_default="")
    quantity: Mapped[RawAmount]
    rate: Mapped[RawAmount]
    price_raw: Mapped[RawAmount]
    tax_raw: Mapped[RawAmount]
    total_raw: Mapped[RawAmount]
    item_on: Mapped[date | None]
    item_type: Mapped[int | None]
    sort_order: Mapped[int | None]
    non_billable: Mapped[bool] = mapped_column(server_default="false")
    autotask_read_at: Mapped[datetime | None]
