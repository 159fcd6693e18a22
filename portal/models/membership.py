from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.base import Base, TenantOwned, created, never_staff, one_of
from portal.models.tenant import Tenant
from portal.models.user import User


class Role(StrEnum):
    OWNER = "owner"
    MANAGER = "manager"
    CLERK = "clerk"
    READER = "reader"


class Membership(TenantOwned, Base):
    """A user's role at one partner."""

    __tablename__ = "membership"
    __table_args__ = (UniqueConstraint("tenant_id", "user_id"), one_of("role", Role), *never_staff("user_id"))

    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"), index=True)
    role: Mapped[str]
    created_at: Mapped[datetime] = created()
    person_is_staff: Mapped[bool] = mapped_column(server_default="false")

    user: Mapped[User] = relationship(primaryjoin="User.id == foreign(Membership.user_id)", viewonly=True)
    tenant: Mapped[Tenant] = relationship(viewonly=True)


class PastMember(TenantOwned, Base):
    """A person who was removed: what they did here keeps their name."""

    __tablename__ = "past_member"
    __table_args__ = (UniqueConstraint("tenant_id", "user_id"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    role: Mapped[str]
    removed_at: Mapped[datetime] = created()
