"""The tries of deliveries as rows: written before anything is sent, closed by what was seen."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import AttemptOutcome
from portal.reconcile.sent_writes import Tries, Try
from portal.reconcile.timing import MAY_LAND
from portal.reconcile.work import Work

CLEARED = "null"


@dataclass
class Attempt:
    """One row; `id` is None until it is inserted. The delivery is locked, so nobody else changes it."""

    delivery_id: int
    wish_version: int
    wish_paid_on: date | None
    outcome: str
    started_at: datetime
    id: int | None = None
    wrote: str | None = None
    seen_before: date | None = None
    seen_after: date | None = None
    error: str | None = None
    calls: int = 0
    may_land_until: datetime | None = None
    finished_at: datetime | None = None

    def as_try(self, now: datetime) -> Try:
        """As the rules see a write; one that is too old to arrive counts as closed."""
        assert self.id is not None
        wrote = None if self.wrote in (None, CLEARED) else date.fromisoformat(self.wrote or "")
        is_open = self.may_land_until is not None and self.may_land_until > now
        return Try(self.id, wrote, self.outcome, is_open, self.finished_at)


_COLUMNS = tuple(Attempt.__dataclass_fields__)
_FIELDS = ", ".join(f"a.{name}" for name in _COLUMNS)
_TYPED = """jsonb_to_recordset(CAST(:rows AS jsonb)) AS n (id bigint, delivery_id bigint, wish_version int,
    wish_paid_on date, outcome text, started_at timestamptz, wrote text, seen_before date, seen_after date, error text,
    calls int, may_land_until timestamptz, finished_at timestamptz)"""
_NEW = ", ".join(name for name in _COLUMNS if name != "id")
_OF_DELIVERIES = bindparam("ids", type_=ARRAY(BigInteger))

# The clock is asked beside them, once their deliveries are locked.
WRITES = text(f"""
    SELECT now.at, {_FIELDS} FROM (SELECT clock_timestamp() AS at) AS now
    LEFT JOIN delivery_attempt a
        ON a.tenant_id = :tenant_id AND a.delivery_id = ANY(:ids) AND a.wrote IS NOT NULL
    ORDER BY a.id""").bindparams(_OF_DELIVERIES)

LAST = text(f"""
    SELECT {_FIELDS} FROM delivery_attempt a
    WHERE a.tenant_id = :tenant_id AND a.delivery_id = :delivery_id ORDER BY a.id DESC LIMIT 1""")

INSERT = text(f"""
    INSERT INTO delivery_attempt (tenant_id, {_NEW})
    SELECT :tenant_id, {_NEW} FROM {_TYPED} ORDER BY n.delivery_id RETURNING delivery_id, id""")

UPDATE = text(f"""
    UPDATE delivery_attempt a SET outcome = n.outcome, seen_before = n.seen_before, seen_after = n.seen_after,
        error = n.error, calls = n.calls, may_land_until = n.may_land_until, finished_at = n.finished_at
    FROM {_TYPED} WHERE a.tenant_id = :tenant_id AND a.id = n.id""")


def writes_of(delivery_ids: Sequence[int]) -> tuple[datetime, dict[int, list[Attempt]]]:
    """The database's clock, and all writes of these deliveries, oldest first. The deliveries are locked."""
    rows = db.session.execute(WRITES, {"tenant_id": current_tenant_id(), "ids": list(delivery_ids)}).all()
    found: dict[int, list[Attempt]] = {}
    for row in rows:
        if row.id is not None:
            found.setdefault(row.delivery_id, []).append(_of(row))
    return rows[0].at, found


def _of(row: Any) -> Attempt:
    return Attempt(**{name: getattr(row, name) for name in _COLUMNS})


def take_over(tries: Tries, rows: Sequence[Attempt], now: datetime) -> list[Attempt]:
    """Puts into the rows what became of these writes; those that changed."""
    row_of, changed = {row.id: row for row in rows}, []
    for one in tries:
        row = row_of[one.id]
        if one != row.as_try(now):
            row.outcome, row.finished_at = one.outcome, one.finished_at
            row.may_land_until = (row.may_land_until or now + MAY_LAND) if one.is_open else None
            changed.append(row)
    return changed


def begin(works: Sequence[Work], now: datetime) -> list[Attempt]:
    """The rows that say what is about to be sent, inserted."""
    begun = [_begun(work, now) for work in works]
    insert(begun)
    return begun


def _begun(work: Work, now: datetime) -> Attempt:
    assert work.decision is not None
    wrote = CLEARED if work.decision.paid_on is None else work.decision.paid_on.isoformat()
    return replace(_new(work, AttemptOutcome.STARTED, now), wrote=wrote, may_land_until=now + MAY_LAND)


def described(
    work: Work, begun: Attempt | None, outcome: AttemptOutcome, now: datetime, error: str | None = None
) -> Attempt:
    """The row with what was seen and said during the try; one that sent nothing gets its row here."""
    attempt = begun or _repeated(work, outcome, error) or _new(work, outcome, now)
    attempt.outcome = attempt.outcome if begun is not None else outcome
    attempt.finished_at, attempt.error = now, error
    attempt.calls += work.calls
    attempt.seen_before = work.read.paid_on if work.read else attempt.seen_before
    attempt.seen_after = work.read_back.paid_on if work.read_back else None
    return attempt


def insert(rows: Sequence[Attempt]) -> None:
    """One row a delivery; they learn their ids."""
    if rows:
        ids = {row.delivery_id: row.id for row in db.session.execute(INSERT, _values(rows))}
        for row in rows:
            row.id = ids[row.delivery_id]


def update(rows: Sequence[Attempt]) -> None:
    if rows:
        db.session.execute(UPDATE, _values(rows))


def _values(rows: Sequence[Attempt]) -> dict[str, Any]:
    return {
        "tenant_id": current_tenant_id(),
        "rows": json.dumps([vars(row) for row in rows], default=str),
    }


def shown(paid_on: date | None) -> str | None:
    """A paid date as exceptions keep it."""
    return paid_on.isoformat() if paid_on else None


def _repeated(work: Work, outcome: AttemptOutcome, error: str | None) -> Attempt | None:
    """The last try, when this one met the same failure: hours of outage are one line, not hundreds."""
    if error is None:
        return None
    values = {"tenant_id": current_tenant_id(), "delivery_id": work.claim.delivery_id}
    last = db.session.execute(LAST, values).first()
    if last is None or last.wrote is not None:
        return None
    same = (last.outcome, last.error, last.wish_version) == (outcome, error, work.claim.version)
    return _of(last) if same else None


def _new(work: Work, outcome: AttemptOutcome, now: datetime) -> Attempt:
    return Attempt(
        delivery_id=work.claim.delivery_id,
        wish_version=work.claim.version,
        wish_paid_on=work.claim.wish_paid_on,
        outcome=outcome,
        started_at=work.read.started_at if work.read else now,
        seen_before=work.read.paid_on if work.read else None,
    )
