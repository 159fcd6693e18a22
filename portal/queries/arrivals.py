"""Where a payment is on its way to Autotask, told from the deliveries of the invoices it pays."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import aliased, contains_eager

from portal import formatters
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import (
    Agreement,
    Allocation,
    AttemptOutcome,
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    Invoice,
    Payment,
    User,
)

TOLD = (AttemptOutcome.CONFIRMED, AttemptOutcome.NOTHING_TO_DO)
ON_THE_WAY = (DeliveryState.WAITING, DeliveryState.SENDING)


class Arrival(StrEnum):
    """How far one invoice's part of a payment has come, worst first."""

    PARKED = "parked"
    SENDING = "sending"
    WAITING = "waiting"
    CONFIRMED = "confirmed"
    NOT_NEEDED = "not_needed"

    @property
    def is_on_the_way(self) -> bool:
        return self in (Arrival.WAITING, Arrival.SENDING)


@dataclass(frozen=True)
class Part:
    """One allocation with its invoice, the invoice's delivery, and how far it has come."""

    allocation: Allocation
    invoice: Invoice
    delivery: Delivery | None
    arrival: Arrival


@dataclass(frozen=True)
class Step:
    """One entry of a timeline; `todo` ones have not happened yet."""

    title: str
    state: str = "recorded"
    at: datetime | None = None
    by: str = ""
    text: str = ""
    todo: bool = False


@dataclass(frozen=True)
class Journey:
    """A payment's parts and its timeline."""

    payment: Payment
    parts: Sequence[Part]
    steps: Sequence[Step] = field(default_factory=list)

    @property
    def arrival(self) -> Arrival:
        return worst(part.arrival for part in self.parts)

    @property
    def is_on_the_way(self) -> bool:
        return any(part.arrival.is_on_the_way for part in self.parts)

    @property
    def confirmed_at(self) -> datetime | None:
        """When Autotask last confirmed a part of it; None while a part is still on its way."""
        if self.arrival != Arrival.CONFIRMED and not self.steps:
            return None
        seen = [step.at for step in self.steps if step.state == "confirmed" and step.at and not step.todo]
        return max(seen, default=None)

    @property
    def touched_at(self) -> datetime:
        return self.payment.deleted_at or self.payment.recorded_at

    @property
    def marker(self) -> str:
        """Changes whenever something of the journey does: a poll that knows it needs no new fragment."""
        states = (
            f"{part.delivery.wish_version}{part.delivery.state}{part.delivery.attempts}"
            if part.delivery
            else "-"
            for part in self.parts
        )
        return "d" * bool(self.payment.deleted_at) + ".".join(states)


def arrival_of(payment: Payment, delivery: Delivery | None) -> Arrival:
    """How far the payment's part of this delivery's invoice has come."""
    if delivery is None:
        return Arrival.NOT_NEEDED
    if delivery.state != DeliveryState.CONFIRMED:
        return Arrival(delivery.state)
    if delivery.wish_paid_on is None and payment.deleted_at is None:
        return Arrival.NOT_NEEDED
    return Arrival.CONFIRMED


def worst(arrivals: Iterable[Arrival]) -> Arrival:
    """The one that most needs attention; a payment with nothing left to send counts as confirmed elsewhere."""
    order = list(Arrival)
    return min(arrivals, key=order.index, default=Arrival.NOT_NEEDED)


def parts_of(payments: Sequence[Payment]) -> Mapping[int, list[Part]]:
    """The parts of each payment by its id, in one query."""
    by_id = {payment.id: payment for payment in payments}
    rows = db.session.execute(
        select(Allocation, Delivery)
        .join(Allocation.invoice)
        .outerjoin(Delivery, (Delivery.tenant_id == Invoice.tenant_id) & (Delivery.invoice_id == Invoice.id))
        .where(Allocation.tenant_id == current_tenant_id(), Allocation.payment_id.in_(by_id))
        .options(contains_eager(Allocation.invoice))
        .order_by(Allocation.id)
    )
    found: dict[int, list[Part]] = defaultdict(list)
    for allocation, delivery in rows:
        payment = by_id[allocation.payment_id]
        arrival = arrival_of(payment, delivery)
        found[payment.id].append(Part(allocation, allocation.invoice, delivery, arrival))
    return found


def journeys(payments: Sequence[Payment]) -> list[Journey]:
    """Each payment with its parts, without timelines."""
    parts = parts_of(payments)
    return [Journey(payment, parts[payment.id]) for payment in payments]


