"""The tries of a delivery, as rows: written before anything is sent, closed by what was seen."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import select

from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import AttemptOutcome, DeliveryAttempt
from portal.reconcile.decide import Reading
from portal.reconcile.protocol import MAY_LAND, Try, landed
from portal.reconcile.steps import Work

CLEARED = "null"


def begin(work: Work, now: datetime) -> int:
    """The row that says what is about to be sent."""
    assert work.decision is not None
    attempt = _new(work, AttemptOutcome.STARTED, now)
    attempt.wrote = value_of(work.decision.paid_on)
    attempt.may_land_until = now + MAY_LAND
    db.session.add(attempt)
    db.session.flush()
    return attempt.id


def end(
    work: Work, outcome: AttemptOutcome, now: datetime, error: str | None = None, *, watched: bool = False
) -> None:
    """Closes the try, with a row of its own where nothing was sent. `watched`: its write may still arrive."""
    attempt = _begun(work) or _repeated(work, outcome, error) or _new(work, outcome, now)
    attempt.outcome, attempt.finished_at, attempt.error = outcome, now, error
    attempt.calls = (attempt.calls or 0) + work.calls
    attempt.seen_before = work.read.paid_on if work.read else attempt.seen_before
    attempt.seen_after = work.read_back.paid_on if work.read_back else None
    attempt.may_land_until = now + MAY_LAND if watched and attempt.wrote is not None else None
    db.session.add(attempt)
    db.session.flush()


def strays(delivery_id: int, now: datetime) -> frozenset[date | None]:
    """Values that earlier writes of ours may still bring to Autotask, or have brought unseen."""
    rows = db.session.scalars(
        select(DeliveryAttempt.wrote).where(
            DeliveryAttempt.tenant_id == current_tenant_id(),
            DeliveryAttempt.delivery_id == delivery_id,
            DeliveryAttempt.may_land_until > now,
        )
    )
    return frozenset(read_value(wrote) for wrote in rows if wrote is not None)


def close_landed(delivery_id: int, read: Reading, now: datetime, *, acted: bool) -> None:
    """Stops watching the tries that `read` accounts for, and those too old to arrive."""
    rows = db.session.scalars(
        scoped(DeliveryAttempt)
        .where(DeliveryAttempt.delivery_id == delivery_id, DeliveryAttempt.wrote.is_not(None))
        .order_by(DeliveryAttempt.id)
    ).all()
    tries = [_as_try(row, read) for row in rows]
    done = set(landed(tries, read.paid_on, acted=acted))
    for row in rows:
        if row.id in done or (row.may_land_until is not None and row.may_land_until <= now):
            row.may_land_until = None
            row.outcome = AttemptOutcome.UNKNOWN if row.outcome == AttemptOutcome.STARTED else row.outcome
    db.session.flush()


def _as_try(row: DeliveryAttempt, read: Reading) -> Try:
    answered = row.outcome == AttemptOutcome.OVERTAKEN and row.finished_at is not None
    return Try(
        id=row.id,
        wrote=read_value(row.wrote or CLEARED),
        is_open=row.may_land_until is not None,
        was_overtaken=bool(answered and row.finished_at < read.started_at),  # type: ignore[operator]
    )


def open_tries() -> Sequence[DeliveryAttempt]:
    """This partner's tries whose write may still arrive unseen, oldest first."""
    return db.session.scalars(
        scoped(DeliveryAttempt)
        .where(DeliveryAttempt.may_land_until.is_not(None))
        .order_by(DeliveryAttempt.id)
    ).all()


def value_of(paid_on: date | None) -> str:
    return CLEARED if paid_on is None else paid_on.isoformat()


def read_value(wrote: str) -> date | None:
    return None if wrote == CLEARED else date.fromisoformat(wrote)


def _begun(work: Work) -> DeliveryAttempt | None:
    if work.attempt_id is None:
        return None
    return db.session.get_one(DeliveryAttempt, (current_tenant_id(), work.attempt_id), populate_existing=True)


def _repeated(work: Work, outcome: AttemptOutcome, error: str | None) -> DeliveryAttempt | None:
    """The last try, when this one met the same trouble: hours of outage are one line, not hundreds."""
    last = db.session.scalar(
        scoped(DeliveryAttempt)
        .where(DeliveryAttempt.delivery_id == work.claim.delivery_id)
        .order_by(DeliveryAttempt.id.desc())
        .limit(1)
    )
    if last is None or error is None or last.wrote is not None:
        return None
    same = (last.outcome, last.error, last.wish_version) == (outcome, error, work.claim.version)
    return last if same else None


def _new(work: Work, outcome: AttemptOutcome, now: datetime) -> DeliveryAttempt:
    return DeliveryAttempt(
        tenant_id=current_tenant_id(),
        delivery_id=work.claim.delivery_id,
        wish_version=work.claim.version,
        wish_paid_on=work.claim.wish_paid_on,
        outcome=outcome,
        started_at=work.read.started_at if work.read else now,
        seen_before=work.read.paid_on if work.read else None,
        calls=0,
    )


def shown(paid_on: date | None) -> str | None:
    """A paid date as exceptions keep it."""
    return paid_on.isoformat() if paid_on else None
