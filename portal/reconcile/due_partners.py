"""Which partners have something due: the only questions that look across partners."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from portal.access.tenancy import system_scope
from portal.extensions import db
from portal.models import AUTOTASK, Delivery, DeliveryState, IntegrationState, IntegrationStatus, Tenant
from portal.reconcile import timing

MOST = 500


def tenants_to_deliver() -> list[int]:
    """Partners with a delivery due now and Autotask connected, longest due first. Ends its transaction."""
    return _tenants(timing.due(func.clock_timestamp()), order=func.min(Delivery.next_try_at))


def tenants_to_look_at() -> list[int]:
    """Partners whose sides are due for a comparison. Ends its transaction."""
    settled = Delivery.state.in_((DeliveryState.CONFIRMED, DeliveryState.PARKED))
    return _tenants(settled, Delivery.look_at <= func.clock_timestamp(), order=func.min(Delivery.look_at))


def oldest() -> datetime | None:
    """Since when the delivery waits that has been due for longest and that nobody works on."""
    since = func.greatest(Delivery.next_try_at, Delivery.lease_until, Delivery.wished_at)
    with system_scope():
        return db.session.scalar(_of_all(select(func.min(since)), timing.due(func.clock_timestamp())))


def _tenants(*conditions: Any, order: Any) -> list[int]:
    query: Select[int] = _of_all(select(Delivery.tenant_id), *conditions)
    query = query.group_by(Delivery.tenant_id).order_by(order).limit(MOST)
    with system_scope():
        found = list(db.session.scalars(query))
        db.session.commit()
    return found


def _of_all(query: Select[Any], *conditions: Any) -> Select[Any]:
    """Restricted to partners whose deliveries may go out now."""
    return (
        query.join(IntegrationStatus, IntegrationStatus.tenant_id == Delivery.tenant_id)
        .join(Tenant, Tenant.id == Delivery.tenant_id)
        .where(
            Tenant.disabled_at.is_(None),
            IntegrationStatus.kind == AUTOTASK,
            IntegrationStatus.state == IntegrationState.CONNECTED,
            *conditions,
        )
    )
