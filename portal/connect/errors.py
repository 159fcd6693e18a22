"""Why nothing was called, or nothing was saved, in words for a person."""

from collections.abc import Sequence
from datetime import datetime

from portal.autotask.errors import AutotaskError, Throttled


class NotConnected(AutotaskError):
    """The integration may not be used now. Nothing was sent to Autotask."""


class Unusable(NotConnected):
    """A connection that lacks what every call needs, so that none is made: a person has to mend it."""


class Paused(NotConnected, Throttled):
    """Reading is postponed because the shared hourly budget is nearly used; it goes on after `until`."""

    def __init__(self, message: str, *, retry_after: float, until: datetime | None = None) -> None:
        Throttled.__init__(self, message, retry_after=retry_after)
        self.until = until


class ConnectRefused(Exception):
    """The test before saving failed. `field` is the form field to look at; `login`: it was the login."""

    def __init__(self, sentences: Sequence[str], *, field: str | None = None, login: bool = False) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = list(sentences)
        self.field = field
        self.login = login
