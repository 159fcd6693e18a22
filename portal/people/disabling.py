"""A person, or a whole partner, is let in no more for a while: nothing is lost, and all comes back."""

from collections.abc import Iterator

from sqlalchemy import select

from portal import clock, connect
from portal.access import audit, security_events, sessions, staff_log, told_events
from portal.access.actor import Actor
from portal.access.tenancy import people_scope, scoped, system_scope, tenant_scope
from portal.extensions import db
from portal.models import Membership, RunState, SyncRun, Tenant, User
from portal.people import team
from portal.sync import runs


class NoReason(ValueError):
    """A partner is not disabled without a reason that its people can read."""


def disable_user(actor: Actor, user: User) -> bool:
    """Ends the person's sessions and lets them in nowhere. False when it was so already. The caller commits."""
    return _set_disabled(actor, user, "user.disabled", disabled=True)


def enable_user(actor: Actor, user: User) -> bool:
    """Lets the person in again, by a new login. False when it was so already. The caller commits."""
    return _set_disabled(actor, user, "user.enabled", disabled=False)


def _set_disabled(actor: Actor, user: User, event: str, *, disabled: bool) -> bool:
    if disabled == (user.disabled_at is not None):
        return False
    with people_scope():
        user.disabled_at = clock.now() if disabled else None
        db.session.flush()
        sessions.end_all(user.id)
        db.session.flush()
    _tell_partners(actor, user, event)
    told = told_events.DISABLED if disabled else told_events.ENABLED
    security_events.tell(user, told, by=security_events.who(actor))
    return True


def sign_out(actor: Actor, user: User) -> int:
    """Ends the person's sessions everywhere; how many there were. The caller commits."""
    with people_scope():
        running = sessions.end_all(user.id)
        db.session.flush()
    _tell_partners(actor, user, "user.signed_out")
    security_events.tell(user, security_events.SIGNED_OUT, by=security_events.who(actor))
    return running


def _tell_partners(actor: Actor, user: User, event: str) -> None:
    """Writes the event into the log of each partner that the person belongs to."""
    for _ in _partners_of(user.id):
        audit.record(actor, event, "user", user.id, email=user.email)


def keys_made_by(user: User) -> list[dict[str, str]]:
    """The API keys that the person made anywhere and that still open something: partner, name, begins with."""
    return [
        {"partner": slug, "name": key.name, "begins_with": key.prefix}
        for slug in _partners_of(user.id)
        for key in team.keys_made_by(user.id)
    ]


def _partners_of(user_id: int) -> Iterator[str]:
    """The slug of each partner of a person, inside that partner's scope."""
    with system_scope():
        found = db.session.execute(
            select(Tenant.id, Tenant.slug)
            .join(Membership, Membership.tenant_id == Tenant.id)
            .where(Membership.user_id == user_id)
            .order_by(Tenant.id)
        ).all()
    for tenant_id, slug in found:
        with tenant_scope(tenant_id):
            yield slug


def disable_partner(actor: Actor, partner: Tenant, reason: str) -> bool:
    """Stops its people, API keys, syncs and deliveries, at their next step. False when it was so already.

    In the partner's scope. The caller commits.
    """
    if not reason:
        raise NoReason("Say why: the partner's people read it on the page that is shut.")
    if partner.disabled_at is not None:
        return False
    partner.disabled_at, partner.disabled_reason = clock.now(), reason
    details = {"reason": reason, "deliveries_owed": connect.owed_deliveries()}
    for run in db.session.scalars(scoped(SyncRun).where(SyncRun.state == RunState.RUNNING)).all():
        runs.cancel(actor, run)
    audit.record(actor, "partner.disabled", "partner", partner.id, **details)
    staff_log.record(actor, "partner.disabled", partner_id=partner.id, **details)
    return True


def enable_partner(actor: Actor, partner: Tenant) -> bool:
    """All goes on where it stopped. False when it was so already. In the partner's scope; the caller commits."""
    if partner.disabled_at is None:
        return False
    partner.disabled_at, partner.disabled_reason = None, ""
    audit.record(actor, "partner.enabled", "partner", partner.id)
    staff_log.record(actor, "partner.enabled", partner_id=partner.id)
    return True
