"""A payment's way to Autotask as a timeline: recorded, sent, confirmed, and the same again after a deletion."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.orm import aliased, contains_eager

from portal import formatters
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import (
    Agreement,
    Allocation,
    AttemptOutcome,
    AuditEvent,
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    Happened,
    Invoice,
    Payment,
    PaymentEvent,
    User,
)
from portal.queries import payment_life, tries_of
from portal.queries.arrivals import (
    ON_THE_WAY,
    Arrival,
    Journey,
    Part,
    parts,
    parts_from,
    parts_of,
    worst,
)
from portal.queries.steps import Step

IN_A_VISIT: Any = and_(
    AuditEvent.event == "payment.recorded",
    AuditEvent.subject_type == "payment",
    AuditEvent.visit_id.is_not(None),
)
MOST_TOLD = 12
IN_WORDS = {
    Arrival.PARKED: "stuck", Arrival.SENDING: "being sent", Arrival.WAITING: "waiting",
    Arrival.CONFIRMED: "confirmed in Autotask", Arrival.NOT_NEEDED: "with nothing to send",
}  # fmt: skip
TOLD = (AttemptOutcome.CONFIRMED, AttemptOutcome.NOTHING_TO_DO)


def told(payments: Sequence[Payment]) -> list[Journey]:
    """Each payment with its parts and its timeline."""
    recorded = select(AuditEvent.subject_id, User).join(User, User.id == AuditEvent.true_user_id)
    by_support = recorded.where(IN_A_VISIT, AuditEvent.tenant_id == current_tenant_id())
    ids = AuditEvent.subject_id.in_([payment.id for payment in payments])
    rows: Any = db.session.execute(by_support.where(ids))
    return _told(payments, parts_of(payments), dict(row for row in rows))


def of_invoice(payment_ids: Sequence[int]) -> list[Journey]:
    """These payments, newest first, with their parts and timelines."""
    support = aliased(User)
    recorded = (
        IN_A_VISIT & (AuditEvent.tenant_id == Payment.tenant_id) & (AuditEvent.subject_id == Payment.id)
    )
    people = contains_eager(Allocation.payment)
    statement = (
        parts()
        .join(Allocation.payment)
        .outerjoin(AuditEvent, recorded)
        .outerjoin(support, support.id == AuditEvent.true_user_id)
        .add_columns(support)
        .where(Allocation.payment_id.in_(payment_ids))
        .options(people.joinedload(Payment.recorded_by), people.joinedload(Payment.deleted_by))
    )
    rows = db.session.execute(statement).all()
    by_id = {row[0].payment_id: row[0].payment for row in rows}
    payments = sorted(by_id.values(), key=lambda payment: payment.id, reverse=True)
    by_support = {row[0].payment_id: row[2] for row in rows if row[2] is not None}
    return _told(payments, parts_from(rows, by_id), by_support)


def _told(
    payments: Sequence[Payment], of_each: Mapping[int, Sequence[Part]], by_support: Mapping[int, User]
) -> list[Journey]:
    """`by_support` holds, by payment, who was at the keyboard in a support visit."""
    few = {payment_id: told_parts(parts) for payment_id, parts in of_each.items()}
    tries = tries_of.these({part.delivery.id for parts in few.values() for part in parts if part.delivery})
    people = _people(payments)
    recorders = {payment.id: people.get(payment.recorded_by_id, "") for payment in payments}
    for one, user in by_support.items():
        recorders[one] = f"{user.label} (support), as {recorders[one]}"
    events = payment_life.events_of(payments)
    return [
        Journey(
            p,
            of_each[p.id],
            _timeline(p, of_each[p.id], few[p.id], tries, people, recorders[p.id], events.get(p.id, ())),
        )
        for p in payments
    ]


def told_parts(parts: Sequence[Part]) -> list[Part]:
    """As many as a timeline tells of, in their order: what most needs a look, then what was confirmed last."""
    by_need = sorted(parts, key=lambda part: (list(Arrival).index(part.arrival), -_confirmed(part)))
    few = {part.allocation.id for part in islice(by_need, MOST_TOLD)}
    return [part for part in parts if part.allocation.id in few]


def _confirmed(part: Part) -> float:
    at = part.delivery.confirmed_at if part.delivery else None
    return at.timestamp() if at else 0.0


def _timeline(
    payment: Payment,
    every: Sequence[Part],
    parts: Sequence[Part],
    tries: Mapping[int, Sequence[DeliveryAttempt]],
    people: Mapping[int | None, str],
    recorder: str,
    events: Sequence[PaymentEvent] = (),
) -> list[Step]:
    """Recorded, sent, confirmed, and the same again after a deletion, or after money came back.

    `parts` are those of `every` that are told.
    """
    steps = [Step("Recorded", "recorded", payment.recorded_at, recorder)]
    happened = payment_life.steps(payment, events)
    steps += [step for event, step in happened if event.kind == Happened.SETTLED]
    for part in parts:
        steps += _to_autotask(payment, part, tries)
    for event, step in happened:
        if event.kind != Happened.SETTLED:
            gave = {one.invoice_id for one in event.parts}
            steps.append(step)
            for part in parts:
                steps += _taken_back(part, tries, event.recorded_at) if part.invoice.id in gave else []
    if payment.deleted_at is not None and payment.ended_as is None:
        who, reason = people.get(payment.deleted_by_id, ""), f"Reason: {payment.deleted_reason}"
        steps.append(Step("Deleted", "deleted", payment.deleted_at, who, reason))
        for part in parts:
            steps += _taken_back(part, tries, payment.deleted_at)
    told = {part.allocation.id for part in parts}
    return [*steps, *_of_the_others([part for part in every if part.allocation.id not in told])]


def _of_the_others(parts: Sequence[Part]) -> list[Step]:
    """How far the parts have come that the timeline does not tell one by one."""
    if not parts:
        return []
    number = Counter(part.arrival for part in parts)
    words = ", ".join(f"{formatters.count(number[one])} {IN_WORDS[one]}" for one in Arrival if number[one])
    state, open_ones = worst(number), any(one.is_on_the_way for one in number)
    return [Step(f"{formatters.plural(len(parts), 'more invoice')}: {words}", state, todo=open_ones)]


def _to_autotask(payment: Payment, part: Part, tries: Mapping[int, Sequence[DeliveryAttempt]]) -> list[Step]:
    number, delivery = part.invoice.number, part.delivery
    made = tries_of.between(tries, delivery, payment.recorded_at, payment.deleted_at, paid=True)
    if not made:
        if payment.deleted_at is not None:
            return []
        if delivery is not None and delivery.state == DeliveryState.CLOSED:
            return [Step(f"{number}: nothing to send", "not_needed", text=delivery.error or "")]
        if payment.is_held:
            return [Step(f"{number}: sent to Autotask", todo=True, text=payment_life.WHEN_ARRIVED)]
        if delivery is None or (delivery.wish_paid_on is None and delivery.state == DeliveryState.CONFIRMED):
            return [Step(f"{number}: nothing to send", "not_needed", text=_why_nothing(part.invoice))]
        return [_waiting(number, delivery), Step(f"{number}: confirmed in Autotask", todo=True)]
    return _sent_and_confirmed(part, made, "confirmed in Autotask, paid on {day}")


def _taken_back(part: Part, tries: Mapping[int, Sequence[DeliveryAttempt]], since: datetime) -> list[Step]:
    number, delivery = part.invoice.number, part.delivery
    if delivery is None or delivery.wish_paid_on is not None:
        return []
    made = tries_of.between(tries, delivery, since, None, paid=False)
    if made:
        return _sent_and_confirmed(part, made, "confirmed in Autotask, unpaid again")
    if delivery.state in ON_THE_WAY or delivery.state == DeliveryState.PARKED:
        return [_waiting(number, delivery), Step(f"{number}: cleared in Autotask", todo=True)]
    return []


def _sent_and_confirmed(part: Part, made: Sequence[DeliveryAttempt], words: str) -> list[Step]:
    number, delivery = part.invoice.number, part.delivery
    sent = next((one for one in made if one.was_sent), None)
    steps = (
        [Step(f"{number}: sent to Autotask", "sent", sent.started_at)]
        if sent
        else [Step(f"{number}: looked up in Autotask, nothing was sent", "started", made[0].started_at)]
    )
    arrived = next((a for a in made if a.outcome in TOLD and a.finished_at), None)
    if arrived is not None:
        said = words.format(day=formatters.day(arrived.wish_paid_on))
        return [*steps, Step(f"{number}: {said}", "confirmed", arrived.finished_at)]
    assert delivery is not None
    if delivery.state == DeliveryState.PARKED:
        return [*steps, Step(f"{number}: stuck", "parked", made[-1].finished_at, text=delivery.error or "")]
    if delivery.state == DeliveryState.CLOSED:
        return [*steps, Step(f"{number}: closed", "closed", text=delivery.error or "")]
    return [*steps, Step(f"{number}: confirmed in Autotask", todo=True, text=delivery.error or "")]


def _waiting(number: str, delivery: Delivery) -> Step:
    if delivery.state == DeliveryState.PARKED:
        return Step(f"{number}: stuck", "parked", text=delivery.error or "")
    return Step(f"{number}: sent to Autotask", todo=True, text=delivery.error or "")


def _why_nothing(invoice: Invoice) -> str:
    if invoice.agreement == Agreement.PORTAL_ONLY:
        return "This invoice exists only here; Autotask does not know it."
    if invoice.settled_amount:
        return "Autotask itself shows this invoice as paid."
    if invoice.is_voided:
        return "The invoice is voided; nothing is written to it in Autotask."
    if invoice.pending_amount and not invoice.is_unpaid:
        return "Another payment of this invoice is still on its way."
    return "Autotask shows the invoice as unpaid until it is fully paid."


def _people(payments: Sequence[Payment]) -> Mapping[int | None, str]:
    people = [person for p in payments for person in (p.recorded_by, p.deleted_by) if person is not None]
    return {person.id: person.label for person in people}
