"""Deliveries in PostgreSQL: the protocol's transitions, each under the row's lock in a short transaction.

All times are the database's: the clocks of workers are never compared.
"""

import secrets
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select

from portal import after_commit, ledger, outside_transaction
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import AttemptOutcome, Delivery, DeliveryState, Invoice
from portal.reconcile import attempts, delivery_row, findings, mirror, transitions, when_to_compare
from portal.reconcile.decide import Known
from portal.reconcile.delivery_row import Row
from portal.reconcile.due import is_due
from portal.reconcile.failures import SHARED
from portal.reconcile.steps import Claim, Work
from portal.reconcile.transitions import Held

ENDS = (DeliveryState.CONFIRMED, DeliveryState.PARKED)
COLUMNS = tuple(field.name for field in fields(Row))
CHANGED = delivery_row.Trouble("changed", "The invoice was changed in Autotask. The portal looks again.")


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
        delivery, now = _locked(work), clock_timestamp()
        held = held_of(delivery, now)
        if transitions.begin(held, work, 0, now) is None:
            db.session.commit()
            return None
        attempt_id = attempts.begin(work, now)
        begun = transitions.begin(held, work, attempt_id, now)
        assert begun is not None
        keep(delivery, begun, now)
        if work.attempt_id is not None:
            attempts.describe(work, AttemptOutcome.REFUSED, now, work.refused_with or NOT_CLEARED_BY_PATCH)
        db.session.commit()
        return attempt_id

    def settle(self, work: Work) -> None:
        """K6: what was read back is kept, and counts as done for the version that was carried."""
        invoice = mirror.lock(work.claim.invoice_id)
        delivery, now = _locked(work), clock_timestamp()
        said = None if delivery.lease_token == work.claim.token else OVERTAKEN
        keep(delivery, transitions.settle(held_of(delivery, now), work, now), now)
        attempts.describe(work, AttemptOutcome.NOTHING_TO_DO, now, said)
        mirror.write(invoice, work.read_back or work.read)
        findings.close(delivery, invoice)
        findings.tell_moved(work, invoice)
        self._finish(delivery, invoice, now)

    def learn(self, work: Work) -> None:
        """Autotask's own values moved: they come first, the wish that follows from them is looked at anew."""
        invoice = mirror.lock(work.claim.invoice_id)
        delivery, now = _locked(work), clock_timestamp()
        held = held_of(delivery, now)
        if mirror.write(invoice, work.read):
            keep(delivery, transitions.release(held, work, now), now)
        else:
            keep(delivery, transitions.fail(held, replace(work, trouble=CHANGED), now), now)
        self._finish(delivery, invoice, now)

    def fail(self, work: Work) -> None:
        """The try did not end well: what was read is kept, it waits or is parked as an exception."""
        invoice = mirror.lock(work.claim.invoice_id)
        delivery, now = _locked(work), clock_timestamp()
        assert work.trouble is not None
        keep(delivery, transitions.fail(held_of(delivery, now), work, now), now)
        attempts.describe(work, transitions.failed_outcome(work), now, work.trouble.sentence)
        mirror.write(invoice, work.read_back or work.read)
        if delivery.state == DeliveryState.PARKED:
            findings.open_item(delivery, invoice, final=work.trouble.final)
        self._finish(delivery, invoice, now)

    def release(self, work: Work) -> None:
        """Given back: another try begins with what is wished by then."""
        delivery, now = _locked(work), clock_timestamp()
        keep(delivery, transitions.release(held_of(delivery, now), work, now), now)
        if work.attempt_id is not None:
            attempts.describe(work, AttemptOutcome.OVERTAKEN, now, GIVEN_BACK)
        db.session.commit()

    def _finish(self, delivery: Delivery, invoice: Invoice, now: datetime) -> None:
        when_to_compare.plan(delivery, now)
        ledger.restate([invoice.id])
        db.session.commit()


NOT_CLEARED_BY_PATCH = "Autotask kept the paid date; the second way of clearing is tried."
GIVEN_BACK = "Given back before it was sent, because the wish changed or time ran short."
OVERTAKEN = "Another worker had taken over; the invoice is looked at again."


def clock_timestamp() -> datetime:
    """The database's clock now, inside the running transaction."""
    return db.session.execute(select(func.clock_timestamp())).scalar_one()


def _due(now: Any, only_id: int | None) -> Any:
    query = scoped(Delivery).where(is_due(now))
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
        marks=held_of(delivery, now).marks,
        known=Known(invoice.total_raw, invoice.tax_raw, invoice.is_voided),
    )


def _locked(work: Work) -> Delivery:
    key = (current_tenant_id(), work.claim.delivery_id)
    return db.session.get_one(Delivery, key, with_for_update=True, populate_existing=True)


def held_of(delivery: Delivery, now: datetime) -> Held:
    """The delivery as the rules see it."""
    return Held(row_of(delivery), attempts.load(delivery.id, now))


def keep(delivery: Delivery, held: Held, now: datetime) -> None:
    """Writes what the rules made of it. The caller commits."""
    apply(delivery, held.row)
    attempts.save(held.tries, now)


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
