"""What a claimed run is to do and for whom, and whose hand is on the rows it writes."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import inspect

from portal.autotask.filters import SyncFilters
from portal.extensions import db
from portal.models import Integration, SyncRun, Tenant


@dataclass(frozen=True)
class Task:
    """Fixed when the run was claimed; `token` is its lease."""

    run_id: int
    kind: str
    trigger: str
    token: str
    integration: Integration
    tenant: Tenant
    filters: SyncFilters

    @classmethod
    def of(cls, run: SyncRun, token: str) -> "Task":
        return cls(
            run_id=run.id,
            kind=run.kind,
            trigger=run.trigger,
            token=token,
            integration=db.session.get_one(Integration, (run.tenant_id, run.integration_id)),
            tenant=db.session.get_one(Tenant, run.tenant_id),
            filters=SyncFilters.from_dict(run.filters),
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
    """

    integration_id: int
    run_id: int
    touched_invoices: bool = False
    highest: dict[str, int] = field(default_factory=dict)
