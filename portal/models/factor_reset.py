"""A person has lost all second factors: they ask, others agree, and after a wait the factors go."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Identity, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.base import Base, created, one_of
from portal.models.user import User


class ResetOutcome(StrEnum):
    """`withdrawn` by the person, who still has a factor or never asked; `stopped` by whoever may agree."""

    DONE = "done"
    WITHDRAWN = "withdrawn"
    STOPPED = "stopped"
    RUN_OUT = "run_out"


class FactorReset(Base):
    """One request, of which a person has at most one open. `due_at` is set once enough others agreed.

    Of the links in its two mails, which stop it, only the hashes are kept.
    """

    __tablename__ = "factor_reset"
    __table_args__ = (
        one_of("outcome", ResetOutcome),
        Index("uq_factor_reset_open", "user_id", unique=True, postgresql_where="ended_at IS NULL"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"), index=True)
    asked_at: Mapped[datetime] = created()
    address: Mapped[str] = mapped_column(server_default="")
    user_agent: Mapped[str] = mapped_column(server_default="")
    asked_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    agreed_hash: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    due_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]

    user: Mapped[User] = relationship(viewonly=True)


class FactorResetAgreement(Base):
    """Somebody made sure that it is the person: an owner for their partner, or one of two staff people (no partner)."""

    __tablename__ = "factor_reset_agreement"
    __table_args__ = (
        UniqueConstraint("reset_id", "by_user_id", "partner_id"),
        Index(
            "uq_factor_reset_agreement_staff",
            "reset_id",
            "by_user_id",
            unique=True,
            postgresql_where="partner_id IS NULL",
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    reset_id: Mapped[int] = mapped_column(ForeignKey("factor_reset.id"))
    by_user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("tenant.id"))
    how: Mapped[str]
    at: Mapped[datetime] = created()

    by: Mapped[User] = relationship(viewonly=True)
