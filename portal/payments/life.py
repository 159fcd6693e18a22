"""What becomes of a payment: its money arrives, fails, is refunded or charged back (rule 5.10).

Event, payment, wish for Autotask and audit event are one transaction, as when a payment is recorded.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from portal import clock, ledger
from portal.access import audit
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id, find_or_404, scoped
from portal.extensions import db
from portal.models import Allocation, Happened, Payment, PaymentEvent, PaymentEventPart
from portal.money import plain
from portal.payments import life_rules
from portal.payments.rules import LONGEST_TEXT

__all__ = ["EVENTS", "NewEvent", "happen", "tell", "words", "write"]

EVENTS = {
    Happened.SETTLED: "payment.settled",
    Happened.FAILED: "payment.failed",
    Happened.REFUNDED: "payment.refunded",
    Happened.CHARGED_BACK: "payment.charged_back",
}


@dataclass(frozen=True)
class NewEvent:
    """What happened to a payment, and when.

    `amount`: what came back, all that still counts where it is not said. `parts`: (invoice id, amount) pairs, which
    invoices are open again by how much; the newest allocation first where none are said.
    """

    kind: Happened
    on: date
    amount: Decimal | None = None
    reason: str = ""
    parts: Sequence[tuple[int, Decimal]] = field(default_factory=tuple)


def happen(
    actor: Actor, payment_id: int, new: NewEvent, keep: Callable[[Payment], None] | None = None
) -> Payment:
    """Writes what became of a payment; its invoices are open again by what came back.

    Not safe to run twice: whoever asks claims a key first, and `keep` writes the key's answer. Raises NotFound,
    PaymentRefused, and AlreadyDeleted where nothing of it counts any more. The caller commits, then rings the bell.
    """
    payment = find_or_404(Payment, payment_id)
    invoice_ids = [allocation.invoice_id for allocation in payment.allocations]
    ledger.lock_invoices(invoice_ids)
    db.session.refresh(payment, with_for_update={"of": Payment})
    allocations = _fresh(payment)
    life_rules.check(payment, new.kind, new.on, new.reason)
    event = write(actor, payment, allocations, new, closed_as(new.kind, invoice_ids))
    ledger.restate(invoice_ids)
    if keep is not None:
        keep(payment)
    tell(actor, [(payment, event)])
    return payment


def closed_as(kind: Happened, invoice_ids: Sequence[int]) -> Mapping[int, str | None]:
    """How each invoice was closed elsewhere by now, where that matters."""
    return ledger.came_back.closed_as(invoice_ids) if kind.takes_money_back else {}


def write(
    actor: Actor,
    payment: Payment,
    allocations: Sequence[Allocation],
    new: NewEvent,
    closed: Mapping[int, str | None],
) -> PaymentEvent:
    """Writes what became of a payment. The caller has locked and checked it, restates its invoices, and then tells of it.

    `allocations`: the newest first; `closed`: how their invoices were closed elsewhere. Raises PaymentRefused.
    """
    at = clock.now()
    if new.kind == Happened.SETTLED:
        payment.pending, payment.settled_on, payment.settled_at = False, new.on, at
        return _write(payment, _event(actor, payment, new, at, payment.amount, ends=False), {}, closed)
    taken = life_rules.taken(payment, allocations, new.kind, new.amount, new.parts)
    amount = sum(taken.values(), Decimal(0))
    event = _event(actor, payment, new, at, amount, ends=amount == payment.amount)
    if event.ends:
        payment.deleted_at, payment.deleted_by_id, payment.ended_as = at, actor.user_id, new.kind
        payment.deleted_reason, payment.pending = event.reason or words(new.kind), False
        return _write(payment, event, taken, closed)
    payment.amount, payment.refunded_amount = payment.amount - amount, payment.refunded_amount + amount
    for one in allocations:
        one.amount -= taken.get(one.invoice_id, Decimal(0))
    return _write(payment, event, taken, closed)


def words(kind: Happened) -> str:
    """As a person says it."""
    return {
        Happened.SETTLED: "Arrived",
        Happened.FAILED: "Failed",
        Happened.REFUNDED: "Refunded",
        Happened.CHARGED_BACK: "Charged back",
    }[kind]


def _fresh(payment: Payment) -> list[Allocation]:
    """Its allocations as they stand under the locks, the newest first."""
    statement = scoped(Allocation).where(Allocation.payment_id == payment.id).order_by(Allocation.id.desc())
    return list(db.session.scalars(statement.execution_options(populate_existing=True)))


def _event(
    actor: Actor, payment: Payment, new: NewEvent, at: datetime, amount: Decimal, *, ends: bool
) -> PaymentEvent:
    return PaymentEvent(
        tenant_id=current_tenant_id(),
        payment_id=payment.id,
        kind=new.kind,
        happened_on=new.on,
        amount=amount,
        ends=ends,
        reason=new.reason.strip()[:LONGEST_TEXT],
        recorded_at=at,
        recorded_by_id=actor.user_id,
    )


def _write(
    payment: Payment, event: PaymentEvent, taken: Mapping[int, Decimal], closed: Mapping[int, str | None]
) -> PaymentEvent:
    """Writes the event when the payment stands as it made it: so the database's trigger tells others of it."""
    db.session.flush()
    db.session.add(event)
    db.session.flush()
    db.session.add_all(
        PaymentEventPart(
            tenant_id=event.tenant_id, event_id=event.id, invoice_id=id, amount=part, closed_as=closed[id]
        )
        for id, part in sorted(taken.items())
        if part
    )
    db.session.flush()
    db.session.expire(payment, ["allocations", "events"])
    return event


def tell(actor: Actor, made: Sequence[tuple[Payment, PaymentEvent]]) -> None:
    """Writes the audit events, last: until the commit they keep all others of the partner from writing theirs.

    The one place of every change of a payment's life: whoever else must hear of it is told here.
    """
    for payment, event in made:
        ledger.came_back.open_items(payment, event)
    for payment, event in made:
        audit.record(
            actor,
            EVENTS[Happened(event.kind)],
            "payment",
            payment.id,
            amount=plain(event.amount, payment.currency),
            currency=payment.currency,
            happened_on=event.happened_on.isoformat(),
            reason=event.reason,
        )
