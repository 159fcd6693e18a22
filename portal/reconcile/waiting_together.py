"""A partner's waiting deliveries together: when Autotask as a whole does not answer, they wait as one."""

import random
from typing import Any

from sqlalchemy import func, select, update

from portal.access.tenancy import current_tenant_id, scoped
from portal.autotask.errors import AutotaskError
from portal.extensions import db
from portal.models import Delivery, DeliveryState
from portal.queue import DELIVERIES, bell
from portal.reconcile import timing
from portal.reconcile.failures import SHARED, Failure, failure_of

OUTAGES = ("unavailable", "untrusted")
MENDED = (*OUTAGES, "not_connected", "unauthorized")
HERD = (DeliveryState.WAITING, DeliveryState.PARKED)


def has_due() -> bool:
    """True when the partner in scope has a delivery that is due now, and not in another worker's hands."""
    query = scoped(Delivery).where(timing.due(func.clock_timestamp())).limit(1)
    found = db.session.scalar(query.with_only_columns(Delivery.id))
    db.session.commit()
    return found is not None


def wait_like(delivery_id: int) -> None:
    """This delivery met what all would meet: they wait until the same time, no try of theirs is counted."""
    met = db.session.get_one(Delivery, (current_tenant_id(), delivery_id), populate_existing=True)
    if met.next_try_at is None or met.error_kind not in SHARED:
        db.session.commit()
        return
    latest = select(func.max(Delivery.next_try_at)).where(
        Delivery.tenant_id == current_tenant_id(), Delivery.error_kind == met.error_kind
    )
    until = db.session.scalar(latest) or met.next_try_at
    _herd(Delivery.next_try_at < until, next_try_at=until, error=met.error, error_kind=met.error_kind)
    db.session.commit()


def hurry(kinds: tuple[str, ...] = OUTAGES) -> None:
    """Autotask answers again, or (MENDED) the login was accepted: what waited for that is due now."""
    now = func.clock_timestamp()
    _herd(Delivery.error_kind.in_(kinds) & (Delivery.next_try_at > now), next_try_at=now)
    db.session.commit()


def mended() -> None:
    """The login was accepted again: what waited for that goes out now, and the workers hear of it. Commits."""
    hurry(MENDED)
    bell(DELIVERIES, "jobs.deliver.deliver_due", current_tenant_id())


def explain(error: AutotaskError) -> None:
    """Says on every waiting delivery why; they go on by themselves when Autotask is connected again."""
    failure = failure_of(error)
    waits = (Delivery.state == DeliveryState.WAITING) & Delivery.error.is_distinct_from(failure.sentence)
    _herd(waits, error=failure.sentence, error_kind=failure.kind)
    db.session.commit()


def pause(failure: Failure) -> None:
    """What failed before any delivery was tried fails for all: none is due before the pause is over."""
    seconds = (failure.pause or timing.WITHOUT_A_TRY_PAUSE) + random.uniform(0.0, 5.0)  # noqa: S311
    until = func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    _herd(Delivery.next_try_at < until, next_try_at=until)
    db.session.commit()


def _herd(condition: Any, **values: Any) -> None:
    db.session.execute(
        update(Delivery)
        .where(Delivery.tenant_id == current_tenant_id(), Delivery.state.in_(HERD), condition)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
