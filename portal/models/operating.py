from datetime import datetime
from enum import StrEnum

from sqlalchemy import Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, created, one_of


class HealthState(StrEnum):
    """What a look at a part of the portal found. `look`: it works, but somebody should know this.

    `unknown`: it could not be asked, because something before it does not answer.
    """

    OK = "ok"
    LOOK = "look"
    WRONG = "wrong"
    UNKNOWN = "unknown"


class Heartbeat(Base):
    """When a process of a kind was last heard of on a host. A host that is gone leaves its row for a week."""

    __tablename__ = "heartbeat"

    process: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str] = mapped_column(primary_key=True)
    beat_at: Mapped[datetime] = created()


class HealthReading(Base):
    """What one check found at a minute. `number` is in the check's own unit: seconds, or how many."""

    __tablename__ = "health_reading"
    __table_args__ = (one_of("state", HealthState), Index(None, "at"))

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    at: Mapped[datetime]
    name: Mapped[str]
    state: Mapped[str]
    number: Mapped[int | None]


class Alarm(Base):
    """A check that was beyond its promise: told to staff when it began, and once when it was over."""

    __tablename__ = "alarm"
    __table_args__ = (
        Index("uq_alarm_open", "name", unique=True, postgresql_where="ended_at IS NULL"),
        Index(None, "begun_at"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str]
    title: Mapped[str]
    sentence: Mapped[str]
    mend: Mapped[str]
    begun_at: Mapped[datetime] = created()
    ended_at: Mapped[datetime | None]


class MetricCount(Base):
    """How often something was counted since the beginning, by all processes; `labels` is a JSON list in their order."""

    __tablename__ = "metric_count"

    name: Mapped[str] = mapped_column(primary_key=True)
    labels: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int]
