"""Trying to log in, as often as it is allowed: wrong passwords count, right ones do not."""

from collections.abc import Sequence

from portal.access import devices, sessions
from portal.models import User
from portal.web import limits

WRONG = "There were too many wrong passwords."
Counter = tuple[limits.Limit, *tuple[str, ...]]


def attempt(email: str, password: str) -> User | None:
    """The user of a right e-mail and password, or None. Raises TooMany, then nothing was compared."""
    account = email.strip().lower()
    taken = _take(_counters(account))
    user = sessions.authenticate(email, password)
    if user is not None:
        _give_back(taken)
    return user


def _take(counters: Sequence[Counter]) -> Sequence[Counter]:
    """Counts one try everywhere; one that is refused unread was no wrong password and counts nowhere else."""
    for done, (limit, *who) in enumerate(counters):
        try:
            limits.take(limit, *who, what=WRONG)
        except limits.TooMany:
            _give_back(counters[:done])
            raise
    return counters


def _give_back(counters: Sequence[Counter]) -> None:
    for limit, *who in counters:
        limits.give_back(limit, *who)


def _counters(account: str) -> list[Counter]:
    """A device that the person logged in with before has its own allowance; all others share three.

    What all strangers together may try on an account is a pace and no ban, so that it opens again each minute,
    for any browser. docs/limits.md counts the guesses that this allows.
    """
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
