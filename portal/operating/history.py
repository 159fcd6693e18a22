"""What the checks found, minute by minute: rows for the staff's page and for alarms."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, text

from portal import clock
from portal.extensions import db
from portal.models import HealthReading, HealthState
from portal.operating.check import Result

HOUR = timedelta(hours=1)
# Two pollers do not write the same minute twice.
APART = timedelta(seconds=50)
ONE_AT_A_TIME = text("SELECT pg_try_advisory_xact_lock(8301)")
# The worst that a check was in a minute is what is drawn.
WORST_FIRST = (HealthState.WRONG, HealthState.UNKNOWN, HealthState.LOOK, HealthState.OK)


# The poller looks once a minute and does the looking itself: a longer silence means that it was away.
SILENT_AFTER = timedelta(minutes=2)


@dataclass(frozen=True)
class Minute:
    """`state` is None where no look fell into it; `is_unwatched` where it lies in a silence, which is an outage too."""

    at: datetime
    state: HealthState | None
    is_unwatched: bool = False


def is_due() -> bool:
    """True for one caller a minute, who then holds a lock until its transaction ends."""
    if not db.session.scalar(ONE_AT_A_TIME):
        return False
    last = db.session.scalar(select(func.max(HealthReading.at)))
    return last is None or last <= clock.now() - APART


def record(results: Sequence[Result], at: datetime) -> None:
    """The caller commits."""
    db.session.add_all(
        HealthReading(at=at, name=one.check.name, state=one.finding.state, number=one.finding.number)
        for one in results
    )


def last_states(most: int) -> dict[str, list[HealthState]]:
    """By check, its newest states, newest first."""
    moments = select(HealthReading.at).distinct().order_by(HealthReading.at.desc()).limit(most).subquery()
    rows = db.session.execute(
        select(HealthReading.name, HealthReading.state)
        .where(HealthReading.at.in_(select(moments.c.at)))
        .order_by(HealthReading.at.desc(), HealthReading.id)
    )
    found: dict[str, list[HealthState]] = defaultdict(list)
    for name, state in rows:
        found[name].append(HealthState(state))
    return found


def last_hour(now: datetime, names: Sequence[str]) -> dict[str, list[Minute]]:
    """By check, sixty minutes, oldest first."""
    begin = now.replace(second=0, microsecond=0) - HOUR + timedelta(minutes=1)
    rows = db.session.execute(
        select(HealthReading.name, HealthReading.at, HealthReading.state).where(HealthReading.at >= begin)
    ).all()
    states: dict[str, dict[int, HealthState]] = defaultdict(dict)
    for name, at, said in rows:
        minute, state = int((at - begin).total_seconds() // 60), HealthState(said)
        states[name][minute] = min(states[name].get(minute, state), state, key=WORST_FIRST.index)
    before = db.session.scalar(select(func.max(HealthReading.at)).where(HealthReading.at < begin))
    looks = sorted({row.at for row in rows} | ({before} if before else set()))
    minutes = [begin + timedelta(minutes=number) for number in range(60)]
    silent = [_is_silent(at, looks, now) for at in minutes]
    return {
        name: [Minute(at, states[name].get(number), silent[number]) for number, at in enumerate(minutes)]
        for name in names
    }


def _is_silent(minute: datetime, looks: Sequence[datetime], now: datetime) -> bool:
    """Whether this whole minute lies in a silence. There is none before the first look of all."""
    end = minute + timedelta(minutes=1)
    last = max((at for at in looks if at < end), default=None)
    if last is None or last >= minute or end > now:
        return False
    following = min((at for at in looks if at >= end), default=now)
    return following - last > SILENT_AFTER
