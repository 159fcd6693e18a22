"""How long a signed-in browser stays signed in."""

from datetime import timedelta

from sqlalchemy import ColumnElement

from portal import clock
from portal.models import LoginSession, User

IDLE = {False: timedelta(hours=2), True: timedelta(minutes=30)}  # by is_staff
ABSOLUTE = {False: timedelta(hours=24), True: timedelta(hours=12)}


def living(user: User) -> tuple[ColumnElement[bool], ...]:
    """What `lives` asks, of a person's logins in the database."""
    now, staff = clock.now(), user.is_staff
    return (
        LoginSession.user_id == user.id,
        LoginSession.ended_at.is_(None),
        LoginSession.last_used_at >= now - IDLE[staff],
        LoginSession.created_at >= now - ABSOLUTE[staff],
    )


def lives(login: LoginSession) -> bool:
    """Whether the login has neither ended nor gone stale, and its user may still come in."""
    if login.ended_at is not None or login.user.disabled_at is not None:
        return False
    now, staff = clock.now(), login.user.is_staff
    return now - login.last_used_at <= IDLE[staff] and now - login.created_at <= ABSOLUTE[staff]
