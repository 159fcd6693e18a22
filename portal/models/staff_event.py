from datetime import datetime

from sqlalchemy import ForeignKey, Identity, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.base import Base, Json
from portal.models.tenant import Tenant
from portal.models.user import User


class StaffEvent(Base):
    """What a staff person did outside every partner, or to a partner. Append-only, chained by hash, signed."""

    __tablename__ = "staff_event"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    position: Mapped[int] = mapped_column(unique=True)
    at: Mapped[datetime]
    event: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("tenant.id"))
    request_id: Mapped[str]
    details: Mapped[Json]
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    signed_by: Mapped[str]

    user: Mapped[User | None] = relationship(viewonly=True)
    partner: Mapped[Tenant | None] = relationship(viewonly=True)
