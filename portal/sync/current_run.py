"""One execution of a run: its counts, its checkpoint and its lease, written with each page it commits."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from portal.access.tenancy import current_tenant_id
from portal.autotask.client import Client
from portal.autotask.filters import SyncFilters
from portal.autotask.paging import LARGEST_PAGE
from portal.extensions import db
from portal.models import Integration, SyncRun, Tenant
from portal.sync import counts, runs
from portal.sync.checkpoint import Checkpoint, Step
from portal.sync.statistics import Growth


class LeaseLost(Exception):
    """Another worker has the run now; what was not committed is not written."""


class Cancelled(Exception):
    """A person asked the run to stop."""


class Flood(Exception):
    """Autotask sends more than a run takes in one stretch. What was committed stays, and the run goes on later."""


# One query, beyond the pages of what Autotask counted before: half a million records, a tenth of the hour's budget.
MOST_UNCOUNTED_PAGES = 1_000
FLOOD_PAUSE = 3600.0

# The lease is checked in the transaction that writes the page: who lost it writes nothing.
SAVE = text("""
    UPDATE sync_run SET items = :items, checkpoint = :checkpoint, current_item = :current_item,
        progress_done = :done, progress_total = :total, api_calls = :calls, attempts = 0,
        window_from = :window_from, window_until = :window_until,
        lease_until = clock_timestamp() + make_interval(secs => :seconds)
    WHERE tenant_id = :tenant_id AND id = :id AND state = 'running' AND lease_token = :token
    RETURNING cancel_requested_at, clock_timestamp()
    """).bindparams(bindparam("items", type_=JSONB), bindparam("checkpoint", type_=JSONB))


@dataclass
class Running:
    """A claimed run. `read_at` is the database's time before the page at hand was asked for."""

    run_id: int
    kind: str
    trigger: str
    token: str
    integration: Integration
    tenant: Tenant
    filters: SyncFilters
    items: counts.Items
    checkpoint: Checkpoint
    earlier_calls: int
    read_at: datetime
    window_from: datetime | None = None
    current_item: str | None = None
    done: int = 0
    total: int | None = None
    client: Client | None = None
    calls_before: int = 0
    pages: int = 0
    most_pages: int = MOST_UNCOUNTED_PAGES
    growth: Growth = field(default_factory=Growth)
    touched_invoices: bool = False
    has_adopted: bool | None = None
    open_bad: dict[str, set[str]] = field(default_factory=dict)
    unknown_companies: set[int] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)

    @property
    def known_total(self) -> int | None:
        """How many records there are; None once more came than Autotask had counted: then nobody knows."""
        return self.total if self.total is None or self.done <= self.total else None

    @classmethod
    def of(cls, run: SyncRun, token: str) -> "Running":
        """The run where its checkpoint left it."""
        now = db.session.scalar(text("SELECT clock_timestamp()"))
        assert now is not None
        return cls(
            run_id=run.id,
            kind=run.kind,
            trigger=run.trigger,
            token=token,
            integration=db.session.get_one(Integration, (run.tenant_id, run.integration_id)),
            tenant=db.session.get_one(Tenant, run.tenant_id),
            filters=SyncFilters.from_dict(run.filters),
            items=run.items or counts.none_yet(),
            checkpoint=Checkpoint.of(run.checkpoint),
            earlier_calls=run.api_calls,
            read_at=now,
            window_from=run.window_from,
            done=run.progress_done,
            total=run.progress_total,
        )

    @property
    def integration_id(self) -> int:
        return self.integration.id

    def step(self, name: str) -> Step:
        """The step of this name, begun now if it is new."""
        return self.checkpoint.steps.setdefault(name, Step(read_from=self.read_at.isoformat()))

    @contextmanager
    def calling_with(self, client: Client) -> Iterator[Client]:
        """Counts this client's calls into the run."""
        self.client, self.calls_before = client, client.calls
        try:
            yield client
        finally:
            self.earlier_calls = self.calls
            self.client = None

    @property
    def calls(self) -> int:
        """HTTP calls of this run so far, those of interrupted tries included."""
        return self.earlier_calls + (self.client.calls - self.calls_before if self.client else 0)

    def look_up(self) -> None:
        """Reads integration and partner anew and leaves no transaction open: a rollback forgets them."""
        db.session.refresh(self.integration)
        db.session.refresh(self.tenant)
        db.session.commit()

    def mark(self) -> None:
        """Notes the database's time before something is asked for outside of a page's transaction."""
        self.read_at = db.session.scalar(text("SELECT clock_timestamp()"))
        db.session.commit()

    def save(self) -> None:
        """Writes counts and checkpoint beside the page's rows and commits. Raises LeaseLost or Cancelled."""
        self.checkpoint.tries = 0
        row = db.session.execute(SAVE, self._values()).first()
        if row is None:
            db.session.rollback()
            raise LeaseLost(f"Run {self.run_id} is somebody else's now.")
        cancel_requested_at, self.read_at = row
        db.session.commit()
        if cancel_requested_at is not None:
            raise Cancelled

    def begin_query(self, entity: str) -> None:
        """Its pages are counted anew: twice those that Autotask's own count needs, as pages can be short, and more."""
        counted = (self.checkpoint.counts or {}).get(entity, 0)
        self.pages, self.most_pages = 0, MOST_UNCOUNTED_PAGES + 2 * math.ceil(counted / LARGEST_PAGE)

    def begin_again_if_moved(self, address: str) -> None:
        """An Autotask at another address than before is read from the start: what the old one said may be nothing."""
        before = self.checkpoint
        if before.address not in ("", address):
            self.checkpoint = Checkpoint(entered=before.entered, reread=before.reread, tries=before.tries)
            self.done = 0
        self.checkpoint.address = address

    def save_page(self, page: Sequence[Any]) -> None:
        """Like save(), after a page. Raises Flood when there were too many."""
        self.done += len(page)
        self.pages += 1
        self.save()
        self.growth.keep_up(self.items)
        if self.pages >= self.most_pages:
            raise Flood(
                f"Autotask sent {self.pages:,} pages of {(self.current_item or 'records').lower()} in one go, far more "
                "than it counts, and there are more. All of it is kept. Reading goes on in an hour where it stopped; "
                "cancel the run if Autotask cannot have that many."
            )

    def keep_calls(self) -> None:
        """Writes only how many calls there were, at the end of a try."""
        db.session.execute(
            text(
                "UPDATE sync_run SET api_calls = :calls WHERE tenant_id = :tenant_id AND id = :id AND lease_token = :token"
            ),
            {"calls": self.calls, "tenant_id": current_tenant_id(), "id": self.run_id, "token": self.token},
        )

    def _values(self) -> dict[str, Any]:
        return {
            "items": self.items,
            "checkpoint": self.checkpoint.as_json(),
            "current_item": self.current_item,
            "done": self.done,
            "total": self.known_total,
            "calls": self.calls,
            "window_from": self.window_from,
            "window_until": self.read_at,
            "seconds": runs.LEASE_SECONDS,
            "tenant_id": current_tenant_id(),
            "id": self.run_id,
            "token": self.token,
        }
