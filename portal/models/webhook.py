from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.base import Base, TenantOwned, belongs_to, created, one_of
from portal.models.event import Event

SWITCHED_OFF_AFTER = timedelta(days=3)


class EndpointState(StrEnum):
    """`paused` by a person, `switched_off` after days of failures; a removed one stays until its messages are gone."""

    ON = "on"
    PAUSED = "paused"
    SWITCHED_OFF = "switched_off"
    REMOVED = "removed"


class MessageState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    GIVEN_UP = "given_up"


class WebhookEndpoint(TenantOwned, Base):
    """An address of a partner's own that hears of events. `failures` are those since the last answer that was well."""

    __tablename__ = "webhook_endpoint"
    __table_args__ = (
        one_of("state", EndpointState),
        Index(
            "uq_webhook_endpoint_url", "tenant_id", "url", unique=True, postgresql_where="state <> 'removed'"
        ),
    )

    url: Mapped[str]
    name: Mapped[str]
    kinds: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    state: Mapped[str]
    rests_until: Mapped[datetime] = created()
    failures: Mapped[int] = mapped_column(Integer, server_default="0")
    failing_since: Mapped[datetime | None]
    off_since: Mapped[datetime | None]
    lease_token: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = created()
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))

    @property
    def is_on(self) -> bool:
        return self.state == EndpointState.ON

    @property
    def is_gone(self) -> bool:
        """Whether it was switched off by its own answer (410), before its failures had lasted long enough for that."""
        if self.state != EndpointState.SWITCHED_OFF or self.off_since is None or self.failing_since is None:
            return False
        return self.off_since - self.failing_since < SWITCHED_OFF_AFTER


class WebhookSecret(TenantOwned, Base):
    """What messages to an endpoint are signed with, encrypted; one that was replaced signs beside the new one until `ends_at`."""

    __tablename__ = "webhook_secret"
    __table_args__ = (
        belongs_to("endpoint_id", "webhook_endpoint", on_delete="CASCADE"),
        Index(None, "tenant_id", "endpoint_id"),
    )

    endpoint_id: Mapped[int]
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = created()
    ends_at: Mapped[datetime | None]


class WebhookMessage(TenantOwned, Base):
    """One event on its way to one endpoint. `answers` has a line for each try: when, the code, words, what was answered."""

    __tablename__ = "webhook_message"
    __table_args__ = (
        one_of("state", MessageState),
        belongs_to("endpoint_id", "webhook_endpoint", on_delete="CASCADE"),
        belongs_to("event_id", "event", on_delete="CASCADE"),
        UniqueConstraint("tenant_id", "event_id", "endpoint_id"),
        Index(None, "tenant_id", "endpoint_id", "event_id"),
        Index(
            "ix_webhook_message_due_at",
            "tenant_id",
            "endpoint_id",
            "due_at",
            postgresql_where="state = 'waiting'",
        ),
        Index(
            "ix_webhook_message_event_id",
            "tenant_id",
            "endpoint_id",
            "event_id",
            postgresql_where="state = 'waiting'",
        ),
    )

    endpoint_id: Mapped[int]
    event_id: Mapped[int]
    state: Mapped[str] = mapped_column(server_default=MessageState.WAITING)
    due_at: Mapped[datetime] = created()
    tries: Mapped[int] = mapped_column(Integer, server_default="0")
    answers: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"))
    sent_at: Mapped[datetime | None]

    event: Mapped[Event] = relationship(viewonly=True)
    endpoint: Mapped[WebhookEndpoint] = relationship(viewonly=True)

    @property
    def is_waiting(self) -> bool:
        return self.state == MessageState.WAITING
