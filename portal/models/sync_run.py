from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.base import Base, Json, TenantOwned, belongs_to, created, one_of
from portal.models.integration import Integration
from portal.models.user import User


class SyncKind(StrEnum):
    ALL = "all"
    NEW = "new"
    UNPAID = "unpaid"
    CUSTOMERS = "customers"
    PDFS = "pdfs"


# What every connected integration has a schedule of.
SCHEDULED = (SyncKind.NEW, SyncKind.UNPAID, SyncKind.PDFS, SyncKind.CUSTOMERS)


class SyncTrigger(StrEnum):
    CONNECT = "connect"
    SCHEDULE = "schedule"
    BUTTON = "button"
    RETRY = "retry"
    COMMAND = "command"


class RunState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


INCOMPLETE = (RunState.WAITING, RunState.RUNNING)


class SyncSchedule(TenantOwned, Base):
    """When a kind of sync is due next; moved in the transaction that creates the run."""

    __tablename__ = "sync_schedule"
    __table_args__ = (
        UniqueConstraint("tenant_id", "integration_id", "kind"),
        belongs_to("integration_id", "integration"),
        one_of("kind", SyncKind),
        Index("ix_sync_schedule_due", "next_due_at"),
    )

    integration_id: Mapped[int]
    kind: Mapped[str]
    next_due_at: Mapped[datetime]


class SyncRun(TenantOwned, Base):
    """One execution of a sync.

    `items` is {item: {found, created, changed, unchanged, skipped, failed, skipped_because: {reason: n}}};
    `checkpoint` holds what a worker needs to take an interrupted run up again.
    """

    __tablename__ = "sync_run"
    __table_args__ = (
        belongs_to("integration_id", "integration"),
        one_of("kind", SyncKind),
        one_of("trigger", SyncTrigger),
        one_of("state", RunState),
        Index(
            "uq_sync_run_incomplete",
            "tenant_id",
            "integration_id",
            "kind",
            unique=True,
            postgresql_where="state IN ('waiting', 'running')",
        ),
        UniqueConstraint("tenant_id", "integration_id", "kind", "due_at"),
        Index("ix_sync_run_due", "next_try_at", postgresql_where="state IN ('waiting', 'running')"),
        Index(None, "tenant_id", "created_at", "id"),
    )

    integration_id: Mapped[int]
    kind: Mapped[str]
    trigger: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=RunState.WAITING)
    forced: Mapped[bool] = mapped_column(server_default="false")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    true_user_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    retry_of_id: Mapped[int | None]
    due_at: Mapped[datetime | None]
    filters: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    window_from: Mapped[datetime | None]
    window_until: Mapped[datetime | None]
    items: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    checkpoint: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    current_item: Mapped[str | None]
    progress_done: Mapped[int] = mapped_column(Integer, server_default="0")
    progress_total: Mapped[int | None] = mapped_column(Integer)
    api_calls: Mapped[int] = mapped_column(Integer, server_default="0")
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    next_try_at: Mapped[datetime | None]
    lease_token: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    error_kind: Mapped[str | None]
    error: Mapped[str | None]
    timings: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime] = created()
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    integration: Mapped[Integration] = relationship(viewonly=True)
    user: Mapped[User | None] = relationship(foreign_keys=[user_id], viewonly=True)
    true_user: Mapped[User | None] = relationship(foreign_keys=[true_user_id], viewonly=True)

    @property
    def is_incomplete(self) -> bool:
        return self.state in INCOMPLETE

    @property
    def is_waiting(self) -> bool:
        return self.state == RunState.WAITING

    @property
    def has_failed(self) -> bool:
        return self.state == RunState.FAILED

    @property
    def ended_early(self) -> bool:
        """Failed or stopped: what it had still to read can be asked for again."""
        return self.state in (RunState.FAILED, RunState.CANCELLED)

    @property
    def reads_unpaid_only(self) -> bool:
        return self.kind == SyncKind.UNPAID


NOT_TAKEN_IN, LINE_REMOVED = "Not taken in", "Line removed"
LEFT = ("Outside filters", "No longer in Autotask")


class SyncChange(TenantOwned, Base):
    """One field that a run changed, as text: old and new value.

    A record that could not be taken in has one too, with the field NOT_TAKEN_IN; one that is not here has the
    `subject_id` 0.
    """

    __tablename__ = "sync_change"
    __table_args__ = (
        belongs_to("run_id", "sync_run"),
        Index(None, "tenant_id", "run_id", "id"),
        Index(None, "tenant_id", "subject_type", "subject_id"),
    )

    run_id: Mapped[int]
    subject_type: Mapped[str]
    subject_id: Mapped[int]
    autotask_id: Mapped[int | None]
    label: Mapped[str]
    field: Mapped[str]
    old_value: Mapped[str | None]
    new_value: Mapped[str | None]
    at: Mapped[datetime] = created()
