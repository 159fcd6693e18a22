from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.base import Base, created


class User(Base):
    """A person who logs in: with memberships of partners, or support staff."""

    __tablename__ = "app_user"
    __table_args__ = (
        Index("uq_app_user_email", text("lower(email)"), unique=True),
        UniqueConstraint("id", "is_staff"),
        CheckConstraint("is_staff OR NOT staff_admin", name="administrators_are_staff"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    email: Mapped[str]
    name: Mapped[str] = mapped_column(server_default="")
    password_hash: Mapped[str]
    is_staff: Mapped[bool] = mapped_column(server_default="false")
    # Looks after the other staff people.
    staff_admin: Mapped[bool] = mapped_column(server_default="false")
    disabled_at: Mapped[datetime | None]
    # Since when they have a second factor, and when their codes were refused within the last day.
    second_factor_at: Mapped[datetime | None]
    refused_codes: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)), server_default="{}")
    created_at: Mapped[datetime] = created()

    @property
    def label(self) -> str:
        """The name; of a person without one, the e-mail address up to its @, which is the same for all who look."""
        return self.name or self.email.partition("@")[0]


class LoginSession(Base):
    """One signed-in browser. The cookie holds a random token, the row only its hash."""

    __tablename__ = "login_session"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"), index=True)
    created_at: Mapped[datetime] = created()
    last_used_at: Mapped[datetime] = created()
    ended_at: Mapped[datetime | None]
    # When password or factor were last proved in it, and when the second factor was (never: half-way in at most).
    proved_at: Mapped[datetime | None]
    factor_at: Mapped[datetime | None]
    user_agent: Mapped[str] = mapped_column(server_default="")
    address: Mapped[str] = mapped_column(server_default="")

    user: Mapped[User] = relationship(lazy="joined")
