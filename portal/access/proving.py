"""Proving that it is you: a code, a recovery code or a passkey, or the password where no factor is set.

Wrong ones are counted in PostgreSQL, each person's by themselves, before anything is compared; what looks like a
recovery code only against its own address, because nobody guesses one (docs/limits.md).
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from portal import clock
from portal.access import factor_resets, factors, passwords, recovery_codes, security_events, sessions, totp
from portal.access.tenancy import people_scope
from portal.extensions import db
from portal.formatters import plural
from portal.models import Factor, FactorKind, LoginSession, ResetOutcome, User
from portal.web import limits
from portal.web.limits import TooMany

WRONG, WRONG_PASSWORD = "There were too many wrong codes.", "There were too many wrong passwords."
IN_A_QUARTER, IN_A_DAY = 5, 20
QUARTER, DAY = timedelta(minutes=15), timedelta(days=1)


def with_code(login: LoginSession, typed: str) -> bool:
    """Proves the second factor with a code of the app or a recovery code. Raises TooMany. Commits."""
    if recovery_codes.looks_like_one(typed):
        return _with_recovery_code(login, typed)

    def compare() -> bool:
        apps = [one for one in factors.of(login.user) if one.kind == FactorKind.TOTP]
        factor = next((one for one in apps if totp.opens(one, typed)), None)
        if factor is not None:
            proved(login, factor)
        return factor is not None

    return _attempt(login.user, compare, WRONG, security_events.CODES_REFUSED)


def _with_recovery_code(login: LoginSession, typed: str) -> bool:
    """Is not held up by wrong codes of the app, whoever typed them, nor by tries from other addresses."""
    limits.take(limits.RECOVERY_CODE, login.user_id, limits.address(), what=WRONG)
    with people_scope():
        factor_resets.hold(login.user_id)
        right = recovery_codes.opens(login.user, typed)
        if right:
            proved(login, None)
            left = recovery_codes.left(login.user)
            security_events.record(login.user, security_events.CODE_USED, left=left)
        db.session.commit()
    return right


def with_password(login: LoginSession, password: str) -> bool:
    """Proves the person again where they have no second factor. Raises TooMany. Commits."""

    def compare() -> bool:
        right = login.user.second_factor_at is None and passwords.matches(login.user.password_hash, password)
        if right:
            login.proved_at = clock.now()
            sessions.renew(login)
        return right

    return _attempt(login.user, compare, WRONG_PASSWORD)


def proved(login: LoginSession, factor: Factor | None) -> None:
    """The second factor of this login is proved: it goes on under a new token, and none is lost. The caller commits."""
    found = factor_resets.end_open(login.user_id, ResetOutcome.WITHDRAWN)
    if found:
        factors.locked(login.user_id)  # before the partners' logs, as whoever changes factors
    login.factor_at = login.proved_at = clock.now()
    if factor is not None:
        factor.last_used_at = login.proved_at
    sessions.renew(login)
    if found:
        security_events.note_kept(login.user, "login with a second factor")


def _attempt(user: User, compare: Callable[[], bool], wrong: str, event: str = "") -> bool:
    """`wrong` says what there were too many of, `event` is told to the person once there are."""
    made = _count(user.id, wrong)
    with people_scope():
        factor_resets.hold(user.id)
        right = compare()
        if right:
            _give_back(user.id, made)
        elif event and _wait(sorted(user.refused_codes), clock.now()):
            security_events.record(user, event)
        db.session.commit()
    return right


def _count(user_id: int, wrong: str) -> datetime:
    """Counts a try before it is looked at, so that a thousand at once are no more than five. Commits."""
    now = clock.now()
    with people_scope():
        user = factors.locked(user_id)
        past = sorted(at for at in user.refused_codes if now - at < DAY)
        if wait := _wait(past, now):
            instead = ", or use a recovery code now" if recovery_codes.left(user) else ""
            db.session.rollback()
            minutes = plural(-(-int(wait.total_seconds()) // 60), "minute")
            words = f"{wrong} Try again in {minutes}{instead}."
            raise TooMany(words, retry_after=max(int(wait.total_seconds()), 1))
        user.refused_codes = [*past, now]
        db.session.commit()
    return now


def _give_back(user_id: int, made: datetime) -> None:
    user = factors.locked(user_id)
    user.refused_codes = [at for at in user.refused_codes if at != made]


def _wait(past: list[datetime], now: datetime) -> timedelta:
    """How long until the next try; zero when it may be now."""
    waits = [timedelta(0)]
    for most, span in ((IN_A_QUARTER, QUARTER), (IN_A_DAY, DAY)):
        if len(past) >= most:
            waits.append(past[-most] + span - now)
    return max(waits)
