"""A partner's owner wants a person in: by a link in a mail that works once, for a day."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from portal import clock
from portal.access import audit, belonging, passwords, sessions
from portal.access.actor import Actor
from portal.access.permissions import Permission
from portal.access.tenancy import current_tenant_id, find_or_404, people_scope, scoped, tenant_scope
from portal.extensions import db
from portal.mail import outbox
from portal.models import Invitation, MailKind, Membership, Tenant, User
from portal.people import links

LASTS = timedelta(hours=24)
MOST_WAITING = 50


class CannotInvite(ValueError):
    """Nobody is invited; the message says why."""


class NotYours(Exception):
    """The link lives, but the person who is logged in is not the one it was sent to."""


def invite(actor: Actor, email: str, role: str, *, by_staff: bool = False) -> tuple[Invitation, str]:
    """An invitation and the path of its link. Whoever was invited before gets another link. The caller commits.

    Raises CannotInvite; Forbidden for who is no owner any more, unless staff invite the first one.
    """
    if not by_staff:
        belonging.hold(actor, Permission.USERS)
    _refuse(email)
    row = _waiting(email)
    if row is not None:
        row.role = role
        return row, _send(actor, row, "invitation.sent_again")
    if len(waiting()) >= MOST_WAITING:
        raise CannotInvite(
            f"{MOST_WAITING} invitations are waiting already. Revoke those that nobody answers."
        )
    row = Invitation(
        tenant_id=current_tenant_id(),
        email=email,
        role=role,
        token_hash=links.new_token()[1],
        made_by_id=actor.user_id,
        expires_at=clock.now(),
    )
    try:
        with db.session.begin_nested():
            db.session.add(row)
    except IntegrityError as taken:
        raise CannotInvite(f"{email} was invited by somebody else just now.") from taken
    return row, _send(actor, row, "invitation.sent")


def send_again(actor: Actor, invitation_id: int, *, by_staff: bool = False) -> tuple[Invitation, str]:
    """Another link for another day; the one before opens nothing any more. Raises as `invite`. The caller commits."""
    if not by_staff:
        belonging.hold(actor, Permission.USERS)
    row = _locked(invitation_id)
    if row.used_at is not None or row.revoked_at is not None:
        raise CannotInvite("This invitation was accepted or revoked meanwhile, so nothing was sent.")
    return row, _send(actor, row, "invitation.sent_again")


def revoke(actor: Actor, invitation_id: int) -> Invitation:
    """Its link opens nothing any more. Safe to call twice. The caller commits."""
    row = _locked(invitation_id)
    if row.used_at is None and row.revoked_at is None:
        row.revoked_at = clock.now()
        audit.record(actor, "invitation.revoked", "invitation", row.id, email=row.email, role=row.role)
    return row


def waiting() -> Sequence[Invitation]:
    """Those that nobody accepted yet, also when their day is over, newest first."""
    return db.session.scalars(
        scoped(Invitation)
        .where(Invitation.used_at.is_(None), Invitation.revoked_at.is_(None))
        .order_by(Invitation.id.desc())
    ).all()


def tied_to(user: User) -> Sequence[Invitation]:
    """Those that this person sent, or that wait for them, and that nobody accepted yet."""
    theirs = (Invitation.made_by_id == user.id) | (func.lower(Invitation.email) == user.email.lower())
    return db.session.scalars(
        scoped(Invitation)
        .where(theirs, Invitation.used_at.is_(None), Invitation.revoked_at.is_(None))
        .order_by(Invitation.id)
    ).all()


def has_login(email: str) -> bool:
    """Whether somebody logs in with this address already; outside every partner."""
    return sessions.find_user(email) is not None


def accept_as_new(token: str, name: str, password: str, request_id: str = "") -> User:
    """Makes the invited person with the role. Raises DeadLink, or WeakPassword. The caller commits."""
    seen = links.invitation_of(token)
    with tenant_scope(seen.tenant_id):
        row = links.lock_invitation(seen, token)
        partner = db.session.get_one(Tenant, row.tenant_id)
        about = [row.email, name, partner.name, partner.slug]
        user = _make_user(row.email, name, passwords.hashed(password, about))
        _join(row, user, request_id)
    return user


def accept(token: str, user: User, request_id: str = "") -> Tenant:
    """Gives the person who is logged in the role. Raises DeadLink, or NotYours. The caller commits."""
    seen = links.invitation_of(token)
    if user.email.lower() != seen.email.lower() or user.is_staff:
        raise NotYours
    with tenant_scope(seen.tenant_id):
        row = links.lock_invitation(seen, token)
        _join(row, user, request_id)
        return db.session.get_one(Tenant, row.tenant_id)


def _make_user(email: str, name: str, password_hash: str) -> User:
    user = User(email=email, name=name, password_hash=password_hash)
    try:
        with people_scope():
            db.session.add(user)
            db.session.flush()
    except IntegrityError as error:  # by another partner's invitation, a moment ago
        raise links.DeadLink from error
    return user


def _join(row: Invitation, user: User, request_id: str) -> None:
    """Using the link and the membership are one transaction. A member stays what they are."""
    row.used_at = clock.now()
    if _member(user.id) is None:
        db.session.add(Membership(tenant_id=row.tenant_id, user_id=user.id, role=row.role))
    db.session.flush()
    actor = Actor.of(user.id, request_id)
    audit.record(actor, "invitation.accepted", "user", user.id, email=row.email, role=row.role)


def _send(actor: Actor, row: Invitation, event: str) -> str:
    token, row.token_hash = links.new_token()
    row.sent_at = clock.now()
    row.expires_at = row.sent_at + LASTS
    db.session.flush()
    link = links.path("invitation", token)
    inviter = db.session.get(User, actor.user_id) if actor.user_id else None
    outbox.write(
        MailKind.INVITATION,
        to=row.email,
        link=link,
        expires_at=row.expires_at,
        partner=db.session.get_one(Tenant, row.tenant_id).name,
        inviter=inviter.label if inviter else "The portal's operator",
        role=row.role,
        expires=row.expires_at,
    )
    audit.record(actor, event, "invitation", row.id, email=row.email, role=row.role)
    return link


def _refuse(email: str) -> None:
    with people_scope():
        user = sessions.find_user(email)
    member = _member(user.id if user else 0)  # looked for in strangers too: how long it takes tells nothing
    if user is None:
        return
    if user.is_staff:
        raise CannotInvite(f"{email} belongs to support staff, who cannot also be a partner's people.")
    if member is not None:
        raise CannotInvite(f"{email} already belongs here, as {member.role}. Change the role in the list.")


def _member(user_id: int) -> Membership | None:
    return db.session.scalar(scoped(Membership).where(Membership.user_id == user_id))


def _waiting(email: str) -> Invitation | None:
    return db.session.scalar(
        scoped(Invitation)
        .where(
            func.lower(Invitation.email) == email.lower(),
            Invitation.used_at.is_(None),
            Invitation.revoked_at.is_(None),
        )
        .with_for_update()
    )


def _locked(invitation_id: int) -> Invitation:
    row = find_or_404(Invitation, invitation_id)
    return db.session.scalars(
        select(Invitation)
        .where(Invitation.tenant_id == row.tenant_id, Invitation.id == row.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
