"""What the poller watches for: each with its question and its work."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from jobs import upkeep
from jobs.deliver import deliver_due
from jobs.sync import run_sync
from jobs.uploads import work_on
from portal.access.tenancy import tenant_scope
from portal.connect import probing
from portal.mail import send
from portal.notices import sweep as notices
from portal.notices import visits
from portal.operating import alarms, counting, heartbeats
from portal.people import lost_factors
from portal.reconcile import due_partners, sweep, waiting_together
from portal.sync import due_runs, run_lease, runs
from portal.uploads import work as uploads
from portal.webhooks import due as webhooks_due
from portal.webhooks import send as webhooks


@dataclass
class Watch:
    """One kind of due work: `find` lists keys, `work(*key)` does one, in at most `threads` threads at a time.

    A key is left to the workers until it was found due for `patience` seconds. `one_each`: a key begins with the partner,
    of whom one at a time is at work, so that one whose Autotask hangs leaves a thread to the others.
    """

    name: str
    every: float
    find: Callable[[], list[tuple[Hashable, ...]]]
    work: Callable[..., Any]
    threads: int = 1
    patience: float = 0.0
    one_each: bool = False
    next_at: float = 0.0
    seen: dict[tuple[Hashable, ...], float] = field(default_factory=dict)

    def keys(self, now: float) -> list[tuple[Hashable, ...]]:
        """What to begin now."""
        found = self.find()
        self.seen = {key: self.seen.get(key, now) for key in found}
        return [key for key in found if now - self.seen[key] >= self.patience]


def watches() -> list[Watch]:
    """What the portal has to watch. Deliveries first: they are promised in real time."""
    return [
        Watch(
            "deliveries",
            1,
            lambda: [(id_,) for id_ in due_partners.tenants_to_deliver()],
            deliver_due,
            threads=4,
        ),
        Watch("schedules", 15, lambda: [()], create_due_runs),
        Watch("syncs", 2, lambda: list(run_lease.due()), run_sync, threads=2, patience=1, one_each=True),
        Watch("uploads", 5, lambda: list(uploads.due()), work_on, patience=5),
        Watch(
            "comparisons",
            15,
            lambda: [(id_,) for id_ in due_partners.tenants_to_look_at()],
            compare,
            threads=2,
        ),
        Watch("mails", 2, lambda: list(send.due()), send.send, threads=2),
        Watch(
            "webhooks", 2, lambda: list(webhooks_due.due()), webhooks.drain, threads=2 * webhooks_due.LANES
        ),
        Watch("visits", 2, lambda: list(visits.to_tell()), notices.tell_visit),
        Watch("heartbeats", 10, lambda: [()], heartbeats.write),
        Watch("counts", 15, lambda: [()], counting.write_all),
        Watch("health", 60, lambda: [()], alarms.watch),
        Watch("notices", 60, lambda: [()], notices.sweep),
        Watch("lost factors", 60, lambda: [(id_,) for id_ in lost_factors.due()], lost_factors.settle),
        Watch("upkeep", 60, lambda: [()], upkeep.do_due),
        Watch("logins", 60, lambda: list(probing.due_probes()), probe, threads=2, one_each=True),
    ]


def create_due_runs() -> None:
    """Creates the runs that are due by the clock, and rings for all of them at once."""
    runs.ring_all(due_runs.create_due())


def compare(tenant_id: int) -> None:
    """Compares both sides of one partner's deliveries where that is due."""
    with tenant_scope(tenant_id):
        sweep.compare_due()


def probe(tenant_id: int, integration_id: int) -> None:
    """Asks once whether Autotask accepts a refused login again."""
    with tenant_scope(tenant_id):
        if probing.probe(integration_id):
            waiting_together.mended()
