"""Deliveries in PostgreSQL: the protocol's transitions, each under the row's lock in a short transaction.

All times are the database's: the clocks of workers are never compared.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select

from portal import ledger
from portal.access.tenancy import current_tenant_id, scoped
from portal.database import outside_transaction
from portal.extensions import db
from portal.logs import after_commit
from portal.models import AttemptOutcome, Delivery, DeliveryAttempt, DeliveryState, Invoice
from portal.reconcile import attempts, delivery_row, findings, mirror, timing, transitions, when_to_compare
from portal.reconcile.clearing import NOT_CLEARED_BY_PATCH
from portal.reconcile.decide import Known
from portal.reconcile.delivery_row import Row
from portal.reconcile.failures import SHARED, Failure
from portal.reconcile.transitions import Held
from portal.reconcile.work import Claim, Work

ENDS = (DeliveryState.CONFIRMED, DeliveryState.PARKED)
COLUMNS = tuple(field.name for field in fields(Row))
CHANGED = Failure("changed", "The invoice was changed in Autotask. The portal looks again.")


class SqlStore:
    """The current tenant's deliveries. Every method commits."""

    def now(self) -> datetime:
        """The database's clock, by a single statement."""
        [(moment,)] = outside_transaction.run(current_tenant_id(), "SELECT clock_timestamp()")
        return moment

    def claim(self, only_id: int | None = None) -> Claim | None:
        """K1: the delivery that is due longest, new ones before those that failed before; None if none is."""
        found = db.session.execute(_due(func.clock_timestamp(), only_id)).first()
        if found is None:
            db.session.commit()
            return None
        delivery, now = found
        token = secrets.token_hex(8)
        apply(delivery, delivery_row.claimed(row_of(delivery), token, now))
        claim = _claim_of(delivery, token, now)
        db.session.commit()
        return claim

    def begin(self, work: Work) -> int | None:
        """K3 and K4: the attempt's id, or None when it is no longer ours or the wish has changed."""
        loaded = _locked(work)
        if not transitions.may_begin(loaded.held, work, loaded.now):
            db.session.commit()
            return None
        attempt = attempts.begin(work, loaded.now)
        loaded = replace(loaded, writes=[*loaded.writes, attempt])
        keep(loaded, transitions.begin(loaded.held, work, attempt.id, loaded.now))
        if work.attempt_id is not None:
            said = work.refused_with or NOT_CLEARED_BY_PATCH
            attempts.describe(work, AttemptOutcome.REFUSED, loaded.now, said)
        db.session.commit()
        return attempt.id

    def settle(self, work: Work) -> None:
        """K6: what was read back is kept, and counts as done for the version that was carried."""
        invoice = mirror.lock(work.claim.invoice_id)
        loaded = _locked(work)
        said = None if loaded.delivery.lease_token == work.claim.token else OVERTAKEN
        keep(loaded, transitions.settle(loaded.held, work, loaded.now))
        attempts.describe(work, AttemptOutcome.NOTHING_TO_DO, loaded.now, said)
        mirror.write(invoice, work.read_back or work.read)
        findings.close(loaded.delivery, invoice)
        findings.tell_moved(work, invoice)
        _finish(loaded, invoice)

    def learn(self, work: Work) -> None:
        """Autotask's own values moved: they come first, the wish that follows from them is looked at anew."""
        invoice = mirror.lock(work.claim.invoice_id)
        loaded = _locked(work)
        if mirror.write(invoice, work.read):
            keep(loaded, transitions.release(loaded.held, work, loaded.now))
        else:
            keep(loaded, transitions.fail(loaded.held, replace(work, failure=CHANGED), loaded.now))
        _finish(loaded, invoice)

    def fail(self, work: Work) -> None:
        """The try did not end well: what was read is kept, it waits or is parked as an exception."""
        invoice = mirror.lock(work.claim.invoice_id)
        loaded = _locked(work)
        assert work.failure is not None
        keep(loaded, transitions.fail(loaded.held, work, loaded.now))
        attempts.describe(work, transitions.failed_outcome(work), loaded.now, work.failure.sentence)
        mirror.write(invoice, work.read_back or work.read)
        if loaded.delivery.state == DeliveryState.PARKED:
            findings.open_item(loaded.delivery, invoice, final=work.failure.final)
        _finish(loaded, invoice)

    def release(self, work: Work) -> None:
        """Given back: another try begins with what is wished by then."""
        loaded = _locked(work)
        keep(loaded, transitions.release(loaded.held, work, loaded.now))
        if work.attempt_id is not None:
            attempts.describe(work, AttemptOutcome.OVERTAKEN, loaded.now, GIVEN_BACK)
        db.session.commit()


