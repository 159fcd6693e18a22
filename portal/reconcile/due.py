"""What is due, and which partners have it: the only questions that look across partners."""

from typing import Any

from sqlalchemy import Select, and_, func, or_, select

from portal.access.tenancy import system_scope
from portal.extensions import db
from portal.models import Delivery, DeliveryState, IntegrationState, IntegrationStatus

MOST = 500


def is_due(now: Any) -> Any:
    """`protocol.is_due` as a condition on deliveries: its time has come, and nobody is at work on it."""
    free = or_(Delivery.lease_until.is_(None), Delivery.lease_until < now)
    time_has_come = or_(Delivery.state == DeliveryState.SENDING, Delivery.next_try_at <= now)
    return and_(Delivery.state != DeliveryState.CONFIRMED, free, time_has_come)


def tenants_to_deliver() -> list[int]:
    """Partners with a delivery due now and Autotask connected, longest due first. Ends its transaction."""
    return _tenants(is_due(func.clock_timestamp()), order=func.min(Delivery.next_try_at))


def tenants_to_look_at() -> list[int]:
    """Partners whose sides are due for a comparison. Ends its transaction."""
    settled = Delivery.state.in_((DeliveryState.CONFIRMED, DeliveryState.PARKED))
    return _tenants(settled, Delivery.look_at <= func.clock_timestamp(), order=func.min(Delivery.look_at))


def _tenants(*conditions: Any, order: Any) -> list[int]:
    query: Select[int] = (
        select(Delivery.tenant_id)
        .join(IntegrationStatus, IntegrationStatus.tenant_id == Delivery.tenant_id)
        .where(
            IntegrationStatus.kind == "autotask",
            IntegrationStatus.state == IntegrationState.CONNECTED,
            *conditions,
        )
        .group_by(Delivery.tenant_id)
        .order_by(order)
        .limit(MOST)
    )
    with system_scope():
        found = list(db.session.scalars(query))
        db.session.commit()  # nothing is written; but after a rollback psycopg forgets its prepared statements
    return found
