from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, Json, TenantOwned, belongs_to, created, one_of


class Cause(StrEnum):
    BAD_RECORD = "bad_record"
    REPEATED_RECORD = "repeated_record"
    DELIVERY_REFUSED = "delivery_refused"
    DELIVERY_PARKED = "delivery_parked"
    NOT_CLEARED = "not_cleared"
    UNPAID_IN_AUTOTASK = "unpaid_in_autotask"
    PAID_MARK_CHANGED = "paid_mark_changed"
    PAID_TWICE = "paid_twice"
    OVERPAID = "overpaid"
    VOIDED_WITH_PAYMENTS = "voided_with_payments"
    CURRENCY_CHANGED = "currency_changed"
    CURRENCY_UNKNOWN = "currency_unknown"
    SUSPICIOUS_READ = "suspicious_read"
    MATCH_NONE = "match_none"
    MATCH_SEVERAL = "match_several"
    PDF_UNAVAILABLE = "pdf_unavailable"
    SYNC_FAILED = "sync_failed"


ABOUT_PAYMENTS = (
    Cause.OVERPAID,
    Cause.VOIDED_WITH_PAYMENTS,
    Cause.UNPAID_IN_AUTOTASK,
    Cause.PAID_TWICE,
    Cause.CURRENCY_CHANGED,
)


# What an item is about whose money came back of a closed invoice. The release before has no word for such a cause, so
# it is stored under another one, and told by this (docs/migrations.md).
CAME_BACK = "payment"


class ExceptionState(StrEnum):
    OPEN = "open"
    RESOLVED = "resolved"


class ExceptionItem(TenantOwned, Base):
    """Something a person must look at: one open item per record and cause."""

    __tablename__ = "exception_item"
    __table_args__ = (
        one_of("cause", Cause),
        one_of("state", ExceptionState),
        belongs_to("invoice_id", "invoice"),
        belongs_to("run_id", "sync_run"),
        Index(
            "uq_exception_item_open",
            "tenant_id",
            "cause",
            "subject_type",
            "subject_key",
            unique=True,
            postgresql_where="state = 'open'",
        ),
        Index(None, "tenant_id", "state", "last_seen_at"),
        Index(None, "tenant_id", "invoice_id"),
    )

    cause: Mapped[str]
    subject_type: Mapped[str]
    subject_key: Mapped[str]
    label: Mapped[str]
    detail: Mapped[str]
    ours: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    theirs: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    state: Mapped[str] = mapped_column(server_default=ExceptionState.OPEN)
    times_seen: Mapped[int] = mapped_column(Integer, server_default="1")
    invoice_id: Mapped[int | None]
    run_id: Mapped[int | None]
    first_seen_at: Mapped[datetime] = created()
    last_seen_at: Mapped[datetime] = created()
    resolved_at: Mapped[datetime | None]
    resolved_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    resolution: Mapped[str | None]

    @property
    def is_open(self) -> bool:
        return self.state == ExceptionState.OPEN

    @property
    def kind(self) -> str:
        """Its cause as pages name it."""
        return "came_back" if self.subject_type == CAME_BACK else self.cause

    @property
    def badge(self) -> str:
        return "needs_you" if self.is_open else "resolved"

    @property
    def is_about_payments(self) -> bool:
        """Deleting one of the invoice's payments can put it right."""
        return self.cause in ABOUT_PAYMENTS