GIVEN_BACK = "Given back before it was sent, because the wish changed or time ran short."
OVERTAKEN = "Another worker had taken over; the invoice is looked at again."


@dataclass(frozen=True)
class Loaded:
    """A delivery that is locked, with the rows of its writes, oldest first, and the database's time of the lock."""

    delivery: Delivery
    writes: Sequence[DeliveryAttempt]
    now: datetime

    @property
    def held(self) -> Held:
        """As the rules see it."""
        return Held(row_of(self.delivery), attempts.as_tries(self.writes, self.now))


def load(delivery: Delivery, now: datetime) -> Loaded:
    """With its writes. The caller has locked the delivery."""
    return Loaded(delivery, attempts.writes_of(delivery.id), now)


def keep(loaded: Loaded, held: Held) -> None:
    """Writes what the rules made of it. The caller commits."""
    apply(loaded.delivery, held.row)
    attempts.save(held.tries, loaded.writes, loaded.now)


def _locked(work: Work) -> Loaded:
    key = (current_tenant_id(), work.claim.delivery_id)
    delivery = db.session.get_one(Delivery, key, with_for_update=True, populate_existing=True)
    return load(delivery, clock_timestamp())


def _finish(loaded: Loaded, invoice: Invoice) -> None:
    when_to_compare.plan(loaded.delivery, loaded.now)
    ledger.restate([invoice.id])
    db.session.commit()


def clock_timestamp() -> datetime:
    """The database's clock now, inside the running transaction."""
    return db.session.execute(select(func.clock_timestamp())).scalar_one()


def _due(now: Any, only_id: int | None) -> Any:
    query = scoped(Delivery).where(timing.due(now))
    if only_id is not None:
        query = query.where(Delivery.id == only_id)
    # What failed by itself waits behind the others; while Autotask is away, the same one asks each time.
    tried = case(((Delivery.attempts > 0) & Delivery.error_kind.not_in(SHARED), 1), else_=0)
    return (
        query.add_columns(now)
        .order_by(tried, Delivery.next_try_at, Delivery.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )


def _claim_of(delivery: Delivery, token: str, now: datetime) -> Claim:
    invoice = db.session.get_one(Invoice, (delivery.tenant_id, delivery.invoice_id), populate_existing=True)
    assert invoice.autotask_id is not None
    return Claim(
        delivery_id=delivery.id,
        invoice_id=delivery.invoice_id,
        autotask_id=invoice.autotask_id,
        token=token,
        version=delivery.wish_version,
        wish_paid_on=delivery.wish_paid_on,
        marks=load(delivery, now).held.marks,
        known=Known(invoice.total_raw, invoice.tax_raw, invoice.is_voided),
    )


def row_of(delivery: Delivery) -> Row:
    return Row(**{name: getattr(delivery, name) for name in COLUMNS})


def apply(delivery: Delivery, row: Row) -> None:
    if row.state != delivery.state and row.state in ENDS:
        after_commit.say(
            f"delivery.{row.state}",
            delivery_id=delivery.id,
            invoice_id=delivery.invoice_id,
            wish_version=row.wish_version,
            error_kind=row.error_kind,
        )
    for name in COLUMNS:
        if getattr(delivery, name) != getattr(row, name):
            setattr(delivery, name, getattr(row, name))
    db.session.flush()
