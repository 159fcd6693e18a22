"""The portal watches itself: what is beyond its promise is told to staff once, and once when it is over."""

from collections.abc import Sequence

import structlog
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert

from portal import clock
from portal.access.tenancy import people_scope
from portal.extensions import db
from portal.logs import after_commit
from portal.mail import outbox
from portal.models import Alarm, HealthState, MailKind, User
from portal.operating import history
from portal.operating.check import Result, look_at
from portal.operating.ready import READY, STATEMENT_SECONDS

log = structlog.get_logger(__name__)
# Readings, a minute apart. Wrong twice is no restart of a process; right five times is no flicker.
BEGINS_AFTER, ENDS_AFTER = 2, 5
PAGE = "/staff/health"


def watch() -> bool:
    """Looks, writes down what was found, begins and ends alarms. Commits; False where somebody has just done so.

    Safe to run twice and at the same time.
    """
    if not history.is_due():
        db.session.rollback()
        return False
    db.session.rollback()
    results = look_at(READY, STATEMENT_SECONDS)
    if not history.is_due():
        db.session.rollback()
        return False
    history.record(results, clock.now())
    db.session.flush()
    judge(results)
    db.session.commit()
    return True


def judge(results: Sequence[Result]) -> None:
    """By the last readings, these among them. The caller commits."""
    states = history.last_states(ENDS_AFTER)
    begun = [one for one in results if _all(states[one.check.name], BEGINS_AFTER, HealthState.WRONG)]
    over = [
        one.check.name
        for one in results
        if _all(states[one.check.name], ENDS_AFTER, HealthState.OK, HealthState.LOOK)
    ]
    _tell_begun([alarm for alarm in map(_begin, begun) if alarm is not None])
    _tell_over(_end(over))


def open_ones() -> Sequence[Alarm]:
    """Those that are not over, oldest first."""
    return db.session.scalars(select(Alarm).where(Alarm.ended_at.is_(None)).order_by(Alarm.id)).all()


def lately(days: int = 30, most: int = 50) -> Sequence[Alarm]:
    """The newest, newest first."""
    since = func.now() - text(f"interval '{days} days'")
    query = select(Alarm).where(Alarm.begun_at > since).order_by(Alarm.id.desc()).limit(most)
    return db.session.scalars(query).all()


def _all(states: Sequence[HealthState], number: int, *wanted: HealthState) -> bool:
    last = states[:number]
    return len(last) == number and all(state in wanted for state in last)


def _begin(result: Result) -> Alarm | None:
    found = result.finding
    statement = insert(Alarm).values(
        name=result.check.name, title=result.check.title, sentence=found.sentence, mend=found.mend
    )
    alarm_id = db.session.scalar(statement.on_conflict_do_nothing().returning(Alarm.id))
    return None if alarm_id is None else db.session.get_one(Alarm, alarm_id)


def _end(names: Sequence[str]) -> list[Alarm]:
    over = [alarm for alarm in open_ones() if alarm.name in names]
    for alarm in over:
        alarm.ended_at = clock.now()
    return over


def _tell_begun(begun: Sequence[Alarm]) -> None:
    if not begun:
        return
    for alarm in begun:
        after_commit.say("alarm.begun", check=alarm.name, alarm_id=alarm.id, sentence=alarm.sentence)
    items = [f"{alarm.title}: {alarm.sentence} {alarm.mend}" for alarm in begun]
    _mail(MailKind.ALARM_BEGUN, f"alarm/{begun[0].id}", items)


def _tell_over(over: Sequence[Alarm]) -> None:
    if not over:
        return
    for alarm in over:
        after_commit.say("alarm.ended", check=alarm.name, alarm_id=alarm.id)
    _mail(MailKind.ALARM_OVER, f"alarm/{over[0].id}/over", [alarm.title for alarm in over])


def _mail(kind: MailKind, cause: str, items: list[str]) -> None:
    """One to each of staff."""
    db.session.flush()
    with people_scope():
        people = db.session.execute(
            select(User.id, User.email).where(User.is_staff, User.disabled_at.is_(None)).order_by(User.id)
        ).all()
        for person in people:
            try:
                outbox.write(
                    kind, to=person.email, user_id=person.id, cause=cause, items=items, page_path=PAGE
                )
            except outbox.BadAddress:
                log.warning("alarm.bad_address", user_id=person.id)
