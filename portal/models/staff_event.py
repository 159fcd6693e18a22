from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, LargeBinary
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


class StaffHead(Base):
    """How far the log of staff goes, signed: what is cut off at its end is missed here. One row."""

    __tablename__ = "staff_head"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int]
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    since: Mapped[datetime]
    signed_by: Mapped[str]
    signature: Mapped[bytes] = mapped_column(LargeBinary)
