"""Password hashes: argon2id, as costly as OWASP's Password Storage Cheat Sheet asks for."""

from collections.abc import Sequence
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from portal.access.password_strength import weakness

PASSES, MEMORY, THREADS = 2, 19456, 1  # memory in KiB
_hasher = PasswordHasher(PASSES, MEMORY, THREADS)


class WeakPassword(ValueError):
    """The password is too short, too long or too easy to guess; the message says why."""


def hashed(password: str, about: Sequence[str] = ()) -> str:
    """The argon2id hash. Raises WeakPassword; `about` are the names that the person and the partner go by."""
    if why := weakness(password, about):
        raise WeakPassword(why)
    return _hasher.hash(password)


def hashed_code(code: str) -> str:
    """The argon2id hash of a code that was drawn by chance."""
    return _hasher.hash(code)


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
