from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, Currency, TenantOwned, belongs_to, by_external_id, created


class Customer(TenantOwned, Base):
    """A company that the partner bills. `autotask_id` is null for one made in the portal.

    `external_id` is the name of one that came in from the partner's own system.
    """

    __tablename__ = "customer"
    __table_args__ = (
        UniqueConstraint("tenant_id", "integration_id", "autotask_id"),
        belongs_to("integration_id", "integration"),
        Index(None, "tenant_id", "name", "id"),
        by_external_id("customer"),
    )

    integration_id: Mapped[int | None]
    autotask_id: Mapped[int | None]
    external_id: Mapped[str | None]
    name: Mapped[str]
    number: Mapped[str] = mapped_column(server_default="")
    currency: Mapped[Currency]
    active: Mapped[bool] = mapped_column(server_default="true")
    company_type: Mapped[int | None]
    classification: Mapped[int | None]
    territory_id: Mapped[int | None]
    market_segment_id: Mapped[int | None]
    currency_autotask_id: Mapped[int | None]
    phone: Mapped[str] = mapped_column(server_default="")
    address: Mapped[str] = mapped_column(server_default="")
    tax_exempt: Mapped[bool] = mapped_column(server_default="false")
    modified_at: Mapped[datetime | None]
    autotask_read_at: Mapped[datetime | None]
    outside_filters_at: Mapped[datetime | None]
    missing_since: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = created()


class Contact(TenantOwned, Base):
    """A person at a customer who gets invoices."""

    __tablename__ = "contact"
    __table_args__ = (
        UniqueConstraint("tenant_id", "integration_id", "autotask_id"),
        belongs_to("integration_id", "integration"),
        belongs_to("customer_id", "customer"),
        Index(None, "tenant_id", "customer_id"),
    )

    integration_id: Mapped[int | None]
    autotask_id: Mapped[int | None]
    customer_id: Mapped[int]
    first_name: Mapped[str] = mapped_column(server_default="")
    last_name: Mapped[str] = mapped_column(server_default="")
    email: Mapped[str] = mapped_column(server_default="")
    active: Mapped[bool] = mapped_column(server_default="true")
    billing: Mapped[bool] = mapped_column(server_default="false")
    primary: Mapped[bool] = mapped_column(server_default="false")
    user_defined: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    modified_at: Mapped[datetime | None]
    autotask_read_at: Mapped[datetime | None]
    outside_filters_at: Mapped[datetime | None]
    missing_since: Mapped[datetime | None]
    created_at: Mapped[datetime] = created()
