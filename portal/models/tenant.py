from datetime import datetime
from enum import StrEnum

from sqlalchemy import DateTime, Identity, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, created


class SupportAccess(StrEnum):
    OFF = "off"
    VIEW = "view"
    ACT = "act"


class Tenant(Base):
    """A partner: a managed service provider that uses the portal."""

    __tablename__ = "tenant"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    slug: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[str]
    time_zone: Mapped[str] = mapped_column(server_default="UTC")
    default_currency: Mapped[str] = mapped_column(String(3), server_default="USD")
    # When Autotask refused a key and secret that a person tried, within the last hour or so.
    refused_logins: Mapped[list[datetime]] = mapped_column(
        ARRAY(DateTime(timezone=True)), server_default="{}"
    )
    second_factor_for_all: Mapped[bool] = mapped_column(server_default="false")
    created_at: Mapped[datetime] = created()
    # Where the logo lies in the storage; empty: none.
    logo_key: Mapped[str] = mapped_column(server_default="")
    date_format: Mapped[str] = mapped_column(server_default="day_month_year")
    number_format: Mapped[str] = mapped_column(server_default="comma_point")
    support_access: Mapped[str] = mapped_column(server_default=SupportAccess.VIEW)
    support_act_until: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str] = mapped_column(server_default="")
