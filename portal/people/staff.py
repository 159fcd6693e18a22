"""Support staff: invited by an administrator among them, let in no more, made an administrator or none."""

import secrets
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from portal import clock
from portal.access import passwords, sessions, staff_log
from portal.access.actor import Actor
from portal.access.tenancy import people_scope
from portal.extensions import db
from portal.mail import outbox
from portal.models import LinkPurpose, MailKind, User
from portal.people import disabling, links

LASTS = timedelta(hours=24)


class CannotChange(ValueError):
    """Nothing is changed; the message says why."""


def invite(actor: Actor, email: str, name: str, *, administrator: bool) -> User:
    """A staff person who sets a password by a link, and a second factor at the first login. The caller commits."""
    with people_scope():
        if sessions.find_user(email) is not None:
            raise CannotChange(
                f"{email} logs in already. Staff need an address that is used for nothing else."
            )
        nobody_knows = passwords.hashed_code(secrets.token_urlsafe(32))
        user = User(
            email=email, name=name, password_hash=nobody_knows, is_staff=True, staff_admin=administrator
        )
        try:
            with db.session.begin_nested():
                db.session.add(user)
        except IntegrityError as taken:
            raise CannotChange(f"{email} was invited by somebody else just now.") from taken
    _send(actor, user)
    staff_log.record(actor, "staff.invited", email=email, administrator=administrator)
    return user


def send_again(actor: Actor, user_id: int) -> User:
    """Another link for another day; the one before opens nothing any more. The caller commits."""
    user = _held(user_id)
    if user.disabled_at is not None:
        raise CannotChange(f"{user.label} is disabled, so no link was sent.")
    _send(actor, user)
    staff_log.record(actor, "staff.link_sent", email=user.email)
    return user


def set_disabled(actor: Actor, user_id: int, *, disabled: bool) -> User:
    """Lets a staff person in no more, at once, or again. The caller commits."""
    _hold_administrators()
    user = _held(user_id)
    if disabled:
        _refuse_the_last(actor, user)
        changed = disabling.disable_user(actor, user)
    else:
        changed = disabling.enable_user(actor, user)
    if changed:
        staff_log.record(actor, "staff.disabled" if disabled else "staff.enabled", email=user.email)
    return user


def set_administrator(actor: Actor, user_id: int, *, administrator: bool) -> User:
    """Whether this person looks after staff. The caller commits."""
    _hold_administrators()
    user = _held(user_id)
    if not administrator:
        _refuse_the_last(actor, user)
    if user.staff_admin != administrator:
        with people_scope():
            user.staff_admin = administrator
            db.session.flush()
        event = "staff.made_administrator" if administrator else "staff.no_administrator"
        staff_log.record(actor, event, email=user.email)
    return user


def _hold_administrators() -> None:
    """All of them, in one order and before anybody else: two who disable each other follow each other."""
    with people_scope():
        db.session.execute(select(User.id).where(User.staff_admin).order_by(User.id).with_for_update())


def _refuse_the_last(actor: Actor, user: User) -> None:
    if user.id == actor.true_user_id:
        raise CannotChange("You cannot do this to yourself. Another administrator can.")
    admins = select(User).where(User.staff_admin, User.disabled_at.is_(None))
    with people_scope():
        others = [one for one in db.session.scalars(admins) if one.id != user.id]
    if not others:
        raise CannotChange(f"{user.label} is the last administrator. Make somebody else one first.")


def _held(user_id: int) -> User:
    query = select(User).where(User.id == user_id, User.is_staff).with_for_update()
    with people_scope():
        user = (
            db.session.scalar(query.execution_options(populate_existing=True))
            if 0 < user_id < 2**63
            else None
        )
    if user is None:
        raise CannotChange("There is no such staff person.")
    return user


def _send(actor: Actor, user: User) -> None:
    until = clock.now() + LASTS
    token = links.make(LinkPurpose.PASSWORD_RESET, user.id, user.email, LASTS)
    with people_scope():
        inviter = db.session.get(User, actor.true_user_id) if actor.true_user_id else None
        outbox.write(
            MailKind.STAFF_INVITATION,
            to=user.email,
            user_id=user.id,
            link=links.path("password", token),
            expires_at=until,
            inviter=inviter.label if inviter else "The portal's operator",
            expires=until,
        )
