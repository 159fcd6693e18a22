"""Log lines that wait for the commit of what they tell; a rollback takes them back."""

from typing import Any

import structlog
from sqlalchemy import event
from sqlalchemy.orm import Session

from portal.extensions import db

WAITING = "lines_after_commit"

log = structlog.get_logger(__name__)


def say(what: str, **ids: Any) -> None:
    """Writes one line, such as `payment.recorded`, once the session's transaction is committed."""
    db.session.info.setdefault(WAITING, []).append((what, ids))


@event.listens_for(Session, "after_commit")
def _write(session: Session) -> None:
    if session.in_nested_transaction():
        return  # a savepoint: the transaction around it can still be rolled back
    for what, ids in session.info.pop(WAITING, ()):
        log.info(what, **ids)


@event.listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    if not session.in_nested_transaction():
        session.info.pop(WAITING, None)
