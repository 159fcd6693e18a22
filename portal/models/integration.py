from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Integer, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, Json, TenantOwned, belongs_to, created, one_of

AUTOTASK = "autotask"


class IntegrationState(StrEnum):
    CONNECTED = "connected"
    NEEDS_RECONNECTING = "needs_reconnecting"
    DISCONNECTED = "disconnected"


class IntegrationRole(StrEnum):
    PRIMARY = "primary"
    SECONDARY = "secondary"


class Identifier(StrEnum):
    NUMBER = "number"
    ID = "id"


class TotalsMode(StrEnum):
    """Whether Autotask's invoiceTotal holds the tax already."""

    WITH_TAX = "with_tax"
    WITHOUT_TAX = "without_tax"


class TotalsSource(StrEnum):
    ASSUMED = "assumed"
    EVIDENCE = "evidence"
    PARTNER = "partner"


class Integration(TenantOwned, Base):
    """A partner's connection to one outside system."""

    __tablename__ = "integration"
    __table_args__ = (
        UniqueConstraint("tenant_id", "kind"),
        one_of("state", IntegrationState),
        one_of("role", IntegrationRole),
        one_of("identifier", Identifier),
        one_of("totals_mode", TotalsMode),
        one_of("totals_source", TotalsSource),
        CheckConstraint("sync_minute BETWEEN 0 AND 59", name="minute_of_hour"),
        CheckConstraint("sync_hour BETWEEN 0 AND 23", name="hour_of_day"),
    )

    kind: Mapped[str] = mapped_column(server_default=AUTOTASK)
    state: Mapped[str]
    role: Mapped[str]
    identifier: Mapped[str]
    email: Mapped[str]
    username: Mapped[str]
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    zone_url: Mapped[str]
    zone_name: Mapped[str] = mapped_column(server_default="")
    web_url: Mapped[str] = mapped_column(server_default="")
    database_number: Mapped[int | None]
    totals_mode: Mapped[str] = mapped_column(server_default=TotalsMode.WITHOUT_TAX)
    totals_source: Mapped[str] = mapped_column(server_default=TotalsSource.ASSUMED)
    totals_evidence: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    filters: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    picklists: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    currencies: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    sync_minute: Mapped[int] = mapped_column(Integer)
    sync_hour: Mapped[int] = mapped_column(Integer)
    usage_used: Mapped[int | None]
    usage_limit: Mapped[int | None]
    usage_read_at: Mapped[datetime | None]
    paused_until: Mapped[datetime | None]
    pause_reason: Mapped[str | None]
    reconnect_reason: Mapped[str | None]
    reconnect_since: Mapped[datetime | None]
    probe_at: Mapped[datetime | None]
    connected_at: Mapped[datetime] = created()
    disconnected_at: Mapped[datetime | None]

    @property
    def is_primary(self) -> bool:
        return self.role == IntegrationRole.PRIMARY

    @property
    def matches_by_id(self) -> bool:
        """What an invoice is matched by, where Autotask is secondary (rule 6)."""
        return self.identifier == Identifier.ID

    @property
    def is_connected(self) -> bool:
        return self.state == IntegrationState.CONNECTED

    @property
    def is_disconnected(self) -> bool:
        return self.state == IntegrationState.DISCONNECTED

    @property
    def totals_hold_tax(self) -> bool:
        return self.totals_mode == TotalsMode.WITH_TAX

    @property
    def totals_are_chosen(self) -> bool:
        """By a person of the partner."""
        return self.totals_source == TotalsSource.PARTNER

    @property
    def totals_are_evident(self) -> bool:
        """By what the sampled invoices show."""
        return self.totals_source == TotalsSource.EVIDENCE


class IntegrationStatus(TenantOwned, Base):
    """What may be seen of an integration across partners; a trigger of the database keeps it."""

    __tablename__ = "integration_status"
    __table_args__ = (
        UniqueConstraint("tenant_id", "integration_id"),
        belongs_to("integration_id", "integration", on_delete="CASCADE"),
    )

    integration_id: Mapped[int]
    kind: Mapped[str]
    state: Mapped[str]
    probe_at: Mapped[datetime | None]
    usage_used: Mapped[int | None]
    usage_limit: Mapped[int | None]
    usage_read_at: Mapped[datetime | None]
    paused_until: Mapped[datetime | None]


class SyncCursor(TenantOwned, Base):
    """How far one resource has been read completely."""

    __tablename__ = "sync_cursor"
    __table_args__ = (
        UniqueConstraint("tenant_id", "integration_id", "resource"),
        belongs_to("integration_id", "integration"),
    )

    integration_id: Mapped[int]
    resource: Mapped[str]
    last_id: Mapped[int | None]
    read_until: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]


class CallSlot(TenantOwned, Base):
    """One of the three places at an Autotask endpoint; held for the time of a call or a read."""

    __tablename__ = "call_slot"
    __table_args__ = (
        UniqueConstraint("tenant_id", "integration_id", "endpoint", "slot"),
        belongs_to("integration_id", "integration"),
        CheckConstraint("slot BETWEEN 1 AND 3", name="three_at_a_time"),
    )

    integration_id: Mapped[int]
    endpoint: Mapped[str]
    slot: Mapped[int] = mapped_column(Integer)
    token: Mapped[str | None]
    held_until: Mapped[datetime | None]


class ApiUsage(TenantOwned, Base):
    """Our own calls to Autotask, counted by minute."""

    __tablename__ = "api_usage"
    __table_args__ = (
        UniqueConstraint("tenant_id", "integration_id", "minute"),
        belongs_to("integration_id", "integration"),
    )

    integration_id: Mapped[int]
    minute: Mapped[datetime]
    calls: Mapped[int] = mapped_column(Integer)
