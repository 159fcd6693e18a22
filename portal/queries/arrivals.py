"""Where a payment is on its way to Autotask, told from the deliveries of the invoices it pays."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import contains_eager

from portal import clock
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.ledger import unconfirmed
from portal.models import Allocation, Delivery, DeliveryState, Invoice, Payment
from portal.queries import payment_life
from portal.queries.steps import Step

ON_THE_WAY = (DeliveryState.WAITING, DeliveryState.SENDING)
NAMED = 3
TOLD = 20
LATE = "late"


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

    @property
    def is_confirmed(self) -> bool:
        return self == Arrival.CONFIRMED

    @property
    def is_unsettled(self) -> bool:
        """On the way, or stuck until a person does something."""
        return self.is_on_the_way or self == Arrival.PARKED


@dataclass(frozen=True)
class Part:
    """One allocation with its invoice, the invoice's delivery, and how far it has come."""

    allocation: Allocation
    invoice: Invoice
    delivery: Delivery | None
    arrival: Arrival

    @property
    def is_late(self) -> bool:
        return self.delivery is not None and unconfirmed.is_late(self.delivery, clock.now())

    @property
    def badge(self) -> str:
        """The arrival, or that it is late."""
        return LATE if self.arrival.is_on_the_way and self.is_late else self.arrival

    @property
    def is_covered_without_it(self) -> bool:
        """Other payments cover the invoice even if this one goes."""
        return self.invoice.outstanding + self.allocation.amount <= 0


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
    def badge(self) -> str:
        """The worst arrival of its parts, or that one of them is late."""
        late = any(part.badge == LATE for part in self.parts)
        return LATE if late and self.arrival.is_on_the_way else self.arrival

    @property
    def badges(self) -> list[str]:
        """Of its money, and how far Autotask has been told, where there is something to tell."""
        return self._badges(self.arrival, self.badge)

    def badges_of(self, part: Part) -> list[str]:
        return self._badges(part.arrival, part.badge)

    def _badges(self, arrival: Arrival, badge: str) -> list[str]:
        marks = self.payment.marks
        told = arrival.is_unsettled if self.payment.deleted_at else not self.payment.is_held
        return [*marks, badge] if told else marks

    @property
    def first_parts(self) -> Sequence[Part]:
        """As many as a row of a list names."""
        return self.parts[:NAMED]

    @property
    def more_parts(self) -> int:
        """How many a row of a list does not name."""
        return max(len(self.parts) - NAMED, 0)

    @property
    def told_parts(self) -> Sequence[Part]:
        """Of those that still count, as many as a question about the payment tells of."""
        return self._counting[:TOLD]

    @property
    def untold_parts(self) -> int:
        return max(len(self._counting) - TOLD, 0)

    @property
    def _counting(self) -> Sequence[Part]:
        return [part for part in self.parts if part.allocation.amount]

    def part_of(self, invoice: Invoice) -> Part:
        """What of the payment goes to this invoice."""
        return next(part for part in self.parts if part.invoice.id == invoice.id)

    @property
    def is_on_the_way(self) -> bool:
        return any(part.arrival.is_on_the_way for part in self.parts)

    @property
    def held_by(self) -> Delivery | None:
        """The delivery that most keeps it from being confirmed everywhere; None once nothing does."""
        part = min(self.parts, key=lambda one: list(Arrival).index(one.arrival), default=None)
        waits = part is not None and part.arrival.is_unsettled
        return part.delivery if part is not None and waits else None

    @property
    def confirmed_at(self) -> datetime | None:
        """When Autotask last confirmed a part of it; None while a part is still on its way."""
        if self.arrival != Arrival.CONFIRMED and not self.steps:
            return None
        seen = [step.at for step in self.steps if step.state == "confirmed" and step.at and not step.todo]
        return max(seen, default=None)

    @property
    def life(self) -> str:
        """What became of its money, as a sentence."""
        return payment_life.sentence(self.payment)

    @property
    def touched_at(self) -> datetime:
        return self.payment.deleted_at or self.payment.recorded_at


def arrival_of(payment: Payment, delivery: Delivery | None) -> Arrival:
    """How far the payment's part of this delivery's invoice has come."""
    if delivery is None or delivery.state == DeliveryState.CLOSED:
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
    rows = db.session.execute(parts().where(Allocation.payment_id.in_(by_id)))
    return parts_from(rows, by_id)


def parts() -> Any:
    """Every Allocation with its invoice, beside the invoice's Delivery."""
    return (
        select(Allocation, Delivery)
        .join(Allocation.invoice)
        .outerjoin(Delivery, (Delivery.tenant_id == Invoice.tenant_id) & (Delivery.invoice_id == Invoice.id))
        .where(Allocation.tenant_id == current_tenant_id())
        .options(contains_eager(Allocation.invoice))
        .order_by(Allocation.id)
    )


def parts_from(rows: Iterable[Any], by_id: Mapping[int, Payment]) -> Mapping[int, list[Part]]:
    """By payment, from rows of `parts`."""
    found: dict[int, list[Part]] = defaultdict(list)
    for allocation, delivery, *_ in rows:
        payment = by_id[allocation.payment_id]
        arrival = arrival_of(payment, delivery)
        found[payment.id].append(Part(allocation, allocation.invoice, delivery, arrival))
    return found


def journeys(payments: Sequence[Payment]) -> list[Journey]:
    """Each payment with its parts, without timelines."""
    parts = parts_of(payments)
    return [Journey(payment, parts[payment.id]) for payment in payments]
