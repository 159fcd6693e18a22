from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Identity, String, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, created


class SupportAccess(StrEnum):
    """Whether support may come in; that it may also act is agreed to for a time."""

    OFF = "off"
    VIEW = "view"


class Tenant(Base):
    """A partner: a managed service provider that uses the portal."""

    __tablename__ = "tenant"
    __table_args__ = (
        CheckConstraint(
            "support_act_until <= support_act_given_at + interval '7 days'", name="act_a_week_at_most"
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    slug: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[str]
    time_zone: Mapped[str] = mapped_column(server_default="UTC")
    default_currency: Mapped[str] = mapped_column(String(3), server_default="USD")
    # When Autotask refused a key and secret that a person tried, by a hash of the API user, within the last hour or so.
    refused_users: Mapped[dict[str, list[str]]] = mapped_column(JSONB, server_default="{}")
    # The same of all of them together, as the release before counts.
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
    # Up to when an owner agreed that support works in the partner's name, who, and when.
    support_act_until: Mapped[datetime | None]
    support_act_given_at: Mapped[datetime | None]
    support_act_given_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    # How a payment came that is still on its way when Autotask hears of it only once it is settled.
    held_methods: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{ach}")
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str] = mapped_column(server_default="")

    @property
    def lets_support_in(self) -> bool:
        return self.support_access != SupportAccess.OFF
