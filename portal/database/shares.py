"""How many connections to PostgreSQL each kind of process may hold, and whether the server has room for them.

Small plans give 20. While a new release takes over, two of them run side by side: what both hold, and one command,
has to fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import structlog
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from portal.database.pool import Share, SharePool
from portal.extensions import db
from portal.queue import QUEUES

log = structlog.get_logger(__name__)


class Process(StrEnum):
    WEB = "web process"
    POLLER = "poller"
    JOB = "job of a queue"
    COMMAND = "command"


# The parent of a queue's jobs holds none. The poller listens on one beside its pool. Work may wait, people may not.
SHARES = {
    Process.WEB: Share(pool=2),
    Process.POLLER: Share(pool=2, beside=1, patience=30.0),
    Process.JOB: Share(pool=1, patience=30.0),
    Process.COMMAND: Share(pool=1, patience=30.0),
}

FREE_FOR_US = text("""
SELECT least(
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0),
    (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = session_user AND NOT rolsuper),
    (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()))""")

FREE_NOW = text("""
SELECT least(
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0)
        - (SELECT sum(numbackends) FROM pg_stat_database WHERE datid <> 0),
    (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = session_user AND NOT rolsuper)
        - (SELECT count(*) FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
            WHERE r.rolname = session_user),
    (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
        - (SELECT numbackends FROM pg_stat_database WHERE datname = current_database()))""")


def become(app: Flask, process: Process) -> None:
    """Gives this process its share; connections of a parent are left to the parent."""
    SharePool.share = share_of(app, process)
    with app.app_context():
        db.engine.dispose(close=False)


def share_of(app: Flask, process: Process) -> Share:
    return Share(app.config["DATABASE_POOL"]) if process == Process.WEB else SHARES[process]


def of_one_release(app: Flask) -> int:
    """The most that web, worker and scheduler of one release hold; the scheduler holds none."""
    web = app.config["WEB_CONCURRENCY"] * share_of(app, Process.WEB).total
    return web + SHARES[Process.POLLER].total + len(QUEUES) * SHARES[Process.JOB].total


@dataclass(frozen=True)
class Room:
    """What the server allows this role in this database, and what a release and a deploy need."""

    allowed: int
    release: int

    @property
    def deploy(self) -> int:
        """Two releases and the command that brings the database up to date."""
        return 2 * self.release + SHARES[Process.COMMAND].total

    @property
    def runs(self) -> bool:
        return self.release + SHARES[Process.COMMAND].total <= self.allowed

    @property
    def fits(self) -> bool:
        return self.deploy <= self.allowed

    def __str__(self) -> str:
        needs = f"The database allows {self.allowed} connections. One release holds up to {self.release}, a deploy with two of them {self.deploy}"
        if self.fits:
            return f"{needs}: that fits."
        consequence = "pages fail while two run" if self.runs else "pages fail under load"
        return f"{needs}: {consequence}. Lower WEB_CONCURRENCY or DATABASE_POOL, or take a larger database."


def room(app: Flask) -> Room:
    """Asks the server. Raises SQLAlchemyError."""
    with app.app_context():
        allowed = db.session.scalar(FREE_FOR_US)
        db.session.rollback()
    return Room(int(allowed or 0), of_one_release(app))


def look(app: Flask) -> None:
    """Says in the log, at the start, when the server has too little room; goes on, also without the server."""
    try:
        found = room(app)
    except SQLAlchemyError as error:
        log.warning("connections.unknown", error=type(error).__name__)
        return
    if not found.fits:
        log.warning("connections.too_few", sentence=str(found), allowed=found.allowed, needed=found.deploy)


def free() -> int:
    """How many more connections the server would give this role in this database now. Raises SQLAlchemyError."""
    return int(db.session.scalar(FREE_NOW) or 0)
