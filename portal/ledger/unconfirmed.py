"""What Autotask has not confirmed yet: how many, since when, and why. Every page that tells of it reads this."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, Select, and_, case, func, or_, select

from portal.models import AUTOTASK, Delivery, DeliveryState, IntegrationState, IntegrationStatus

UNCONFIRMED = (DeliveryState.WAITING, DeliveryState.SENDING, DeliveryState.PARKED)
LATE_AFTER = timedelta(minutes=5)
# A poller in every worker looks once a second: what is due for longer is in nobody's hands.
TAKEN_UP_WITHIN = timedelta(minutes=1)


class Why(StrEnum):
    """The reason that keeps a delivery from being confirmed; the first that holds, in this order."""

    STUCK = "stuck"
    DISCONNECTED = "disconnected"
    REFUSED = "refused"
    IDLE = "idle"
    TROUBLE = "trouble"
    SENDING = "sending"


@dataclass(frozen=True)
class Group:
    """Deliveries that wait for the same reason. `late` of the `number` need a person, since `late_since`.

    `paid` tells deliveries of payments from those of deleted payments; `error` is one of their sentences.
    """

    why: Why
    number: int
    late: int
    since: datetime
    late_since: datetime | None
    error_kind: str
    error: str
    paid: bool
    busy: bool


def groups() -> Select[Any]:
    """One row a partner and reason; restrict it by `tenant_id`, or not, in the system's scope."""
    late = needs_a_person()
    return (
        select(
            Delivery.tenant_id,
            WHY.label("why"),
            Delivery.wish_paid_on.is_not(None).label("paid"),
            func.count().label("number"),
            func.count().filter(late).label("late"),
            func.min(Delivery.wished_at).label("since"),
            func.min(Delivery.wished_at).filter(late).label("late_since"),
            func.coalesce(Delivery.error_kind, "").label("error_kind"),
            func.coalesce(func.min(Delivery.error), "").label("error"),
            func.bool_or(func.coalesce(Delivery.lease_until > func.now(), False)).label("busy"),
        )
        .outerjoin(IntegrationStatus, OURS)
        .where(Delivery.state.in_(UNCONFIRMED))
        .group_by(Delivery.tenant_id, WHY, Delivery.error_kind, Delivery.wish_paid_on.is_not(None))
    )


def groups_from(rows: Iterable[Row[Any]]) -> Sequence[Group]:
    """The rows of one partner. While one delivery is being sent, the others that are due wait their turn."""
    found = [
        Group(Why(r.why), r.number, r.late, r.since, r.late_since, r.error_kind, r.error, r.paid, r.busy)
        for r in rows
    ]
    if not any(group.busy for group in found):
        return found
    return [
        Group(Why.SENDING, *list(vars(group).values())[1:]) if group.why == Why.IDLE else group
        for group in found
    ]


def needs_a_person() -> Any:
    """Condition on deliveries: stuck, or not confirmed for five minutes, whatever the reason.

    What was done before and only just became due again is not late: nothing has gone wrong with it yet.
    """
    limit = func.now() - LATE_AFTER
    tried = or_(Delivery.attempts > 0, Delivery.error.is_not(None))
    due = or_(Delivery.next_try_at.is_(None), Delivery.next_try_at <= limit)
    on_the_way = Delivery.state.in_((DeliveryState.WAITING, DeliveryState.SENDING))
    late = and_(on_the_way, Delivery.wished_at <= limit, or_(tried, due))
    return or_(Delivery.state == DeliveryState.PARKED, late)


def is_late(delivery: Delivery, now: datetime) -> bool:
    """`needs_a_person` for one delivery that is not stuck."""
    limit = now - LATE_AFTER
    tried = delivery.attempts > 0 or delivery.error is not None
    due = delivery.next_try_at is None or delivery.next_try_at <= limit
    on_the_way = delivery.state in (DeliveryState.WAITING, DeliveryState.SENDING)
    return on_the_way and delivery.wished_at <= limit and (tried or due)


def why_of(delivery: Delivery, integration_state: str | None, now: datetime) -> Why:
    """`WHY` for one delivery that is not confirmed."""
    if delivery.state == DeliveryState.PARKED:
        return Why.STUCK
    if integration_state in (None, IntegrationState.DISCONNECTED):
        return Why.DISCONNECTED
    if integration_state == IntegrationState.NEEDS_RECONNECTING:
        return Why.REFUSED
    leased = delivery.lease_until is not None and delivery.lease_until > now
    due = delivery.next_try_at is not None and delivery.next_try_at <= now - TAKEN_UP_WITHIN
    if due and not leased:
        return Why.IDLE
    return Why.TROUBLE if delivery.error is not None else Why.SENDING


OURS: Any = (IntegrationStatus.tenant_id == Delivery.tenant_id) & (IntegrationStatus.kind == AUTOTASK)
WHY: Any = case(
    (Delivery.state == DeliveryState.PARKED, Why.STUCK.value),
    (
        func.coalesce(IntegrationStatus.state, IntegrationState.DISCONNECTED.value)
        == IntegrationState.DISCONNECTED,
        Why.DISCONNECTED.value,
    ),
    (IntegrationStatus.state == IntegrationState.NEEDS_RECONNECTING, Why.REFUSED.value),
    (
        and_(
            Delivery.next_try_at <= func.now() - TAKEN_UP_WITHIN,
            or_(Delivery.lease_until.is_(None), Delivery.lease_until <= func.now()),
        ),
        Why.IDLE.value,
    ),
    (Delivery.error.is_not(None), Why.TROUBLE.value),
    else_=Why.SENDING.value,
)
