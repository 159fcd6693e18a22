"""Deliveries in PostgreSQL: the protocol's transitions, each under the row's lock in a short transaction.

All times are the database's: the clocks of workers are never compared.
"""

import secrets
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, or_, select

from portal import exceptions, ledger
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import AttemptOutcome, Cause, Delivery, DeliveryState, Invoice
from portal.reconcile import attempts, mirror, protocol
from portal.reconcile.decide import Act, Known, Marks, marks_after
from portal.reconcile.protocol import Row
from portal.reconcile.steps import Claim, Work, moved
from portal.reconcile.troubles import SHARED

COLUMNS = tuple(field.name for field in fields(Row))
CAUSES = {"not_cleared": Cause.NOT_CLEARED, "paid_mark_changed": Cause.PAID_MARK_CHANGED}
CAUSES |= {"unpaid_in_autotask": Cause.UNPAID_IN_AUTOTASK, "voided": Cause.VOIDED_WITH_PAYMENTS}
# The ledger opens and closes these from both values.
LEDGERS = frozenset({Cause.PAID_MARK_CHANGED, Cause.UNPAID_IN_AUTOTASK, Cause.VOIDED_WITH_PAYMENTS})
OURS = (Cause.DELIVERY_REFUSED, Cause.DELIVERY_PARKED, Cause.NOT_CLEARED, Cause.SUSPICIOUS_READ)


class SqlStore:
    """The current tenant's deliveries. Every method commits."""

    def now(self) -> datetime:
        """The database's clock, in a transaction of its own."""
        moment = clock_timestamp()
        db.session.commit()
        return moment

    def claim(self, only_id: int | None = None) -> Claim | None:
        """K1: the delivery that is due longest, new ones before those that failed before; None if none is."""
        now = clock_timestamp()
        delivery = db.session.scalar(_due(now, only_id))
        if delivery is None:
            db.session.commit()
            return None
        token = secrets.token_hex(8)
        apply(delivery, protocol.claimed(row_of(delivery), token, now))
        claim = _claim_of(delivery, token, now)
        db.session.commit()
        return claim

    def begin(self, work: Work) -> int | None:
        """K3 and K4: the attempt's id, or None when it is no longer ours or the wish has changed."""
        delivery, now = _locked(work), clock_timestamp()
        row = row_of(delivery)
        if not protocol.may_send(row, work.claim.token, work.claim.version, now):
            db.session.commit()
            return None
        assert work.decision is not None
        if work.attempt_id is not None:
            attempts.end(work, AttemptOutcome.REFUSED, now, work.refused_with or NOT_CLEARED_BY_PATCH)
        apply(delivery, protocol.begun(row, work.decision.paid_on, now))
        attempt_id = attempts.begin(work, now)
        db.session.commit()
        return attempt_id

    def settle(self, work: Work) -> None:
        """K6: what was read back is kept, and counts as done for the version that was carried."""
        invoice = mirror.lock(work.claim.invoice_id)
        delivery, now = _locked(work), clock_timestamp()
        read = work.read_back or work.read
        assert read is not None
        held = delivery.lease_token == work.claim.token
        attempts.end(
            work, _outcome(work, held), now, None if held else OVERTAKEN, watched=work.unknown or not held
        )
        if held:
            _close_landed(work, now)
        marks = marks_after(_marks(delivery, now), read)
        apply(delivery, protocol.settled(row_of(delivery), work.claim.token, work.claim.version, marks, now))
        mirror.write(invoice, read)
        _close_exceptions(delivery, invoice)
        _tell_moved(work, invoice)
        ledger.restate([invoice.id])
        db.session.commit()

    def learn(self, work: Work) -> None:
        """Autotask's own values moved: they come first, the wish that follows from them is looked at anew."""
        invoice = mirror.lock(work.claim.invoice_id)
        delivery, now = _locked(work), clock_timestamp()
        trouble = protocol.Trouble("changed", "The invoice was changed in Autotask.", pause=0.0)
        fresh = mirror.write(invoice, work.read)
        row = row_of(delivery)
        if fresh:
            apply(delivery, protocol.released(row, work.claim.token, now))
        else:
            apply(delivery, protocol.failed(row, work.claim.token, work.claim.version, trouble, now))
        ledger.restate([invoice.id])
        db.session.commit()

    def fail(self, work: Work) -> None:
        """The try did not end well: what was read is kept, it waits or is parked as an exception."""
        invoice = mirror.lock(work.claim.invoice_id)
        delivery, now = _locked(work), clock_timestamp()
        trouble = work.trouble
        assert trouble is not None
        watched = work.sent and not trouble.final
        attempts.end(work, _failed_outcome(work), now, trouble.sentence, watched=watched)
        row = _without_mark(work, row_of(delivery))
        apply(delivery, protocol.failed(row, work.claim.token, work.claim.version, trouble, now))
        mirror.write(invoice, work.read_back or work.read)
        if delivery.state == DeliveryState.PARKED:
            _open_exception(delivery, invoice, final=trouble.final)
        ledger.restate([invoice.id])
        db.session.commit()

    def release(self, work: Work) -> None:
        """Given back: another try begins with what is wished by then."""
        delivery, now = _locked(work), clock_timestamp()
        if work.attempt_id is not None:
            outcome = AttemptOutcome.UNKNOWN if work.sent else AttemptOutcome.OVERTAKEN
            attempts.end(work, outcome, now, watched=work.sent)
        row = _without_mark(work, row_of(delivery))
        apply(delivery, protocol.released(row, work.claim.token, now, sent=work.sent))
        db.session.commit()


