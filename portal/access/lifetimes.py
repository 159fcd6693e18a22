"""How long a signed-in browser stays signed in."""

from datetime import timedelta

from portal import clock
from portal.models import LoginSession

IDLE = {False: timedelta(hours=2), True: timedelta(minutes=30)}  # by is_staff
ABSOLUTE = {False: timedelta(hours=24), True: timedelta(hours=12)}


def lives(login: LoginSession) -> bool:
    """Whether the login has neither ended nor gone stale, and its user may still come in."""
    if login.ended_at is not None or login.user.disabled_at is not None:
        return False
    now, staff = clock.now(), login.user.is_staff
    return now - login.last_used_at <= IDLE[staff] and now - login.created_at <= ABSOLUTE[staff]
