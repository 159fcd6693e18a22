"""What the Integrations pages show of a connection, read in a few queries."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from portal import clock
from portal.access.tenancy import current_tenant_id, scoped
from portal.connect.opening import unusable
from portal.connect.testing import last_test
from portal.connect.usage import calls_of_the_hour
from portal.extensions import db
from portal.models import (
    INCOMPLETE,
    AuditEvent,
    Customer,
    Integration,
    IntegrationState,
    Invoice,
    RunState,
    SyncKind,
    SyncRun,
    SyncSchedule,
    TotalsMode,
)

NOT_CONNECTED = "not_connected"
UNUSABLE = "unusable"


@dataclass(frozen=True)
class Overview:
    """One integration for a card or its page; everything is empty while it was never connected."""

    integration: Integration | None
    state: str = NOT_CONNECTED
    last_completed_at: datetime | None = None
    next_due_at: datetime | None = None
    own_calls: int = 0
    used: int = 0
    paused: bool = False
    last_test: AuditEvent | None = None
    first_run: SyncRun | None = None
    may_start_first: bool = False
    read_before: bool = False
    unusable: str = ""

    @property
    def was_never_connected(self) -> bool:
        return self.state == NOT_CONNECTED

    @property
    def is_connected(self) -> bool:
        """And can be read and told."""
        return self.state == IntegrationState.CONNECTED

    @property
    def is_disconnected(self) -> bool:
        return self.state == IntegrationState.DISCONNECTED

    @property
    def needs_reconnecting(self) -> bool:
        return self.state == IntegrationState.NEEDS_RECONNECTING

    @property
    def needs_credentials(self) -> bool:
        """New ones, or a look at those that are here."""
        return self.needs_reconnecting or self.state == UNUSABLE

    @property
    def is_live(self) -> bool:
        """It has credentials, whether they serve or not."""
        return self.is_connected or self.needs_credentials

    @property
    def compared_with_tax(self) -> int:
        """How many sampled invoices with tax on them were compared with their lines."""
        counts = self.integration.totals_evidence.get("counts", {}) if self.integration else {}
        return sum(counts.get(name, 0) for name in (*TotalsMode, "neither"))


def overview(integration: Integration | None) -> Overview:
    """What there is to say about the partner's integration now."""
    if integration is None:
        return Overview(None)
    paused = integration.paused_until is not None and integration.paused_until > clock.now()
    reason = unusable(integration)
    told, (own, everybody) = _told(integration), calls_of_the_hour(integration)
    return Overview(
        integration,
        state=UNUSABLE if reason else integration.state,
        last_completed_at=told.last_completed_at,
        next_due_at=told.next_due_at,
        own_calls=own,
        used=everybody,
        paused=paused and integration.state == IntegrationState.CONNECTED,
        last_test=last_test(integration),
        first_run=_first_run(integration),
        may_start_first=integration.is_connected and not reason and not told.ever_started,
        unusable=reason,
        read_before=told.read_before,
    )


def readable() -> dict[str, int]:
    """How many customers and invoices stay readable after disconnecting."""
    counts: dict[str, Any] = {}
    for name, model in (("customers", Customer), ("invoices", Invoice)):
        found = select(func.count()).select_from(model).where(model.tenant_id == current_tenant_id())
        counts[name] = db.session.scalar(found) or 0
    return counts


def _told(integration: Integration) -> Any:
    """`last_completed_at`, `next_due_at`, `ever_started` and `read_before`, in one statement."""
    runs = scoped(SyncRun).where(SyncRun.integration_id == integration.id)
    whole = runs.where(SyncRun.kind == SyncKind.ALL)
    done = SyncRun.state == RunState.COMPLETED
    schedules = scoped(SyncSchedule).where(SyncSchedule.integration_id == integration.id)
    columns: dict[str, Any] = {
        "last_completed_at": runs.where(done)
        .with_only_columns(func.max(SyncRun.finished_at))
        .scalar_subquery(),
        "next_due_at": schedules.with_only_columns(func.min(SyncSchedule.next_due_at)).scalar_subquery(),
        "ever_started": whole.exists(),
        "read_before": whole.where(done).exists(),
    }
    return db.session.execute(select(*(column.label(name) for name, column in columns.items()))).one()


def _first_run(integration: Integration) -> SyncRun | None:
    """The first full read while it is not done."""
    return db.session.scalar(
        scoped(SyncRun)
        .where(
            SyncRun.integration_id == integration.id,
            SyncRun.kind == SyncKind.ALL,
            SyncRun.state.in_(INCOMPLETE),
        )
        .order_by(SyncRun.id.desc())
        .limit(1)
    )


def ever_started(integration: Integration) -> bool:
    """Whether a first full read was ever begun. Before it nothing is due by the clock (rule 2.1)."""
    return bool(
        db.session.scalar(
            select(
                scoped(SyncRun)
                .where(SyncRun.integration_id == integration.id, SyncRun.kind == SyncKind.ALL)
                .exists()
            )
        )
    )
