"""Finds over all partners what their people should hear, and tells it. Safe to run twice and at the same time.

One statement a kind looks across partners; only where there is something to tell, a partner is entered.
"""

from collections.abc import Callable
from functools import partial

import structlog

from portal import formatters
from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import Tenant
from portal.notices import digest, late_and_stuck, people, visits, webhooks

log = structlog.get_logger(__name__)


def sweep() -> None:
    """Commits partner by partner; one that cannot be told holds up no other."""
    for kind in late_and_stuck.STANDING:
        for tenant_id in late_and_stuck.over_at(kind):
            _inside(tenant_id, partial(late_and_stuck.end, kind))
        for tenant_id in late_and_stuck.begun_at(kind):
            _inside(tenant_id, partial(late_and_stuck.begin, kind))
    for tenant_id, visit_id in visits.to_tell():
        tell_visit(tenant_id, visit_id)
    for tenant_id, member_id in people.to_tell():
        _inside(tenant_id, partial(people.tell_person, member_id))
    for tenant_id, endpoint_id in webhooks.to_tell():
        _inside(tenant_id, partial(webhooks.tell, endpoint_id))
    for tenant_id in digest.to_tell():
        _inside(tenant_id, digest.tell)


def tell_visit(tenant_id: int, visit_id: int) -> None:
    """A visit whose beginning or end was not told by whoever began or ended it. Commits."""
    _inside(tenant_id, partial(visits.tell, visit_id))


def _inside(tenant_id: int, tell: Callable[[Tenant], None]) -> None:
    try:
        with tenant_scope(tenant_id):
            partner = db.session.get_one(Tenant, tenant_id, populate_existing=True)
            with formatters.written_for(partner):
                tell(partner)
            db.session.commit()
    except Exception:
        db.session.rollback()
        log.exception("notice.not_told", tenant_id=tenant_id)
