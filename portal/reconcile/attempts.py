"""The tries of a delivery as rows: written before anything is sent, closed by what was seen."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import select

from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import AttemptOutcome, DeliveryAttempt
from portal.reconcile.sent_writes import Tries, Try
from portal.reconcile.timing import MAY_LAND
from portal.reconcile.work import Work

CLEARED = "null"


def writes_of(delivery_id: int) -> Sequence[DeliveryAttempt]:
    """All writes of a delivery, oldest first."""
    return db.session.scalars(
        scoped(DeliveryAttempt)
        .where(DeliveryAttempt.delivery_id == delivery_id, DeliveryAttempt.wrote.is_not(None))
        .order_by(DeliveryAttempt.id)
        .execution_options(populate_existing=True)
    ).all()


def as_tries(rows: Sequence[DeliveryAttempt], now: datetime) -> Tries:
    """The writes as the rules see them; those too old to arrive count as closed."""
    return tuple(_as_try(row, now) for row in rows)


def save(tries: Tries, rows: Sequence[DeliveryAttempt], now: datetime) -> None:
    """Writes what became of these writes."""
    row_of = {row.id: row for row in rows}
    for one in tries:
        row = row_of[one.id]
        if one != _as_try(row, now):
            row.outcome, row.finished_at = one.outcome, one.finished_at
            row.may_land_until = (row.may_land_until or now + MAY_LAND) if one.is_open else None
    db.session.flush()


def begin(work: Work, now: datetime) -> DeliveryAttempt:
    """The row that says what is about to be sent."""
    assert work.decision is not None
    attempt = _new(work, AttemptOutcome.STARTED, now)
    attempt.wrote = CLEARED if work.decision.paid_on is None else work.decision.paid_on.isoformat()
    attempt.may_land_until = now + MAY_LAND
    db.session.add(attempt)
    db.session.flush()
    return attempt


def describe(work: Work, outcome: AttemptOutcome, now: datetime, error: str | None = None) -> None:
    """What was seen and said during the try; one that sent nothing gets its row here."""
    attempt = _begun(work) or _repeated(work, outcome, error) or _new(work, outcome, now)
    attempt.outcome = attempt.outcome if work.attempt_id is not None else outcome
    attempt.finished_at, attempt.error = now, error
    attempt.calls = (attempt.calls or 0) + work.calls
    attempt.seen_before = work.read.paid_on if work.read else attempt.seen_before
    attempt.seen_after = work.read_back.paid_on if work.read_back else None
    db.session.add(attempt)
    db.session.flush()


def shown(paid_on: date | None) -> str | None:
    """A paid date as exceptions keep it."""
    return paid_on.isoformat() if paid_on else None


def _as_try(row: DeliveryAttempt, now: datetime) -> Try:
    wrote = None if row.wrote in (None, CLEARED) else date.fromisoformat(row.wrote or "")
    one = Try(row.id, wrote, row.outcome, row.may_land_until is not None, row.finished_at)
    too_old = row.may_land_until is not None and row.may_land_until <= now
    return replace(one, is_open=False) if too_old else one


def _begun(work: Work) -> DeliveryAttempt | None:
    if work.attempt_id is None:
        return None
    return db.session.get_one(DeliveryAttempt, (current_tenant_id(), work.attempt_id))


def _repeated(work: Work, outcome: AttemptOutcome, error: str | None) -> DeliveryAttempt | None:
    """The last try, when this one met the same failure: hours of outage are one line, not hundreds."""
    last = db.session.scalar(
        select(DeliveryAttempt)
        .where(
            DeliveryAttempt.tenant_id == current_tenant_id(),
            DeliveryAttempt.delivery_id == work.claim.delivery_id,
        )
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
