from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Identity, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, created, one_of


class FactorKind(StrEnum):
    TOTP = "totp"
    PASSKEY = "passkey"


class Factor(Base):
    """What a person proves a login with besides the password: an authenticator app's seed, or a passkey."""

    __tablename__ = "factor"
    __table_args__ = (one_of("kind", FactorKind),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"), index=True)
    kind: Mapped[str]
    name: Mapped[str]
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    credential_id: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime] = created()
    last_used_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """A code that stands in for a factor, once. Found by its beginning; the rest is argon2id."""

    __tablename__ = "recovery_code"
    __table_args__ = (UniqueConstraint("user_id", "beginning"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    beginning: Mapped[str]
    code_hash: Mapped[str]
    created_at: Mapped[datetime] = created()
    used_at: Mapped[datetime | None]


class SpentProof(Base):
    """A code's time step or a passkey's challenge that opened something: it never does so again."""

    __tablename__ = "spent_proof"

    mark: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    spent_at: Mapped[datetime] = created()
