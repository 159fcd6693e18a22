"""One execution of a run, in pieces: each function is handed those it needs. Here they are loaded and saved."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from portal import clock
from portal.access.tenancy import current_tenant_id
from portal.clock import monotonic
from portal.extensions import db
from portal.models import Cause, RunState, SyncTrigger
from portal.sync import counts, run_lease
from portal.sync.bad_records import BadRecords
from portal.sync.checkpoint import Checkpoint
from portal.sync.flood import QueryPages
from portal.sync.progress import Calls, Memory, Progress, ReadClock
from portal.sync.run_lease import Claimed
from portal.sync.statistics import Growth
from portal.sync.task import Task, Writer


class LeaseLost(Exception):
    """Another worker has the run now; what was not committed is not written."""


class Cancelled(Exception):
    """A person asked the run to stop."""


class TurnOver(Exception):
    """Other partners' runs wait: this one goes on behind them, where it stopped."""


# A run that takes longer gives way to those of other partners, so that a first read delays nobody by more.
TURN_SECONDS = 5.0

# What a run notes; the lease is checked in the transaction that writes the page: who lost it writes nothing.
NOTES = """UPDATE sync_run SET items = :items, checkpoint = :checkpoint,
        progress_done = :done, progress_total = :total, api_calls = :calls, attempts = 0,
        window_from = :window_from, window_until = :window_until"""
OURS = "WHERE tenant_id = :tenant_id AND id = :id AND state = 'running' AND lease_token = :token"
AS_JSON = (bindparam("items", type_=JSONB), bindparam("checkpoint", type_=JSONB))
SAVE = text(f"""
    {NOTES}, current_item = :current_item,
        lease_until = clock_timestamp() + make_interval(secs => :seconds)
    {OURS} RETURNING cancel_requested_at, clock_timestamp()""").bindparams(*AS_JSON)
FINISH = text(f"""
    {NOTES}, current_item = NULL, state = 'completed', finished_at = clock_timestamp(),
        lease_token = NULL, lease_until = NULL, error_kind = NULL, error = NULL
    {OURS} AND cancel_requested_at IS NULL RETURNING id""").bindparams(*AS_JSON)

SAVE_CALLS = text("""
    UPDATE sync_run SET api_calls = :calls WHERE tenant_id = :tenant_id AND id = :id AND lease_token = :token""")


JUST_NOW = 5.0


@dataclass
class Running:
    """A claimed run: what it is to do, how far it is, and what it notes on the way.

    `took_over`: the worker before died after what is noted last.
    """

    task: Task
    checkpoint: Checkpoint
    items: counts.Items
    bad: BadRecords
    writer: Writer
    progress: Progress
    clock: ReadClock
    calls: Calls
    memory: Memory
    pages: QueryPages = field(default_factory=QueryPages)
    growth: Growth = field(default_factory=Growth)
    turn_began: float = field(default_factory=monotonic)
    saved_at: float = float("-inf")
    took_over: bool = False

    @property
    def was_saved_just_now(self) -> bool:
        """The lease is long still, and the clock that was read then is good for what is asked for now."""
        return clock.monotonic() - self.saved_at < JUST_NOW

    @classmethod
    def claim(cls, run_id: int) -> "Running | None":
        """The run under a lease of its own; None when it was not to be had. Commits."""
        claimed = run_lease.claim(run_id)
        return cls.of(claimed) if claimed is not None else None

    @classmethod
    def of(cls, claimed: Claimed) -> "Running":
        """The run where its checkpoint left it."""
        run, open_keys = claimed.run, claimed.open_keys
        items = run.items or counts.none_yet()
        return cls(
            task=Task.of(claimed),
            checkpoint=Checkpoint.of(run.checkpoint),
            items=items,
            bad=BadRecords(run.id, items, open_keys[Cause.BAD_RECORD]),
            writer=Writer(run.integration_id, run.id),
            progress=Progress(done=run.progress_done, total=run.progress_total),
            clock=ReadClock(claimed.at, run.window_from),
            calls=Calls(run.api_calls),
            memory=Memory(
                asked=set().union(*open_keys[Cause.SUSPICIOUS_READ].values()),
                has_failed=run.kind in open_keys[Cause.SYNC_FAILED].get("sync_run", ()),
            ),
            # Whoever asked it to stop meanwhile is heard before the first call.
            took_over=run.attempts > 0,
            saved_at=clock.monotonic() if run.cancel_requested_at is None else float("-inf"),
        )

    def begin_query(self, entity: str) -> None:
        """Its pages are counted anew."""
        self.pages.begin((self.checkpoint.counts or {}).get(entity, 0))

    def begin_again_if_moved(self, address: str) -> None:
        """An Autotask at another address than before is read from the start: what the old one said may be nothing."""
        if self.checkpoint.address not in ("", address):
            self.checkpoint = self.checkpoint.begun_again()
            self.progress.done = 0
        self.checkpoint.address = address

    def save(self) -> None:
        """Writes counts and checkpoint beside the page's rows and commits. Raises LeaseLost or Cancelled."""
        is_cancelled = self.write()
        db.session.commit()
        if is_cancelled:
            raise Cancelled

    def write(self) -> bool:
        """Like save(), in the caller's transaction; whether a person asked to stop. Raises LeaseLost."""
        self.checkpoint.tries = 0
        row = db.session.execute(SAVE, self._values()).first()
        if row is None:
            db.session.rollback()
            raise LeaseLost(f"Run {self.task.run_id} is somebody else's now.")
        cancel_requested_at, self.clock.read_at = row
        self.saved_at = clock.monotonic()
        return cancel_requested_at is not None

    def finish(self) -> None:
        """The run is completed, in the caller's transaction. Raises LeaseLost or Cancelled."""
        if db.session.execute(FINISH, self._values()).first() is None:
            self.write()
            raise Cancelled
        run_lease.say_ended(self.task.run_id, RunState.COMPLETED)

    def save_page(self, page: Sequence[Any]) -> None:
        """Like save(), after a page. Raises Flood when there were too many."""
        self.progress.done += len(page)
        self.save()
        self.growth.keep_up(self.items)
        self.pages.one_more(self.progress.words)

    def give_way(self) -> None:
        """Raises TurnOver after a while, if other partners wait; nobody's run at a terminal does.

        Called where what was read is not read again: the next turn goes on behind it.
        """
        if self.task.trigger == SyncTrigger.COMMAND or monotonic() - self.turn_began < TURN_SECONDS:
            return
        self.turn_began = monotonic()
        if run_lease.others_wait():
            raise TurnOver

    def save_calls(self) -> None:
        """Writes only how many calls there were, at the end of a try."""
        db.session.execute(SAVE_CALLS, self._lease() | {"calls": self.calls.number})

    def _values(self) -> dict[str, Any]:
        return self._lease() | {
            "items": self.items,
            "checkpoint": self.checkpoint.as_json(),
            "current_item": self.progress.words,
            "done": self.progress.done,
            "total": self.progress.known_total,
            "calls": self.calls.number,
            "window_from": self.clock.window_from,
            "window_until": self.clock.read_at,
            "seconds": run_lease.LEASE_SECONDS,
        }

    def _lease(self) -> dict[str, Any]:
        return {"tenant_id": current_tenant_id(), "id": self.task.run_id, "token": self.task.token}
