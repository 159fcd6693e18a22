from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.base import Base, Json, TenantOwned, belongs_to
from portal.models.user import User


class AuditEvent(TenantOwned, Base):
    """Who did what. Append-only, and chained by hash within a partner; `signed_by` names the key of AUDIT_KEYS."""

    __tablename__ = "audit_event"
    __table_args__ = (
        UniqueConstraint("tenant_id", "position"),
        belongs_to("visit_id", "support_visit"),
        Index(None, "tenant_id", "subject_type", "subject_id"),
    )

    position: Mapped[int]
    at: Mapped[datetime]
    event: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    true_user_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    source: Mapped[str]
    visit_id: Mapped[int | None]
    request_id: Mapped[str]
    subject_type: Mapped[str]
    subject_id: Mapped[int | None]
    details: Mapped[Json]
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    signed_by: Mapped[str | None]

    user: Mapped[User | None] = relationship(foreign_keys=[user_id], viewonly=True)
    true_user: Mapped[User | None] = relationship(foreign_keys=[true_user_id], viewonly=True)


class AuditHead(TenantOwned, Base):
    """How far a partner's log goes, signed: what is cut off at its end is missed here. `since` is its first day."""

    __tablename__ = "audit_head"
    __table_args__ = (UniqueConstraint("tenant_id"),)

    position: Mapped[int]
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    since: Mapped[datetime]
    signed_by: Mapped[str]
    signature: Mapped[bytes] = mapped_column(LargeBinary)
