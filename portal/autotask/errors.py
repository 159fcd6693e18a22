"""Everything that can go wrong with Autotask, as errors whose str() is a plain sentence for a person."""

from collections.abc import Sequence


class AutotaskError(Exception):
    """`status` is the HTTP status if there was one, `texts` are Autotask's own words."""

    def __init__(self, message: str, *, status: int | None = None, texts: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.texts = list(texts)


class Retryable(AutotaskError):
    """May go well later without anybody doing something."""


class Throttled(Retryable):
    """Autotask limits requests; `retry_after` is its wish in seconds (1 to 3600), or None."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        texts: Sequence[str] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, status=status, texts=texts)
        self.retry_after = retry_after


class Unavailable(Retryable):
    """No usable answer. `maybe_applied`: a write may have reached Autotask, so read before trying again."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        texts: Sequence[str] = (),
        maybe_applied: bool = False,
    ) -> None:
        super().__init__(message, status=status, texts=texts)
        self.maybe_applied = maybe_applied


class Misshapen(Unavailable):
    """An answer, but not of the shape that belongs there; a zone that the partner has left may give such."""


class NoAnswer(Unavailable):
    """Nothing came back at all: not reachable, too late, or broken off."""


class Permanent(AutotaskError):
    """Will not go well until a person changes something."""


class Unauthorized(Permanent):
    """The key or secret is not accepted. Never repeat: Autotask locks users."""


class Forbidden(Permanent):
    """The API user lacks the right for this."""


class Rejected(Permanent):
    """Autotask understood and refused; its reasons are in `texts`."""


class NotFound(Permanent):
    """No such record, or not visible to this API user."""


class UnknownUser(Permanent):
    """Zone discovery does not know the user name."""


class Untrusted(Permanent):
    """An address or certificate that the portal does not trust; nothing was sent there."""


class BadRecord(ValueError):
    """One row that cannot be taken in. `value` is its repr, cut to 200 characters."""

    def __init__(self, entity: str, autotask_id: int | None, field: str, value: object, reason: str) -> None:
        self.entity = entity
        self.autotask_id = autotask_id
        self.field = field
        self.value = cut_repr(value)
        self.reason = reason
        super().__init__(entity, autotask_id, field, self.value, reason)

    def __str__(self) -> str:
        which = "without ID" if self.autotask_id is None else str(self.autotask_id)
        return f"{self.entity} {which}: {self.field} {self.reason} ({self.value})"


def cut_repr(value: object, limit: int = 200) -> str:
    """repr of a value from outside, never longer than `limit` and never slow on a huge one."""
    if isinstance(value, str):
        return repr(value[:limit])[:limit]
    if isinstance(value, (dict, list)):
        return f"{type(value).__name__} of {len(value)}"
    return repr(value)[:limit]
