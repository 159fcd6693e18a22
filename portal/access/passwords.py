"""Password hashes: argon2id with the library's memory and time cost."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 12, 128

_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


class WeakPassword(ValueError):
    """The password is too short or too long; the message says what is asked."""


def hashed(password: str) -> str:
    """The argon2id hash. Raises WeakPassword outside 12 to 128 characters."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPassword(f"Use a password of {SHORTEST} to {LONGEST} characters.")
    return _hasher.hash(password)


def matches(stored: str | None, password: str) -> bool:
    """Whether the password is the stored one; takes as long for an unknown user."""
    try:
        return _hasher.verify(stored or _nobody(), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobody() -> str:
    """Verified when the e-mail is unknown, so that both answers take the same time."""
    return _hasher.hash("nobody has this password")
