"""One's own login: where it is open, and what happened to it."""

from sqlalchemy import select

from portal.access import lifetimes
from portal.access.tenancy import people_scope
from portal.extensions import db
from portal.models import LoginSession, SecurityEvent, User
from portal.queries import cut

RECENT, MOST_EVENTS = 20, 10_000
LOGINS_SHOWN = 50


def open_logins(user: User) -> cut.Some:
    """Browsers that are logged in now, the latest used first."""
    order = LoginSession.last_used_at.desc(), LoginSession.id.desc()
    with people_scope():
        return cut.first(select(LoginSession).where(*lifetimes.living(user)).order_by(*order), LOGINS_SHOWN)


def open_login(user: User, login_session_id: int) -> LoginSession | None:
    """One of them."""
    one = LoginSession.id == login_session_id
    with people_scope():
        return db.session.scalar(select(LoginSession).where(one, *lifetimes.living(user)))


def events(user: User, *, all_of_them: bool) -> cut.Some:
    """What happened to the login, the latest first."""
    mine = select(SecurityEvent).where(SecurityEvent.user_id == user.id)
    with people_scope():
        return cut.first(mine.order_by(SecurityEvent.id.desc()), MOST_EVENTS if all_of_them else RECENT)
