"""The poller, beside the workers: finds what is due in PostgreSQL and does it, with or without Redis.

`python -m jobs.poll`. A lost bell, a dead worker or an empty Redis costs seconds because of it.
"""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import psycopg
import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from jobs import upkeep
from jobs.deliver import deliver_due
from jobs.sync import run_sync
from portal import clock, logs
from portal.access.tenancy import tenant_scope
from portal.connect import probing
from portal.database import shares
from portal.extensions import db
from portal.mail import send
from portal.notices import sweep as notices
from portal.reconcile import due, sweep, waiting_together
from portal.sync import due_runs, run_lease

log = structlog.get_logger(__name__)
WAKE = 1.0
LAST_WORDS = 60.0
GRACE = 15.0


@dataclass
class Watch:
    """One kind of due work: `find` lists keys, `work(*key)` does one, in at most `threads` threads at a time.

    A key is left to the workers until it was found due for `patience` seconds.
    """

    name: str
    every: float
    find: Callable[[], list[tuple[Hashable, ...]]]
    work: Callable[..., Any]
    threads: int = 1
    patience: float = 0.0
    next_at: float = 0.0
    seen: dict[tuple[Hashable, ...], float] = field(default_factory=dict)

    def keys(self, now: float) -> list[tuple[Hashable, ...]]:
        """What to begin now."""
        found = self.find()
        self.seen = {key: self.seen.get(key, now) for key in found}
        return [key for key in found if now - self.seen[key] >= self.patience]


class Bells:
    """PostgreSQL's own bell: a delivery that becomes due rings when its transaction commits.

    It only makes the next round come sooner. Without it, a round comes every second.
    """

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.connection: psycopg.Connection[Any] | None = None

    def wait(self, seconds: float, stopping: threading.Event) -> bool:
        """True as soon as a bell rings, False after so many seconds."""
        try:
            return self._heard(seconds)
        except psycopg.Error:
            self.close()
            stopping.wait(seconds)
            return False

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def _heard(self, seconds: float) -> bool:
        if self.connection is None:
            with self.app.app_context():
                url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
            self.connection = psycopg.connect(url, autocommit=True, connect_timeout=5)
            self.connection.execute("LISTEN delivery_due")
        return any(True for _ in self.connection.notifies(timeout=seconds, stop_after=1))


class Poller:
    """Looks around once a second until it is told to stop; what it began has 15 seconds to end."""

    def __init__(self, app: Flask, watches: list[Watch]) -> None:
        self.app, self.watches = app, watches
        self.stopping = threading.Event()
        self.running: dict[tuple[str, tuple[Hashable, ...]], threading.Thread] = {}
        self.counts: Counter[str] = Counter()

    def run(self) -> None:
        said_at, bells = clock.monotonic(), Bells(self.app)
        while not self.stopping.is_set():
            if bells.wait(WAKE, self.stopping):
                self.watches[0].next_at = 0.0
            self.look_around()
            if clock.monotonic() - said_at >= LAST_WORDS:
                said_at = clock.monotonic()
                log.info("poller.counts", **self.counts)
        bells.close()
        self.finish()

    def look_around(self) -> None:
        """One round: begins what is due and has a free thread."""
        self.running = {key: thread for key, thread in self.running.items() if thread.is_alive()}
        now = clock.monotonic()
        for watch in self.watches:
            if watch.next_at <= now:
                watch.next_at = now + watch.every
                self._begin_all(watch, now)

    def finish(self) -> None:
        """Gives what runs its time; the rest is left to its lease."""
        until = clock.monotonic() + GRACE
        for thread in self.running.values():
            thread.join(max(0.0, until - clock.monotonic()))
        log.info("poller.stopped", **self.counts)

    def _begin_all(self, watch: Watch, now: float) -> None:
        try:
            with self.app.app_context():
                keys = watch.keys(now)
        except SQLAlchemyError as error:
            # The database restarts or is full: it is asked again, more slowly.
            watch.next_at = now + max(watch.every, 5.0)
            log.warning("poller.no_database", watch=watch.name, error=type(error).__name__)
            return
        for key in keys:
            busy = sum(name == watch.name for name, _ in self.running)
            if busy < watch.threads and (watch.name, key) not in self.running:
                self._begin(watch, key)

    def _begin(self, watch: Watch, key: tuple[Hashable, ...]) -> None:
        self.counts[watch.name] += 1
        thread = threading.Thread(target=self._do, args=(watch, key), name=watch.name, daemon=True)
        self.running[watch.name, key] = thread
        thread.start()

    def _do(self, watch: Watch, key: tuple[Hashable, ...]) -> None:
        with self.app.app_context():
            try:
                watch.work(*key)
            except Exception:
                db.session.rollback()
                log.exception("poller.failed", watch=watch.name, key=key)


def watches() -> list[Watch]:
    """What the portal has to watch. Deliveries first: they are promised in real time."""
    return [
        Watch("deliveries", 1, lambda: [(id_,) for id_ in due.tenants_to_deliver()], deliver_due, threads=4),
        Watch("schedules", 15, lambda: [()], due_runs.create_due),
        Watch("syncs", 2, lambda: list(run_lease.due()), run_sync, patience=5),
        Watch("comparisons", 15, lambda: [(id_,) for id_ in due.tenants_to_look_at()], compare),
        Watch("mails", 2, lambda: list(send.due()), send.send, threads=2),
        Watch("notices", 60, lambda: [()], notices.sweep),
        Watch("upkeep", 60, lambda: [()], upkeep.do_due),
        Watch("logins", 60, lambda: list(probing.due_probes()), probe),
    ]


def compare(tenant_id: int) -> None:
    """Compares both sides of one partner's deliveries where that is due."""
    with tenant_scope(tenant_id):
        sweep.compare_due()


def probe(tenant_id: int, integration_id: int) -> None:
    """Asks once whether Autotask accepts a refused login again."""
    with tenant_scope(tenant_id):
        if probing.probe(integration_id):
            waiting_together.mended()


def serve(app: Flask) -> None:
    """Polls until told to stop."""
    shares.become(app, shares.Process.POLLER)
    logs.call_this_process("poller")
    poller = Poller(app, watches())

    def stop(_: int, __: FrameType | None) -> None:
        poller.stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    shares.look(app)
    poller.run()


if __name__ == "__main__":
    from wsgi import app

    serve(app)
