"""Another e-mail address for a login: confirmed by a link at the old address and by one at the new."""

import secrets
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from portal import clock
from portal.access import security_events, sessions, told_events
from portal.access.tenancy import people_scope
from portal.extensions import db
from portal.mail import outbox
from portal.models import LinkPurpose, LoginLink, MailKind, User
from portal.people import links

LASTS = timedelta(hours=24)
BOTH = (LinkPurpose.EMAIL_OLD, LinkPurpose.EMAIL_NEW)


class Taken(ValueError):
    """Somebody logs in with the new address by now."""


def ask(user: User, new: str) -> None:
    """Sends a link to each address; those of a change asked for before end. Never commits.

    To an address that somebody logs in with already nothing is sent; the answer is the same.
    """
    pair = secrets.token_urlsafe(16)
    with people_scope():
        links.end_all(user.id, *BOTH)
        _send(MailKind.EMAIL_CHANGE_OLD, LinkPurpose.EMAIL_OLD, user, user.email, pair, new_address=new)
        if sessions.find_user(new) is None:
            _send(MailKind.EMAIL_CHANGE_NEW, LinkPurpose.EMAIL_NEW, user, new, pair)
        db.session.flush()


def _send(
    kind: MailKind, purpose: LinkPurpose, user: User, to: str, pair: str, *, new_address: str = ""
) -> None:
    token, until = links.make(purpose, user.id, to, LASTS, pair), clock.now() + LASTS
    words = {"new_address": new_address} if new_address else {}
    link = links.path("email", token)
    outbox.write(kind, to=to, user_id=user.id, link=link, expires_at=until, expires=until, **words)


def confirm(token: str) -> tuple[User, str]:
    """Uses one of the two links; the address changes with the second, and ends all sessions.

    The person and their new address, "" while the other link is not used yet. Raises DeadLink, Taken. The caller
    commits.
    """
    link = _held(token)
    link.used_at = clock.now()
    user = db.session.get_one(User, link.user_id)
    both = db.session.scalars(select(LoginLink).where(LoginLink.pair == link.pair)).all()
    if {one.purpose for one in both if one.used_at is not None} != set(BOTH):
        return user, ""
    before, new = user.email, next(one.email for one in both if one.purpose == LinkPurpose.EMAIL_NEW)
    try:
        user.email = new
        db.session.flush()
    except IntegrityError as error:
        db.session.rollback()
        raise Taken from error
    links.end_all(user.id)
    sessions.end_all(user.id)
    security_events.record(user, security_events.EMAIL_CHANGED, also_to=before, before=before, after=new)
    return user, new


def refuse(token: str) -> User:
    """Whoever has the old address did not ask for this: both links end, and all sessions. The caller commits."""
    link = links.login_link(token, LinkPurpose.EMAIL_OLD, lock=True)
    links.end_all(link.user_id, *BOTH)
    user = db.session.get_one(User, link.user_id)
    sessions.end_all(user.id)
    security_events.tell(user, told_events.CHANGE_REFUSED)
    return user


def _held(token: str) -> LoginLink:
    """The link, with the person's row held: the two links used at once come one after the other."""
    seen = links.login_link(token, *BOTH)
    db.session.execute(select(User.id).where(User.id == seen.user_id).with_for_update())
    return links.login_link(token, *BOTH, lock=True)
