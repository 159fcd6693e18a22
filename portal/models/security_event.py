from datetime import datetime

from sqlalchemy import ForeignKey, Identity, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, Json, created

# The kind of event that stands in the person's own list only.
LOGIN_STARTED = "login.started"


class SecurityEvent(Base):
    """Something that happened to a person's login, and the hash of the link that its mail carries."""

    __tablename__ = "security_event"
    __table_args__ = (Index(None, "user_id", "at"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    kind: Mapped[str]
    at: Mapped[datetime] = created()
    address: Mapped[str] = mapped_column(server_default="")
    user_agent: Mapped[str] = mapped_column(server_default="")
    details: Mapped[Json] = mapped_column(server_default="{}")
    token_hash: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    answered_at: Mapped[datetime | None]
