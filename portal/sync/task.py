"""What a claimed run is to do and for whom, and whose hand is on the rows it writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import inspect

from portal.autotask.filters import SyncFilters
from portal.extensions import db
from portal.models import Integration, Tenant
from portal.sync.cursors import Cursor
from portal.sync.run_lease import Claimed


@dataclass(frozen=True)
class Task:
    """Fixed when the run was claimed; `token` is its lease, `cursors` say how far the runs before it read."""

    run_id: int
    kind: str
    trigger: str
    token: str
    integration: Integration
    tenant: Tenant
    filters: SyncFilters
    cursors: Mapping[str, Cursor]

    @classmethod
    def of(cls, claimed: Claimed) -> "Task":
        return cls(
            run_id=claimed.run.id,
            kind=claimed.run.kind,
            trigger=claimed.run.trigger,
            token=claimed.token,
            integration=claimed.integration,
            tenant=claimed.tenant,
            filters=SyncFilters.from_dict(claimed.run.filters),
            cursors=claimed.cursors,
        )

    def look_up(self) -> None:
        """Reads integration and partner anew where a rollback made them forgotten; leaves no transaction open."""
        rows: tuple[Any, ...] = (self.integration, self.tenant)
        for row in rows:
            if inspect(row).expired:
                db.session.refresh(row)
        db.session.commit()


@dataclass
class Writer:
    """Who writes rows: a run, or a person who answers a run's question.

    `highest` is, by table, an Autotask id above which nothing is here. Only this writer adds rows while it works.
    `read_to` is one up to which an earlier run read, so what lies below it is compared, and nobody asks.
    """

    integration_id: int
    run_id: int
    touched_invoices: bool = False
    highest: dict[str, int] = field(default_factory=dict)
    read_to: dict[str, int] = field(default_factory=dict)
