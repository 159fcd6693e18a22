"""An owner agrees that support works in the partner's name, for a time; it is taken back at once."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from portal import clock
from portal.access import audit, support_visits
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id
from portal.access.visiting import agreed
from portal.extensions import db
from portal.models import SupportAccess, SupportVisit, Tenant

SHORTEST, LONGEST = timedelta(hours=1), timedelta(days=7)


class CannotGive(ValueError):
    """Support may not act; the message says why."""


def give(actor: Actor, lasts: timedelta) -> datetime:
    """Support may act from now on, until when is returned; what was agreed to before ends. The caller commits."""
    if not SHORTEST <= lasts <= LONGEST:
        raise CannotGive("Choose a time between one hour and seven days.")
    partner = _held()
    if partner.support_access == SupportAccess.OFF:
        raise CannotGive("Support may not come in at all. Let it look first, under Settings, Company.")
    now = clock.now()
    partner.support_act_given_at, partner.support_act_given_by_id = now, actor.user_id
    partner.support_act_until = now + lasts
    audit.record(actor, "support_consent.given", "partner", partner.id, until=partner.support_act_until)
    return partner.support_act_until


def mark(partner: Tenant) -> str:
    """What tells one agreement from another one; empty where there is none now."""
    until = partner.support_act_until
    return until.astimezone(UTC).isoformat() if until is not None and agreed(partner) else ""


def take_back(actor: Actor, only: str = "") -> bool:
    """Support acts no more, and visits that do are over. The caller commits.

    False where nothing was agreed to, or not what `only`, a mark, names.
    """
    partner = _held()
    if not agreed(partner) or only not in ("", mark(partner)):
        return False
    partner.support_act_until = None
    _end_visits(actor, acting=True)
    audit.record(actor, "support_consent.taken_back", "partner", partner.id)
    return True


def shut_out(actor: Actor, partner: Tenant) -> None:
    """Support is inside no more, and what was agreed to does not come back. The caller commits."""
    partner.support_act_until = None
    _end_visits(actor)


def _end_visits(actor: Actor, *, acting: bool = False) -> None:
    running = select(SupportVisit).where(
        SupportVisit.tenant_id == current_tenant_id(),
        SupportVisit.ended_at.is_(None),
        SupportVisit.expires_at > clock.now(),
    )
    mine = running.where(SupportVisit.acts) if acting else running
    held = mine.order_by(SupportVisit.id).with_for_update()  # all of them before the first writes to the log
    for visit in db.session.scalars(held).all():
        support_visits.stop(visit, actor.user_id, actor.request_id)


def _held() -> Tenant:
    """The partner, for this transaction alone; others may still write rows that belong to it."""
    alone = {"key_share": True}
    return db.session.get_one(Tenant, current_tenant_id(), with_for_update=alone, populate_existing=True)
