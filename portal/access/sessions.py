"""Signed-in browsers: a random token in the cookie, its hash in the database, so that it can be revoked."""

import hashlib
import hmac
import secrets
from datetime import timedelta
from urllib.parse import urlsplit

from flask import Response, current_app, flash, g, request, session, url_for
from flask_login import UserMixin, login_user, logout_user
from sqlalchemy import select

from portal import clock
from portal.access import lifetimes, passwords, support_visits, who_is
from portal.access.tenancy import people_scope
from portal.access.who_needs_a_factor import Step
from portal.extensions import db
from portal.models import LoginSession, User
from portal.web import htmx

TOUCH_EVERY = timedelta(minutes=1)


class SignedIn(UserMixin):
    """What Flask-Login carries: the user, the login session, and the token of the cookie."""

    def __init__(self, login: LoginSession, token: str) -> None:
        self.login, self.user, self.token = login, login.user, token

    def get_id(self) -> str:
        return self.token


def authenticate(email: str, password: str) -> User | None:
    """The user with this e-mail and password, or None; both failures take the same time."""
    user = find_user(email)
    right = passwords.matches(user.password_hash if user else None, password)
    return user if user and right and user.disabled_at is None else None


def find_user(email: str) -> User | None:
    """The user with this e-mail, whatever its case."""
    return db.session.scalar(select(User).where(db.func.lower(User.email) == email.strip().lower()))


def start(user: User) -> LoginSession:
    """Signs the browser in under a new token, after the password; whoever was signed in there is out.

    A second factor is still asked for, by `who_needs_a_factor`. The caller commits.
    """
    end()
    token = secrets.token_urlsafe(32)
    login = LoginSession(
        token_hash=_hash(token),
        user_id=user.id,
        user=user,
        proved_at=clock.now(),
        user_agent=request.user_agent.string[:300],
        address=request.remote_addr or "",
    )
    db.session.add(login)
    db.session.flush()
    login_user(SignedIn(login, token))
    return login


def renew(login: LoginSession) -> None:
    """The login goes on under a new token; the one before opens nothing any more. The caller commits."""
    token = secrets.token_urlsafe(32)
    login.token_hash = _hash(token)
    db.session.flush()
    login_user(SignedIn(login, token))


def end() -> None:
    """Signs the browser out on the server as well, and ends its support visit. The caller commits."""
    login = g.get("login_session")
    if login is not None:
        support_visits.end_with(login, g.get("request_id", ""))
        login.ended_at = clock.now()
    logout_user()
    session.clear()


def end_half_way(login: LoginSession) -> None:
    """Ends a login that was left before its second step; forms that are open stay good. The caller commits."""
    login.ended_at = clock.now()
    logout_user()


def end_all(user_id: int, but: LoginSession | None = None) -> int:
    """Signs a user out everywhere, or in all browsers but one; how many there were. The caller commits."""
    open_ones = select(LoginSession).where(LoginSession.user_id == user_id, LoginSession.ended_at.is_(None))
    with people_scope():
        found = [login for login in db.session.scalars(open_ones).all() if but is None or login.id != but.id]
    for login in found:
        end_one(login)
    return len(found)


def end_one(login: LoginSession) -> None:
    """Signs one browser out, and ends its support visit. The caller commits."""
    support_visits.end_with(login)
    with people_scope():
        login.ended_at = clock.now()
        db.session.flush()


def load(token: str) -> SignedIn | None:
    """The signed-in person of a cookie's token, or None when it ended or went stale."""
    login = who(token).login
    if login is None or not lifetimes.lives(login):
        return None
    return SignedIn(login, token)


def who(token: str) -> who_is.Found:
    """Whose token it is, and their partners, as it was when this request first asked."""
    if "who" not in g:
        g.who = who_is.read(_hash(token))
    found: who_is.Found = g.who
    return found


def is_due(login: LoginSession) -> bool:
    """Whether it is a while ago that the session was kept alive."""
    return clock.now() - login.last_used_at > TOUCH_EVERY


def touch(login: LoginSession) -> None:
    """Keeps a session alive; called for a person's requests, not for polls. The caller commits."""
    login.last_used_at = clock.now()


def ask_to_log_in() -> Response:
    """To the login page and back again; the whole page moves, also when a fragment asked."""
    if request.method != "GET":
        flash("You had been logged out, so nothing was saved. Log in, then do it once more.", "warning")
    return htmx.redirect(url_for("sessions.new", next=page_to_return_to()))


def ask_for_the_second_step(step: Step) -> Response:
    """To the page that asks for the factor, or sets one up, and back again."""
    page = "proofs.new" if step == Step.PROVE else "factors.index"
    return htmx.redirect(url_for(page, next=page_to_return_to()))


def page_to_return_to() -> str | None:
    """What was asked for, or the page that a form or a fragment came from."""
    if request.method == "GET" and not htmx.is_fragment() and not htmx.is_poll():
        return request.full_path.rstrip("?")
    came_from = urlsplit(request.referrer or "")
    if came_from.netloc != request.host:
        return None
    return came_from.path + (f"?{came_from.query}" if came_from.query else "")


def account_mark(email: str | None) -> str:
    """What tells the accounts of refused logins apart in the log, without telling whose they are."""
    key = str(current_app.config["SECRET_KEY"]).encode()
    return hmac.new(key, (email or "").strip().lower().encode(), "sha256").hexdigest()[:12]


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
