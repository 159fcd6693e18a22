from datetime import datetime

from sqlalchemy import DateTime, Identity, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, created


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
    created_at: Mapped[datetime] = created()
