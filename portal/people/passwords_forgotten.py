"""A forgotten password: a link to the address that is known. Known and unknown addresses cost the same work."""

from datetime import datetime, timedelta

from sqlalchemy import select

from portal import clock
from portal.access import factor_resets, passwords, security_events, sessions
from portal.access.actor import Actor
from portal.access.tenancy import people_scope, system_scope
from portal.extensions import db
from portal.mail import outbox
from portal.models import LinkPurpose, LoginSession, MailKind, Membership, ResetOutcome, Tenant, User
from portal.people import links

LASTS = timedelta(hours=1)


def ask(email: str) -> None:
    """Sends a link to whoever logs in with this address. For all others the same is done, and taken back. Commits."""
    with people_scope():
        user = sessions.find_user(email)
        known = user if user is not None and user.disabled_at is None else None
        with db.session.begin_nested() as kept:
            _send(known, email)
            if known is None:
                kept.rollback()
        db.session.commit()


def hand_out(actor: Actor, user: User) -> tuple[str, datetime]:
    """The path of a link that whoever runs the portal gives to the person, and until when it works.

    The person and the logs of their partners are told. The caller commits.
    """
    with people_scope():
        path, until = _send(user, user.email)
    security_events.record(user, security_events.PASSWORD_LINK, actor, by=security_events.who(actor))
    return path, until


def _send(user: User | None, email: str) -> tuple[str, datetime]:
    to = user.email if user else email
    token = links.make(LinkPurpose.PASSWORD_RESET, user.id if user else None, to, LASTS)
    path, until = links.path("password", token), clock.now() + LASTS
    outbox.write(
        MailKind.PASSWORD_RESET,
        to=to,
        user_id=user.id if user else None,
        link=path,
        expires_at=until,
        expires=until,
    )
    return path, until


def is_first(token: str) -> bool:
    """Whether this link is a staff person's invitation: nobody logged in as them yet. Others chose one when they came."""
    link = links.login_link(token, LinkPurpose.PASSWORD_RESET)
    come = select(LoginSession.id).where(LoginSession.user_id == link.user_id).exists()
    with people_scope():
        invited = select(User.id).where(User.id == link.user_id, User.is_staff, ~come)
        return db.session.scalar(invited) is not None


def set_new(token: str, password: str) -> User:
    """The new password, and nobody stays logged in with the old one. Raises DeadLink, or WeakPassword.

    It logs nobody in: what else a login asks for is asked as always. The caller commits.
    """
    factor_resets.hold(links.login_link(token, LinkPurpose.PASSWORD_RESET).user_id)
    link = links.login_link(token, LinkPurpose.PASSWORD_RESET, lock=True)
    user = db.session.get_one(User, link.user_id)
    if user.disabled_at is not None:
        raise links.DeadLink
    about = [user.email, user.name, *_partners_names(user)]
    user.password_hash = passwords.hashed(password, about)
    link.used_at = clock.now()
    links.end_all(user.id, LinkPurpose.PASSWORD_RESET)
    if factor_resets.end_open(user.id, ResetOutcome.WITHDRAWN):
        security_events.note_kept(user, "new password")
    sessions.end_all(user.id)
    security_events.record(user, security_events.PASSWORD_CHANGED)
    return user


def _partners_names(user: User) -> list[str]:
    """What the person's partners are called: no part of a password that is hard to guess."""
    mine = select(Tenant.name, Tenant.slug).join(Membership, Membership.tenant_id == Tenant.id)
    with system_scope():
        rows = db.session.execute(mine.where(Membership.user_id == user.id)).all()
    return [word for row in rows for word in row]
