"""Roles of a partner's people: changed and taken away, and never so that no owner is left.

Whoever changes or removes somebody holds the owners' rows until the end of the transaction: of two owners who demote
each other one is first, and the other is no owner any more.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import insert
from werkzeug.exceptions import Forbidden

from portal import clock
from portal.access import api_keys, audit, security_events, sessions, told_events
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id, find_or_404, people_scope, scoped
from portal.extensions import db
from portal.models import ApiKey, Membership, PastMember, Role, Tenant, User
from portal.people import invitations

LAST_OWNER = (
    "{who} is the only owner who can log in. Make somebody else an owner first: somebody must be able to "
    "connect Autotask and to let people in."
)


class CannotChange(ValueError):
    """Nobody's role changes; the message says why."""


class Untold(Exception):
    """The person made a key, or an invitation, after the page told which ones there are."""


def set_role(actor: Actor, member_id: int, role: str) -> Membership:
    """Gives a person another role and ends their sessions. Safe to call twice. The caller commits.

    Raises CannotChange for the last owner, NotFound for who is not here, Forbidden for who is no owner any more.
    """
    owners = _hold_owners(actor)
    member = _member(member_id)
    if member.role == role:
        return member
    _refuse_last(owners, member)
    before, member.role = member.role, role
    audit.record(
        actor,
        "user.role_changed",
        "user",
        member.user_id,
        email=member.user.email,
        before=before,
        after=role,
    )
    _sign_out(actor, member.user, told_events.ROLE_CHANGED, before=before, after=role)
    return member


def told(member: Membership) -> str:
    """What the page of a removal tells: whose it is, and the keys and invitations that there are."""
    keys, waiting = keys_made_by(member.user_id), invitations.tied_to(member.user)
    return ",".join(
        str(number) for number in (member.id, *(key.id for key in keys), *(one.id for one in waiting))
    )


def remove(actor: Actor, member_id: int, revoked_keys: Collection[int] = (), was_told: str = "") -> User:
    """Takes a person out of the partner, ends their sessions, and revokes those of their keys. The caller commits.

    Invitations that they sent, or that wait for them, are withdrawn: nobody comes in by their word any more.
    What they did stays, with their name. Raises as `set_role` does, and Untold where `was_told` is not `told` any more.
    """
    owners = _hold_owners(actor)
    member = _member(member_id)
    if was_told and was_told != told(member):
        raise Untold
    _refuse_last(owners, member)
    user = member.user
    made = {key.id for key in keys_made_by(user.id)}
    for key_id in sorted(made & set(revoked_keys)):
        api_keys.revoke(actor, key_id)
    for waiting in invitations.tied_to(user):
        invitations.revoke(actor, waiting.id)
    _remember(member)
    audit.record(actor, "user.removed", "user", user.id, email=user.email, role=member.role)
    role = member.role
    db.session.delete(member)
    db.session.flush()
    _sign_out(actor, user, told_events.REMOVED, role=role)
    return user


def keys_made_by(user_id: int) -> Sequence[ApiKey]:
    """The API keys that a person made and that still open something."""
    return db.session.scalars(
        scoped(ApiKey).where(ApiKey.created_by_id == user_id, ApiKey.revoked_at.is_(None)).order_by(ApiKey.id)
    ).all()


def is_last_owner(member: Membership) -> bool:
    """Whether nobody would be left who can let people in."""
    owners = db.session.scalars(_owners()).all()
    return [owner.id for owner in owners] == [member.id]


def _owners() -> Select[Membership]:
    return (
        scoped(Membership)
        .join(User, User.id == Membership.user_id)
        .where(Membership.role == Role.OWNER, User.disabled_at.is_(None))
        .order_by(Membership.id)
    )


def _hold_owners(actor: Actor) -> set[int]:
    """Ids of the memberships of those who own the partner now, held until the transaction ends."""
    held = db.session.scalars(
        _owners().with_for_update(of=Membership).execution_options(populate_existing=True)
    ).all()
    if actor.user_id is not None and actor.user_id not in {owner.user_id for owner in held}:
        raise Forbidden
    return {owner.id for owner in held}


def _member(member_id: int) -> Membership:
    row = find_or_404(Membership, member_id)
    held = db.session.scalar(
        select(Membership)
        .where(Membership.tenant_id == row.tenant_id, Membership.id == row.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if held is None:
        raise CannotChange("This person was removed meanwhile.")
    return held


def _refuse_last(owners: set[int], member: Membership) -> None:
    if owners == {member.id}:
        raise CannotChange(LAST_OWNER.format(who=member.user.label))


def _remember(member: Membership) -> None:
    left = {"role": member.role, "removed_at": clock.now()}
    statement = insert(PastMember).values(tenant_id=member.tenant_id, user_id=member.user_id, **left)
    db.session.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "user_id"], set_=left))


def _sign_out(actor: Actor, user: User, event: str, **details: str) -> None:
    """Ends the person's sessions, and tells them why."""
    db.session.flush()  # people's scope sees no partner's rows, and writes none
    partner = db.session.get_one(Tenant, current_tenant_id()).name
    with people_scope():
        sessions.end_all(user.id)
        db.session.flush()
    security_events.tell(user, event, partner=partner, by=security_events.who(actor), **details)
