"""A partner is made, with an invitation for its first owner."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import available_timezones

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from portal.access import audit, staff_log
from portal.access.actor import Actor
from portal.access.tenancy import scoped, tenant_scope
from portal.extensions import db
from portal.models import Invitation, Membership, Role, Tenant
from portal.money import is_currency
from portal.people import invitations

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")


class CannotMake(ValueError):
    """No partner is made; the message says why, `field` where."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


def make(actor: Actor, name: str, slug: str, time_zone: str, currency: str, owner: str = "") -> Tenant:
    """Makes a partner, and invites `owner` by mail where an address is given. The caller commits, in any scope."""
    _refuse(slug, time_zone, currency)
    partner = Tenant(name=name, slug=slug, time_zone=time_zone, default_currency=currency)
    try:
        with db.session.begin_nested():
            db.session.add(partner)
    except IntegrityError as taken:
        raise CannotMake("slug", f"There is already a partner with the short name {slug!r}.") from taken
    with tenant_scope(partner.id):
        audit.record(actor, "partner.created", "partner", partner.id, name=name, slug=slug)
        if owner:
            try:
                invitations.invite(actor, owner, Role.OWNER, by_staff=True)
            except invitations.CannotInvite as refusal:
                raise CannotMake("owner", str(refusal)) from refusal
    staff_log.record(actor, "partner.created", partner_id=partner.id, name=name, owner=owner)
    return partner


class HasOwner(invitations.CannotInvite):
    """Its people are no longer staff's to invite."""


HAS_OWNER = "{name} has an owner by now, who invites and removes people under Settings, People."


def invite_owner(actor: Actor, partner: Tenant, email: str) -> Invitation:
    """Invites an owner where there is none yet. Raises CannotInvite. The caller commits, in any scope."""
    with _without_owner(partner):
        row, _ = invitations.invite(actor, email, Role.OWNER, by_staff=True)
    staff_log.record(actor, "partner.owner_invited", partner_id=partner.id, email=row.email)
    return row


def invite_owner_again(actor: Actor, partner: Tenant, invitation_id: int) -> Invitation:
    """Another link for another day, where there is no owner yet. Raises CannotInvite. The caller commits, in any scope."""
    with _without_owner(partner):
        row, _ = invitations.send_again(actor, invitation_id, by_staff=True)
    staff_log.record(actor, "partner.owner_invited", partner_id=partner.id, email=row.email)
    return row


def revoke_owner(actor: Actor, partner: Tenant, invitation_id: int) -> Invitation:
    """Its link opens nothing any more. Raises CannotInvite. Safe to call twice. The caller commits, in any scope."""
    with _without_owner(partner):
        row = invitations.revoke(actor, invitation_id)
    staff_log.record(actor, "partner.owner_invitation_revoked", partner_id=partner.id, email=row.email)
    return row


def has_owner() -> bool:
    """Whether the partner in scope has an owner; until then its people are staff's to invite."""
    owner = scoped(Membership).where(Membership.role == Role.OWNER).limit(1)
    return db.session.scalar(owner) is not None


@contextmanager
def _without_owner(partner: Tenant) -> Iterator[None]:
    with tenant_scope(partner.id):
        if has_owner():
            raise HasOwner(HAS_OWNER.format(name=partner.name))
        yield


def _refuse(slug: str, time_zone: str, currency: str) -> None:
    if not SLUG.fullmatch(slug):
        raise CannotMake("slug", "Use 1 to 60 lower-case letters, digits and hyphens.")
    if db.session.scalar(select(Tenant.id).where(Tenant.slug == slug)):
        raise CannotMake("slug", f"There is already a partner with the short name {slug!r}.")
    if not is_currency(currency):
        raise CannotMake(
            "currency", f"There is no currency {currency!r}. Give its three letters, such as USD."
        )
    if time_zone not in available_timezones():
        raise CannotMake("time_zone", f"There is no time zone {time_zone!r}. Give one like America/New_York.")
