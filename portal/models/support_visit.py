from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.base import Base, TenantOwned, belongs_to, created, never_staff
from portal.models.tenant import Tenant
from portal.models.user import User


class VisitMode(StrEnum):
    VIEW = "view"
    ACT = "act"


class SupportVisit(TenantOwned, Base):
    """A support person inside a partner, acting as one of its users, for a reason and a limited time."""

    __tablename__ = "support_visit"
    __table_args__ = (
        CheckConstraint("mode IN ('view')", name="mode_known"),
        *never_staff("as_user_id"),
        CheckConstraint("length(btrim(reason)) >= 10", name="reason_given"),
        CheckConstraint("expires_at <= started_at + interval '60 minutes'", name="one_hour_at_most"),
        ExcludeConstraint(
            (text("int8range(staff_user_id, staff_user_id, '[]')"), "&&"),
            (text("tstzrange(started_at, greatest(started_at, least(ended_at, expires_at)))"), "&&"),
            name="ex_support_visit_one_at_a_time",
        ),
        Index("ix_support_visit_open", "staff_user_id", postgresql_where="ended_at IS NULL"),
    )

    staff_user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    as_user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    login_session_id: Mapped[int] = mapped_column(ForeignKey("login_session.id"))
    reason: Mapped[str]
    ticket: Mapped[str] = mapped_column(server_default="")
    # What the release before shows, which knows no other.
    mode_before: Mapped[str] = mapped_column("mode", server_default=VisitMode.VIEW)
    acts: Mapped[bool] = mapped_column(server_default="false")
    person_is_staff: Mapped[bool] = mapped_column(server_default="false")
    started_at: Mapped[datetime] = created()
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))

    staff: Mapped[User] = relationship(foreign_keys=[staff_user_id], viewonly=True)
    as_user: Mapped[User] = relationship(
        primaryjoin="User.id == foreign(SupportVisit.as_user_id)", viewonly=True
    )
    tenant: Mapped[Tenant] = relationship(viewonly=True)

    @property
    def mode(self) -> VisitMode:
        return VisitMode.ACT if self.acts else VisitMode.VIEW


class SupportRequest(TenantOwned, Base):
    """One request of a support visit, written before the request runs."""

    __tablename__ = "support_request"
    __table_args__ = (belongs_to("visit_id", "support_visit"), Index(None, "tenant_id", "visit_id"))

    visit_id: Mapped[int]
    method: Mapped[str]
    path: Mapped[str]
    request_id: Mapped[str]
    at: Mapped[datetime] = created()
