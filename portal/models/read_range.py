from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped

from portal.models.base import Base, TenantOwned, belongs_to


class ReadRange(TenantOwned, Base):
    """At `read_at` Autotask sent every invoice that is here with an Autotask id of `low` to `high` and no mark.

    With `only_unpaid`, of those that are unpaid here.
    """

    __tablename__ = "read_range"
    __table_args__ = (
        UniqueConstraint("tenant_id", "integration_id", "only_unpaid", "low"),
        belongs_to("integration_id", "integration"),
    )

    integration_id: Mapped[int]
    only_unpaid: Mapped[bool]
    low: Mapped[int]
    high: Mapped[int]
    read_at: Mapped[datetime]
