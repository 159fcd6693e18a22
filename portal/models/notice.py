from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, TenantOwned, created


class NoticeKind(StrEnum):
    NEEDS_RECONNECTING = "needs_reconnecting"
    SYNC_LATE = "sync_late"
    PAYMENTS_STUCK = "payments_stuck"
    SUPPORT = "support"
    PEOPLE = "people"
    DIGEST = "digest"
    WEBHOOK_OFF = "webhook_off"


class Notice(TenantOwned, Base):
    """What a partner's people were told, once a cause; of a standing kind at most one is open at a time.

    `ended_words` says how it ended, from `ended_at` on.
    """

    __tablename__ = "notice"
    __table_args__ = (
        UniqueConstraint("tenant_id", "kind", "cause"),
        Index(
            "uq_notice_standing",
            "tenant_id",
            "kind",
            unique=True,
            postgresql_where="ended_at IS NULL AND kind IN ('needs_reconnecting', 'sync_late', 'payments_stuck')",
        ),
        Index(None, "tenant_id", "changed_at"),
    )

    kind: Mapped[str]
    cause: Mapped[str]
    words: Mapped[str]
    path: Mapped[str]
    ended_words: Mapped[str | None]
    created_at: Mapped[datetime] = created()
    changed_at: Mapped[datetime] = created()
    ended_at: Mapped[datetime | None]


class NoticeChoice(TenantOwned, Base):
    """Of which kinds a person wants no mail at this partner, and up to when they have seen its notices."""

    __tablename__ = "notice_choice"
    __table_args__ = (UniqueConstraint("tenant_id", "user_id"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    no_mail: Mapped[list[str]] = mapped_column(ARRAY(TEXT), server_default=text("'{}'"))
    seen_at: Mapped[datetime] = created()
