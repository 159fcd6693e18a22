"""One's own login: where it is open, and what happened to it."""

from sqlalchemy import select

from portal.access import lifetimes
from portal.access.tenancy import people_scope
from portal.extensions import db
from portal.models import LoginSession, SecurityEvent, User
from portal.queries import cut

RECENT, MOST_EVENTS = 20, 10_000


def open_logins(user: User) -> list[LoginSession]:
    """Browsers that are logged in now, the latest used first."""
    mine = select(LoginSession).where(LoginSession.user_id == user.id, LoginSession.ended_at.is_(None))
    with people_scope():
        found = db.session.scalars(
            mine.order_by(LoginSession.last_used_at.desc(), LoginSession.id.desc())
        ).all()
    return [login for login in found if lifetimes.lives(login)]


def events(user: User, *, all_of_them: bool) -> cut.Some:
    """What happened to the login, the latest first."""
    mine = select(SecurityEvent).where(SecurityEvent.user_id == user.id)
    with people_scope():
        return cut.first(mine.order_by(SecurityEvent.id.desc()), MOST_EVENTS if all_of_them else RECENT)
