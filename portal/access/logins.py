"""Trying to log in, as often as it is allowed: wrong passwords count, right ones do not."""

from portal.access import devices, sessions
from portal.models import User
from portal.web import limits

WRONG = "There were too many wrong passwords."


def attempt(email: str, password: str) -> User | None:
    """The user of a right e-mail and password, or None. Raises TooMany, then nothing was compared."""
    account = email.strip().lower()
    counters = _counters(account)
    for limit, *who in counters:
        limits.take(limit, *who, what=WRONG)
    user = sessions.authenticate(email, password)
    if user is not None:
        for limit, *who in counters:
            limits.give_back(limit, *who)
    return user


def _counters(account: str) -> list[tuple[limits.Limit, *tuple[str, ...]]]:
    """A device that the person logged in with before has its own allowance; all others share three."""
    user = sessions.find_user(account)
    device = devices.known_as(user) if user else None
    if device:
        return [(limits.LOGIN_DEVICE, device, account)]
    here = limits.address()
    return [
        (limits.LOGIN_ACCOUNT_HERE, account, here),
        (limits.LOGIN_ADDRESS, here),
        (limits.LOGIN_ACCOUNT, account),
    ]
