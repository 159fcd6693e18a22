from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import BigInteger

from portal.models.base import Base, Json, TenantOwned, created, one_of


class EventKind(StrEnum):
    """What other systems can hear of. Frozen: a name never changes its meaning, and none goes away."""

    PAYMENT_RECORDED = "payment.recorded"
    PAYMENT_SETTLED = "payment.settled"
    PAYMENT_FAILED = "payment.failed"
    PAYMENT_REFUNDED = "payment.refunded"
    PAYMENT_DELETED = "payment.deleted"
    PAYMENT_CONFIRMED = "payment.confirmed"
    INVOICE_CREATED = "invoice.created"
    INVOICE_CHANGED = "invoice.changed"
    INVOICE_PAID = "invoice.paid"
    INVOICE_REOPENED = "invoice.reopened"
    INVOICE_VOIDED = "invoice.voided"
    EXCEPTION_OPENED = "exception.opened"
    EXCEPTION_CLOSED = "exception.closed"
    NEEDS_RECONNECTING = "integration.needs_reconnecting"


class Event(TenantOwned, Base):
    """Something that happened, for other systems. Triggers of the database write it beside the change.

    `data` are the record's values as they were then, amounts as texts. `place` is its number in the order in which
    events may be read, given after their transactions were committed (webhooks/events.py).
    """

    __tablename__ = "event"
    __table_args__ = (
        one_of("kind", EventKind),
        UniqueConstraint("tenant_id", "place"),
        Index(None, "tenant_id", "subject_id"),
        Index("ix_event_new", "tenant_id", "id", postgresql_where="place IS NULL"),
    )

    kind: Mapped[str]
    subject_id: Mapped[int]
    invoice_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    data: Mapped[Json]
    place: Mapped[int | None]
    created_at: Mapped[datetime] = created()

    @property
    def name(self) -> str:
        """What it is called outside: the same in every message and every answer."""
        return f"evt_{self.id}"
