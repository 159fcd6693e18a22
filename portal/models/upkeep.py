from datetime import datetime

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base


class Upkeep(Base):
    """When a regular duty was last begun and last done to its end, for all partners together."""

    __tablename__ = "upkeep"

    name: Mapped[str] = mapped_column(primary_key=True)
    begun_at: Mapped[datetime] = mapped_column(server_default=func.to_timestamp(0))
    done_at: Mapped[datetime] = mapped_column(server_default=func.to_timestamp(0))
