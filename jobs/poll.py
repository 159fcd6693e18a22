"""The poller, beside the workers: finds what is due in PostgreSQL and does it, with or without Redis.

`python -m jobs.poll`. A lost bell, a dead worker or an empty Redis costs seconds because of it.
"""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Hashable
from types import FrameType
from typing import Any

import psycopg
import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from jobs.due_work import Watch, watches
from portal import clock, logs
from portal.database import claims, shares
from portal.extensions import db

log = structlog.get_logger(__name__)
WAKE = 1.0
AWAY_IS_SAID_EVERY = 60.0
LAST_WORDS = 60.0
GRACE = 15.0


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
        self.away_since: float | None = None
        self.say_again_at = 0.0

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
        with self.app.app_context():
            claims.told_to_stop()
        log.info("poller.stopped", **self.counts)

    def _begin_all(self, watch: Watch, now: float) -> None:
        try:
            with self.app.app_context():
                keys = watch.keys(now)
        except SQLAlchemyError as error:
            # The database restarts or is full: it is asked again, more slowly.
            watch.next_at = now + max(watch.every, 5.0)
            self._say_away(watch, error, now)
            return
        if self.away_since is not None:
            log.info("poller.database_again", seconds=round(now - self.away_since))
            self.away_since = None
        for key in keys:
            at_work = [one for name, one in self.running if name == watch.name]
            held = watch.one_each and any(one[0] == key[0] for one in at_work)
            if len(at_work) < watch.threads and key not in at_work and not held:
                self._begin(watch, key)

    def _say_away(self, watch: Watch, error: SQLAlchemyError, now: float) -> None:
        """One line as the outage begins, and one a minute while it lasts."""
        if self.away_since is None:
            self.away_since = self.say_again_at = now
        if now >= self.say_again_at:
            self.say_again_at = now + AWAY_IS_SAID_EVERY
            log.warning("poller.no_database", watch=watch.name, error=type(error).__name__)

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
