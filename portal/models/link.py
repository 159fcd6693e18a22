"""Links in mails: each works once, for a while; only the hash of its token is kept."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Identity, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.base import Base, TenantOwned, created, one_of
from portal.models.membership import Role
from portal.models.tenant import Tenant
from portal.models.user import User


class LinkPurpose(StrEnum):
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a purpose, no password
    EMAIL_OLD = "email_old"
    EMAIL_NEW = "email_new"


class Invitation(TenantOwned, Base):
    """A partner wants a person in, in a role. Sending it again gives the row another token."""

    __tablename__ = "invitation"
    __table_args__ = (
        one_of("role", Role),
        Index(
            "uq_invitation_waiting",
            "tenant_id",
            text("lower(email)"),
            unique=True,
            postgresql_where="used_at IS NULL AND revoked_at IS NULL",
        ),
    )

    email: Mapped[str]
    role: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    created_at: Mapped[datetime] = created()
    sent_at: Mapped[datetime] = created()
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    made_by: Mapped[User | None] = relationship(viewonly=True)
    tenant: Mapped[Tenant] = relationship(viewonly=True)


class LoginLink(Base):
    """A person may set a new password, or confirm another e-mail address. Without a user it opens nothing.

    `email` is where it was sent; the two links of one change of address carry the same `pair`.
    """

    __tablename__ = "login_link"
    __table_args__ = (one_of("purpose", LinkPurpose),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    purpose: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"), index=True)
    email: Mapped[str]
    pair: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime] = created()
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    user: Mapped[User | None] = relationship(viewonly=True)
