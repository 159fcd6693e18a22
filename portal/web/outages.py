"""What people see while PostgreSQL is away, full or read-only: 503 in words, drawn without it, and one log line."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import psycopg
import structlog
from flask import Flask, Response, g, request
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from portal.extensions import db
from portal.web import error_pages, outermost
from portal.web.error_pages import Words


class Outage(StrEnum):
    AWAY = "database.away"
    BUSY = "database.busy"
    READ_ONLY = "database.read_only"


LOOK_FIRST = "If you were saving something, look whether it is there before you send it again."
WORDS = {
    Outage.AWAY: Words(
        "The portal cannot reach its data",
        "Its database does not answer right now. What was recorded before is safe.",
        f"Try again in a minute. {LOOK_FIRST}",
    ),
    Outage.BUSY: Words(
        "This took too long",
        "The database had too much to do to answer in time.",
        f"Try again in a minute. {LOOK_FIRST}",
    ),
    Outage.READ_ONLY: Words(
        "Nothing can be saved at the moment",
        "The database takes no changes right now, so this was not saved, nobody can log in, and no file is handed "
        "out, because that is written down first. Whoever is logged in can still look at every page.",
        "Try again later. If it stays like this, tell support.",
    ),
}
VISITS_WAIT = "What support looks at is written down first, and the database takes no changes right now."
RETRY_AFTER = {Outage.AWAY: 10, Outage.BUSY: 10, Outage.READ_ONLY: 300}
READ_ONLY_STATE = "25006"
# Cancelled by its time limit, deadlock, a serial order that was not to be had, a lock that did not come free.
BUSY_STATES = {"57014", "40P01", "40001", "55P03"}

log = structlog.get_logger(__name__)


def register(app: Flask) -> None:
    app.register_error_handler(SQLAlchemyError, answer)
    app.register_error_handler(psycopg.Error, answer)
    app.teardown_request(_let_go)


def outage_of(error: BaseException) -> Outage | None:
    """What is the matter with the database, or None where the statement is at fault."""
    driver = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(driver, "sqlstate", None)
    if state == READ_ONLY_STATE:
        return Outage.READ_ONLY
    if state in BUSY_STATES:
        return Outage.BUSY
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    if lost or isinstance(driver, NoFreeConnection | psycopg.OperationalError | psycopg.InterfaceError):
        return Outage.AWAY
    return None


def answer(error: Exception) -> Response:
    """503 with the reference of its log line. Other errors of the database go on as faults of ours."""
    outage = outage_of(error)
    if outage is None:
        raise error
    log.error(outage, method=request.method, endpoint=request.endpoint, exc_info=error)
    request.environ[outermost.FAULT_WRITTEN] = True
    words = WORDS[outage]
    if outage is Outage.READ_ONLY and g.get("support_visit") is not None:
        words = words._replace(what=VISITS_WAIT)
    response = error_pages.answer(503, words)
    response.headers["Retry-After"] = str(RETRY_AFTER[outage])
    response.headers["Cache-Control"] = "no-store"
    return response


def commit_unless_read_only() -> None:
    """Commits what reading can do without."""
    unless_read_only(db.session.commit)


def unless_read_only(write: Callable[[], Any]) -> Any:
    """Does what reading can do without; a database that takes no changes leaves it undone, and answers None."""
    try:
        return write()
    except DBAPIError as error:
        db.session.rollback()
        if outage_of(error) is not Outage.READ_ONLY:
            raise
        return None


def _let_go(_: BaseException | None) -> None:
    """A connection that died under the request must not turn its finished answer into a fault."""
    if not db.session.registry.has():
        return
    try:
        db.session.rollback()
    except (DBAPIError, psycopg.Error):
        db.session().invalidate()
