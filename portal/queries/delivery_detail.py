"""One delivery: a page of its tries, and the way it went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import (
    Delivery,
    DeliveryAttempt,
    DeliveryState,
)
from portal.queries import both_sides, paging
from portal.queries.arrivals import ON_THE_WAY, Step
from portal.queries.deliveries import wish_in_words

TRY_KEYS = (paging.Key(DeliveryAttempt.id),)


@dataclass(frozen=True)
class Detail:
    """One delivery with a page of its tries, newest first, and the way it went."""

    delivery: Delivery
    tries: paging.Page
    steps: Sequence[Step]

    @property
    def is_tried_again(self) -> bool:
        may = self.delivery.state in (DeliveryState.WAITING, DeliveryState.PARKED)
        return may and self.delivery.next_try_at is not None

    @property
    def paid_row(self) -> both_sides.Row | None:
        """Paid here beside paid in Autotask; None where only Autotask says that it was."""
        return both_sides.paid(both_sides.Sides(self.delivery.invoice, None, self.delivery))

    @property
    def is_on_the_way(self) -> bool:
        return self.delivery.state in ON_THE_WAY


def of(delivery: Delivery, args: Mapping[str, str]) -> Detail:
    """The delivery with everything its page shows."""
    tries = scoped(DeliveryAttempt).where(DeliveryAttempt.delivery_id == delivery.id)
    return Detail(delivery, paging.fetch(tries, TRY_KEYS, args), _steps(delivery))


def _first_sent_at(delivery: Delivery) -> datetime | None:
    """When the wish in force was sent first, of all its tries."""
    mine = select(func.min(DeliveryAttempt.started_at)).where(
        DeliveryAttempt.tenant_id == delivery.tenant_id, DeliveryAttempt.delivery_id == delivery.id
    )
    return db.session.scalar(
        mine.where(DeliveryAttempt.wrote.is_not(None), DeliveryAttempt.started_at >= delivery.wished_at)
    )


def _steps(delivery: Delivery) -> list[Step]:
    """Recorded, sent, confirmed: of the wish that is in force. Sent is what the tries say was sent."""
    done = delivery.state == DeliveryState.CONFIRMED
    sent_at = _first_sent_at(delivery)
    steps = [Step(f"Wished: {wish_in_words(delivery.wish_paid_on)}", "recorded", delivery.wished_at)]
    if sent_at:
        steps.append(Step("Sent to Autotask", "sent", sent_at))
    if done:
        return [*steps, Step("Confirmed: read back in Autotask", "confirmed", delivery.confirmed_at)]
    if delivery.state == DeliveryState.PARKED:
        return [*steps, Step("Stuck", "parked", text=delivery.error or "")]
    if delivery.state == DeliveryState.CLOSED:
        return [*steps, Step("Closed", "closed", text=delivery.error or "")]
    if not sent_at:
        steps.append(Step("Sent to Autotask", todo=True, text=delivery.error or ""))
    return [*steps, Step("Confirmed in Autotask", todo=True)]