def told(payments: Sequence[Payment]) -> list[Journey]:
    """Each payment with its parts and its timeline."""
    parts = parts_of(payments)
    deliveries = {part.delivery.id for several in parts.values() for part in several if part.delivery}
    tries = _tries(deliveries)
    people = _people(payments)
    return [Journey(p, parts[p.id], timeline(p, parts[p.id], tries, people)) for p in payments]


def timeline(
    payment: Payment,
    parts: Sequence[Part],
    tries: Mapping[int, Sequence[DeliveryAttempt]],
    people: Mapping[int | None, str],
) -> list[Step]:
    """Recorded, sent, confirmed, and the same again after a deletion."""
    steps = [Step("Recorded", "recorded", payment.recorded_at, people.get(payment.recorded_by_id, ""))]
    for part in parts:
        steps += _to_autotask(payment, part, tries)
    if payment.deleted_at is None:
        return steps
    reason = f"Reason: {payment.deleted_reason}"
    steps.append(
        Step("Deleted", "deleted", payment.deleted_at, people.get(payment.deleted_by_id, ""), reason)
    )
    for part in parts:
        steps += _taken_back(payment, part, tries)
    return steps


def _to_autotask(payment: Payment, part: Part, tries: Mapping[int, Sequence[DeliveryAttempt]]) -> list[Step]:
    number, delivery = part.invoice.number, part.delivery
    made = _between(tries, delivery, payment.recorded_at, payment.deleted_at, paid=True)
    if not made:
        if payment.deleted_at is not None:
            return []
        if delivery is None or (delivery.wish_paid_on is None and delivery.state == DeliveryState.CONFIRMED):
            return [Step(f"{number}: nothing to send", "not_needed", text=_why_nothing(part.invoice))]
        return [_waiting(number, delivery), Step(f"{number}: confirmed in Autotask", todo=True)]
    return _sent_and_confirmed(part, made, "confirmed in Autotask, paid on {day}")


def _taken_back(payment: Payment, part: Part, tries: Mapping[int, Sequence[DeliveryAttempt]]) -> list[Step]:
    number, delivery = part.invoice.number, part.delivery
    assert payment.deleted_at is not None
    if delivery is None:
        return []
    made = _between(tries, delivery, payment.deleted_at, None, paid=False)
    if made:
        return _sent_and_confirmed(part, made, "confirmed in Autotask, unpaid again")
    if delivery.state in ON_THE_WAY or delivery.state == DeliveryState.PARKED:
        return [_waiting(number, delivery), Step(f"{number}: cleared in Autotask", todo=True)]
    return []


def _sent_and_confirmed(part: Part, made: Sequence[DeliveryAttempt], words: str) -> list[Step]:
    number, delivery = part.invoice.number, part.delivery
    steps = [Step(f"{number}: sent to Autotask", "sent", made[0].started_at)]
    arrived = next((a for a in made if a.outcome in TOLD and a.finished_at), None)
    if arrived is not None:
        said = words.format(day=formatters.day(arrived.wish_paid_on))
        return [*steps, Step(f"{number}: {said}", "confirmed", arrived.finished_at)]
    assert delivery is not None
    if delivery.state == DeliveryState.PARKED:
        return [*steps, Step(f"{number}: stuck", "parked", made[-1].finished_at, text=delivery.error or "")]
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
    return "Autotask shows the invoice as unpaid until it is fully paid."


def _between(
    tries: Mapping[int, Sequence[DeliveryAttempt]],
    delivery: Delivery | None,
    start: datetime,
    end: datetime | None,
    *,
    paid: bool,
) -> list[DeliveryAttempt]:
    if delivery is None:
        return []
    return [
        row
        for row in tries.get(delivery.id, [])
        if (row.wish_paid_on is not None) == paid
        and (row.finished_at or row.started_at) >= start
        and (end is None or row.started_at < end)
    ]


def _tries(delivery_ids: Iterable[int]) -> Mapping[int, list[DeliveryAttempt]]:
    found: dict[int, list[DeliveryAttempt]] = defaultdict(list)
    statement = scoped(DeliveryAttempt).where(DeliveryAttempt.delivery_id.in_(list(delivery_ids)))
    for row in db.session.scalars(statement.order_by(DeliveryAttempt.id)):
        found[row.delivery_id].append(row)
    return found


def _people(payments: Sequence[Payment]) -> Mapping[int | None, str]:
    person = aliased(User)
    ids = {p.recorded_by_id for p in payments} | {p.deleted_by_id for p in payments}
    rows = db.session.scalars(select(person).where(person.id.in_([i for i in ids if i is not None])))
    return {row.id: row.label for row in rows}
