"""Deliveries under their locks, any number at a time: read in two statements, written back in at most three."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.logs import after_commit
from portal.models import AttemptOutcome, DeliveryState
from portal.reconcile import attempts, when_to_compare
from portal.reconcile.attempts import Attempt
from portal.reconcile.decide import Known
from portal.reconcile.delivery_row import Row
from portal.reconcile.mirror import GIVEN
from portal.reconcile.transitions import Held
from portal.reconcile.work import Work

ENDS = (DeliveryState.CONFIRMED, DeliveryState.PARKED)
COLUMNS = tuple(one.name for one in fields(Row))
_STATE = "CASE WHEN d.closed_at IS NULL THEN d.state ELSE 'closed' END AS state"
_READ = ", ".join(_STATE if name == "state" else f"d.{name}" for name in COLUMNS)

# In the order of their invoices, as the ledger writes them. Who also locks invoices does that before.
LOCK = text(f"""
    SELECT d.id, d.invoice_id, d.wished_at, {_READ}, i.autotask_id, i.total_raw, i.tax_raw, i.is_voided,
        {GIVEN} AS is_given, i.voided_by_source
    FROM delivery d JOIN invoice i ON i.tenant_id = d.tenant_id AND i.id = d.invoice_id
    WHERE d.tenant_id = :tenant_id AND d.id = ANY(:ids)
    ORDER BY d.invoice_id FOR UPDATE OF d""").bindparams(bindparam("ids", type_=ARRAY(BigInteger)))

# A closed delivery stays closed only where its state stays.
SAVE = text(f"""
    UPDATE delivery d SET {", ".join(f"{name} = n.{name}" for name in COLUMNS if name != "state")},
        state = CASE WHEN n.state = 'closed' THEN d.state ELSE n.state END,
        closed_at = CASE WHEN n.state = 'closed' THEN d.closed_at END,
        look_at = CASE WHEN n.is_planned THEN n.look_at ELSE d.look_at END
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS n (id bigint, wish_paid_on date, wish_version int,
        done_version int, our_mark_on date, shown_on date, state text, attempts int, next_try_at timestamptz,
        lease_token text, lease_until timestamptz, error_kind text, error text, sent_at timestamptz,
        confirmed_at timestamptz, is_planned boolean, look_at timestamptz)
    WHERE d.tenant_id = :tenant_id AND d.id = n.id""")


@dataclass
class Locked:
    """A delivery that is locked: `before` as it was read, `held` as the rules see it or have made it."""

    id: int
    invoice_id: int
    autotask_id: int
    known: Known
    wished_at: datetime
    before: Row
    held: Held
    writes: list[Attempt]
    changed: list[Attempt] = field(default_factory=list)
    is_planned: bool = False
    look_at: datetime | None = None

    @property
    def row(self) -> Row:
        return self.held.row


@dataclass
class Locks:
    """Locked deliveries by id, and the database's time once all of them were locked."""

    now: datetime
    of: dict[int, Locked]

    def keep(self, one: Locked, held: Held) -> None:
        """What the rules made of it, for save()."""
        one.held = held
        one.changed += attempts.take_over(held.tries, one.writes, self.now)

    def describe(self, one: Locked, work: Work, outcome: AttemptOutcome, error: str | None = None) -> None:
        """The history's line of this try, for save()."""
        begun = next((row for row in one.writes if row.id == work.attempt_id), None)
        one.changed.append(attempts.described(work, begun, outcome, self.now, error))

    def plan(self, one: Locked) -> None:
        """When the sweep looks next, for save()."""
        one.is_planned = True
        one.look_at = when_to_compare.planned(one.row, one.wished_at, one.writes, self.now)

    def save(self) -> None:
        """Writes what changed. The caller commits."""
        said = {id(row): row for one in self.of.values() for row in one.changed}.values()
        attempts.insert([row for row in said if row.id is None])
        attempts.update([row for row in said if row.id is not None])
        rows = [one for one in self.of.values() if one.row != one.before or one.is_planned]
        if rows:
            values = json.dumps([_values(one) for one in rows], default=str)
            db.session.execute(SAVE, {"tenant_id": current_tenant_id(), "rows": values})
        for one in rows:
            _tell(one)


def lock(delivery_ids: Sequence[int]) -> Locks:
    """Locks these deliveries until the transaction ends."""
    values = {"tenant_id": current_tenant_id(), "ids": list(delivery_ids)}
    rows = db.session.execute(LOCK, values).all()
    now, writes = attempts.writes_of(delivery_ids)
    return Locks(now, {row.id: _locked(row, writes.get(row.id, []), now) for row in rows})


def _locked(found: Any, writes: list[Attempt], now: datetime) -> Locked:
    row = Row(**{name: getattr(found, name) for name in COLUMNS})
    return Locked(
        id=found.id,
        invoice_id=found.invoice_id,
        autotask_id=found.autotask_id,
        known=Known(found.total_raw, found.tax_raw, found.is_voided, found.is_given, found.voided_by_source),
        wished_at=found.wished_at,
        before=row,
        held=Held(row, tuple(one.as_try(now) for one in writes)),
        writes=writes,
    )


def _values(one: Locked) -> dict[str, Any]:
    return {"id": one.id, **vars(one.row), "is_planned": one.is_planned, "look_at": one.look_at}


def _tell(one: Locked) -> None:
    if one.row.state == one.before.state or one.row.state not in ENDS:
        return
    after_commit.say(
        f"delivery.{one.row.state}",
        delivery_id=one.id,
        invoice_id=one.invoice_id,
        wish_version=one.row.wish_version,
        error_kind=one.row.error_kind,
    )
