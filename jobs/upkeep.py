"""Regular duties: begun by whoever comes first, the poller or a bell, and never by two at a time.

PostgreSQL remembers when each was last done. One that was begun and never ended is begun again after its patience.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert

from portal import retention, storage
from portal.extensions import db
from portal.ledger import kept_sums
from portal.models import Upkeep
from portal.sync import due_runs

log = structlog.get_logger(__name__)
PATIENCE = timedelta(minutes=15)


@dataclass(frozen=True)
class Duty:
    """`work` commits, can run twice, and tells by False that it did not get to its end."""

    name: str
    every: timedelta
    work: Callable[[], object]


DUTIES = (
    Duty("schedules", timedelta(hours=1), due_runs.keep_up),
    Duty("sums", timedelta(minutes=10), kept_sums.fold_everywhere),
    Duty("retention", timedelta(days=1), retention.forget_everywhere),
    Duty("dropped files", timedelta(hours=1), storage.remove_dropped),
)


def do_due(duties: tuple[Duty, ...] = DUTIES) -> list[str]:
    """Does what is due and free; the names of what was done to its end."""
    done = []
    for duty in duties:
        if begin(duty) and duty.work() is not False:
            end(duty)
            done.append(duty.name)
    return done


def begin(duty: Duty) -> bool:
    """True for one caller only: the row is its own until PATIENCE is over. Commits."""
    db.session.execute(insert(Upkeep).values(name=duty.name).on_conflict_do_nothing())
    now = func.clock_timestamp()
    taken = db.session.scalar(
        update(Upkeep)
        .where(
            Upkeep.name == duty.name, Upkeep.done_at <= now - duty.every, Upkeep.begun_at <= now - PATIENCE
        )
        .values(begun_at=now)
        .returning(Upkeep.name)
    )
    db.session.commit()
    return taken is not None


def end(duty: Duty) -> None:
    db.session.execute(update(Upkeep).where(Upkeep.name == duty.name).values(done_at=func.clock_timestamp()))
    db.session.commit()
    log.info("upkeep.done", duty=duty.name)
