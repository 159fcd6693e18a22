"""What became of a payment's money, in words: its badges, the end of a headline, and the steps of its timeline."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from portal import formatters
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import Happened, Payment, PaymentEvent
from portal.queries.steps import Step

TITLES = {
    Happened.SETTLED: "Its money arrived on {day}",
    Happened.FAILED: "Failed on {day}",
    Happened.REFUNDED: "{amount} refunded on {day}",
    Happened.CHARGED_BACK: "{amount} charged back on {day}",
}
WHEN_ARRIVED = "Autotask is told once it has arrived."


def sentence(payment: Payment) -> str:
    """What is to be said of its money beside that it was paid; empty where it simply is here."""
    if payment.pending and payment.deleted_at is None:
        return f"Its money is still on its way. {WHEN_ARRIVED if payment.held else ''}".strip()
    told = [_title(payment, event) for event in events_of([payment]).get(payment.id, ())]
    return ". ".join(told) + "." if told else ""


def steps(payment: Payment, events: Sequence[PaymentEvent]) -> list[tuple[PaymentEvent, Step]]:
    """Each event with its step, in their order."""
    return [
        (
            event,
            Step(
                _title(payment, event),
                _STATES[Happened(event.kind)],
                event.recorded_at,
                event.recorded_by.label if event.recorded_by else "",
                f"Reason: {event.reason}" if event.reason else "",
            ),
        )
        for event in events
    ]


def events_of(payments: Sequence[Payment]) -> Mapping[int, list[PaymentEvent]]:
    """By payment id; nothing is asked where nothing happened to any of them."""
    ids = [payment.id for payment in payments if _had_a_life(payment)]
    found: dict[int, list[PaymentEvent]] = {}
    if not ids:
        return found
    rows = db.session.scalars(
        select(PaymentEvent)
        .where(PaymentEvent.tenant_id == current_tenant_id(), PaymentEvent.payment_id.in_(ids))
        .options(joinedload(PaymentEvent.recorded_by), selectinload(PaymentEvent.parts))
        .order_by(PaymentEvent.id)
    )
    for row in rows:
        found.setdefault(row.payment_id, []).append(row)
    return found


def _had_a_life(payment: Payment) -> bool:
    return bool(payment.settled_on or payment.ended_as or payment.refunded_amount)


def _title(payment: Payment, event: PaymentEvent) -> str:
    amount = formatters.money(event.amount, payment.currency)
    return TITLES[Happened(event.kind)].format(amount=amount, day=formatters.day(event.happened_on))


_STATES = {
    Happened.SETTLED: "confirmed",
    Happened.FAILED: "failed",
    Happened.REFUNDED: "refunded",
    Happened.CHARGED_BACK: "charged_back",
}
