from datetime import datetime
from enum import StrEnum

from sqlalchemy import Computed, ForeignKey, Identity, Index, Integer, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, Json, created, one_of


class MailKind(StrEnum):
    INVITATION = "invitation"
    STAFF_INVITATION = "staff_invitation"
    PASSWORD_RESET = "password_reset"  # noqa: S105
    EMAIL_CHANGE_OLD = "email_change_old"
    EMAIL_CHANGE_NEW = "email_change_new"
    SECURITY_EVENT = "security_event"
    FACTORS_LOST = "factors_lost"
    FACTORS_TO_GO = "factors_to_go"
    NEEDS_RECONNECTING = "needs_reconnecting"
    RECONNECTED = "reconnected"
    SYNC_LATE = "sync_late"
    SYNC_ON_TIME = "sync_on_time"
    PAYMENTS_STUCK = "payments_stuck"
    PAYMENTS_TOLD = "payments_told"
    SUPPORT_STARTED = "support_started"
    SUPPORT_ENDED = "support_ended"
    PEOPLE_EVENT = "people_event"
    DIGEST = "digest"
    WEBHOOK_OFF = "webhook_off"
    ALARM_BEGUN = "alarm_begun"
    ALARM_OVER = "alarm_over"


class MailState(StrEnum):
    """`kept`: written while no mail server was set, and sent only by a person's wish."""

    WAITING = "waiting"
    SENT = "sent"
    REFUSED = "refused"
    GIVEN_UP = "given_up"
    EXPIRED = "expired"
    KEPT = "kept"


class Mail(Base):
    """One mail to one address: a promise like a delivery, with its words' parameters and never a secret.

    Without `tenant_id` it is a person's own, shown outside every partner. `cause` is unique: one mail a cause.
    """

    __tablename__ = "mail"
    __table_args__ = (
        one_of("state", MailState),
        Index("ix_mail_due", "due_at", postgresql_where="state = 'waiting'"),
        Index(None, "tenant_id", "user_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    tenant_id: Mapped[int | None] = mapped_column(ForeignKey("tenant.id"))
    of_person: Mapped[bool] = mapped_column(Computed("tenant_id IS NULL", persisted=True))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"), index=True)
    kind: Mapped[str]
    to_address: Mapped[str]
    words: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    cause: Mapped[str] = mapped_column(unique=True)
    message_id: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str]
    due_at: Mapped[datetime] = created()
    tries: Mapped[int] = mapped_column(Integer, server_default="0")
    lease_token: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    answer: Mapped[str] = mapped_column(server_default="")
    expires_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = created()


class MailSecret(Base):
    """The single-use link of a mail, encrypted; the row goes once the mail was sent or the link ran out."""

    __tablename__ = "mail_secret"

    mail_id: Mapped[int] = mapped_column(ForeignKey("mail.id", ondelete="CASCADE"), primary_key=True)
    tenant_id: Mapped[int | None] = mapped_column(ForeignKey("tenant.id"))
    of_person: Mapped[bool] = mapped_column(Computed("tenant_id IS NULL", persisted=True))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