NOT_CLEARED_BY_PATCH = "Autotask kept the paid date; the second way of clearing is tried."
OVERTAKEN = "Another worker had taken over; the invoice is looked at again."


def clock_timestamp() -> datetime:
    """The database's clock now, inside the running transaction."""
    return db.session.execute(select(func.clock_timestamp())).scalar_one()


def _due(now: datetime, only_id: int | None) -> Any:
    free = or_(Delivery.lease_until.is_(None), Delivery.lease_until < now)
    due = or_(Delivery.state == DeliveryState.SENDING, Delivery.next_try_at <= now)
    query = scoped(Delivery).where(Delivery.state != DeliveryState.CONFIRMED, free, due)
    if only_id is not None:
        query = query.where(Delivery.id == only_id)
    # What failed by itself waits behind the others; while Autotask is away, the same one asks each time.
    tried = case(((Delivery.attempts > 0) & Delivery.error_kind.not_in(SHARED), 1), else_=0)
    return (
        query.order_by(tried, Delivery.next_try_at, Delivery.id)
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
        marks=_marks(delivery, now),
        known=Known(invoice.total_raw, invoice.tax_raw, invoice.is_voided),
    )


def _marks(delivery: Delivery, now: datetime) -> Marks:
    return Marks(delivery.our_mark_on, delivery.shown_on, attempts.strays(delivery.id, now))


def _locked(work: Work) -> Delivery:
    key = (current_tenant_id(), work.claim.delivery_id)
    return db.session.get_one(Delivery, key, with_for_update=True, populate_existing=True)


def row_of(delivery: Delivery) -> Row:
    return Row(**{name: getattr(delivery, name) for name in COLUMNS})


def apply(delivery: Delivery, row: Row) -> None:
    for name, value in asdict(row).items():
        if getattr(delivery, name) != value:
            setattr(delivery, name, value)
    db.session.flush()


def _without_mark(work: Work, row: Row) -> Row:
    """Refused, or never sent: the date is not ours after all."""
    if work.attempt_id is None or work.sent or work.decision is None:
        return row
    return protocol.taken_back(row, work.claim.token, work.decision.paid_on, work.claim.marks.our_mark_on)


def _outcome(work: Work, held: bool) -> AttemptOutcome:
    if work.attempt_id is None:
        return AttemptOutcome.NOTHING_TO_DO
    return AttemptOutcome.CONFIRMED if held else AttemptOutcome.OVERTAKEN


def _failed_outcome(work: Work) -> AttemptOutcome:
    assert work.trouble is not None
    if work.trouble.final:
        return AttemptOutcome.REFUSED
    return AttemptOutcome.UNKNOWN if work.sent else AttemptOutcome.RETRY


def _close_landed(work: Work, now: datetime) -> None:
    """What the first read explains, and what the read-back says about a write that got no answer."""
    if work.read is not None:
        acted = work.decision is not None and work.decision.act in (Act.WRITE, Act.CLEAR)
        attempts.close_landed(work.claim.delivery_id, work.read, now, acted=acted)
    if work.unknown and work.read_back is not None:
        attempts.close_landed(work.claim.delivery_id, work.read_back, now, acted=False)


def _close_exceptions(delivery: Delivery, invoice: Invoice) -> None:
    if delivery.state != DeliveryState.CONFIRMED:
        return
    for cause in OURS:
        exceptions.close_items(cause, "delivery", [str(invoice.id)])


def _open_exception(delivery: Delivery, invoice: Invoice, *, final: bool) -> None:
    cause = CAUSES.get(delivery.error_kind or "", Cause.DELIVERY_REFUSED if final else Cause.DELIVERY_PARKED)
    if cause in LEDGERS:
        return
    exceptions.open_item(
        cause,
        "delivery",
        str(invoice.id),
        label=f"Invoice {invoice.number}",
        detail=delivery.error or "",
        ours={"paid_on": attempts.shown(delivery.wish_paid_on), "attempts": delivery.attempts},
        theirs={"paid_on": attempts.shown(invoice.autotask_paid_on)},
        invoice_id=invoice.id,
    )


def _tell_moved(work: Work, invoice: Invoice) -> None:
    if not moved(work) or work.read is None or work.read_back is None:
        return
    exceptions.open_item(
        Cause.SUSPICIOUS_READ,
        "delivery",
        str(invoice.id),
        label=f"Invoice {invoice.number}",
        detail="While its paid date was being changed, the invoice's number or web-service date changed too. "
        "The portal does not write these. Check the invoice in Autotask.",
        ours={"number": work.read.number, "web_service_date": work.read.web_service_date},
        theirs={"number": work.read_back.number, "web_service_date": work.read_back.web_service_date},
        invoice_id=invoice.id,
    )
