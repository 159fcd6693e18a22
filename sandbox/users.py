"""API users: their keys, how often they were refused, and whether they are locked."""

from __future__ import annotations

import hmac
import threading
from dataclasses import dataclass, field


@dataclass
class User:
    """One API user. `forbidden` holds entity names it has no right to, `hidden` companies it cannot see."""

    username: str
    secret: str
    integration_code: str = ""
    locked: bool = False
    active: bool = True
    refusals: int = 0
    forbidden: set[str] = field(default_factory=set)

    def lock(self) -> None:
        self.locked = True

    def unlock(self) -> None:
        self.locked, self.refusals = False, 0


class Users:
    """All API users of this Autotask, by name in any letter case."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.by_name: dict[str, User] = {}

    def add(self, user: User) -> User:
        self.by_name[user.username.lower()] = user
        return user

    @property
    def first(self) -> User:
        """The one that the sandbox was started with."""
        return next(iter(self.by_name.values()))

    def find(self, username: str) -> User | None:
        return self.by_name.get(username.strip().lower())

    def admitted(self, username: str, secret: str, code: str, lock_after: int) -> User | None:
        """The user if name, secret and integration code are right and it is not locked; counts refusals."""
        user = self.find(username)
        if user is None:
            return None
        with self._lock:
            right = hmac.compare_digest(user.secret.encode(), secret.encode())
            right = right and bool(code) and user.integration_code in ("", code)
            if right and user.active and not user.locked:
                user.refusals = 0
                return user
            user.refusals += not right
            if lock_after and user.refusals >= lock_after:
                user.locked = True
            return None
