"""A partner's own settings: what it is called, how its pages write dates, and whether support may look in."""

from typing import Any

from sqlalchemy import select

from portal import clock
from portal.access import audit, support
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import SupportAccess, SupportVisit, Tenant

FIELDS = ("name", "default_currency", "date_format", "support_access")


def change(actor: Actor, wanted: dict[str, Any]) -> bool:
    """Sets those of FIELDS that differ; whether any did. Without support's access its visits end. The caller commits."""
    partner = db.session.get_one(Tenant, current_tenant_id(), with_for_update=True, populate_existing=True)
    before = {name: getattr(partner, name) for name in FIELDS if getattr(partner, name) != wanted[name]}
    if not before:
        return False
    for name in before:
        setattr(partner, name, wanted[name])
    after = {name: wanted[name] for name in before}
    audit.record(actor, "partner.settings_changed", "partner", partner.id, before=before, after=after)
    if partner.support_access == SupportAccess.OFF and actor.user_id is not None:
        _end_visits(partner, actor.user_id)
    return True


def _end_visits(partner: Tenant, by_user_id: int) -> None:
    running = select(SupportVisit).where(
        SupportVisit.tenant_id == partner.id,
        SupportVisit.ended_at.is_(None),
        SupportVisit.expires_at > clock.now(),
    )
    for visit in db.session.scalars(running).all():
        support.stop(visit, by_user_id)
