"""What an error of Autotask means for a delivery: wait, try again, or ask a person."""

from dataclasses import dataclass

from portal.autotask.errors import (
    AutotaskError,
    BadRecord,
    Forbidden,
    NotFound,
    Rejected,
    Throttled,
    Unauthorized,
    Unavailable,
    Untrusted,
)
from portal.connect.errors import NotConnected, Unusable
from portal.reconcile.timing import (
    LOGIN_PAUSE,
    LONGEST_PAUSE,
    NOT_TAKEN_PAUSE,
    THROTTLED_PAUSE,
    UNKNOWN_PAUSE,
)

NOT_FOUND = "not_found"


@dataclass(frozen=True)
class Failure:
    """Why a try did not end well. `counts` is false where a limit or our login is the reason.

    `final`: Autotask refused; `aside`: it did not, and the portal does not try again by itself all the same.
    """

    kind: str
    sentence: str
    final: bool = False
    counts: bool = True
    pause: float | None = None
    maybe_applied: bool = False
    aside: bool = False


# Autotask as a whole, not this invoice: all deliveries of the partner wait together.
SHARED = frozenset({"throttled", "unavailable", "unauthorized", "not_connected", "untrusted"})

UNKNOWN = Failure(
    "unknown",
    "Autotask did not answer when the paid date was sent, so it is not known whether it arrived. "
    "The portal looks before it sends anything again.",
    pause=UNKNOWN_PAUSE,
    maybe_applied=True,
)
NOT_TAKEN = Failure(
    "not_taken",
    "Autotask accepted the change but does not show it. The portal looks, and sends it again if it must.",
    pause=NOT_TAKEN_PAUSE,
    maybe_applied=True,
)

KILLED = Failure(
    "killed",
    "Three times in a row the portal's own process died while it worked on this invoice, so it does not try again by "
    "itself. What was recorded here stands. Whether Autotask shows it is not known until it is read there. Retry reads "
    "before it sends anything; if it ends like this again, tell support.",
    aside=True,
)


def failure_of(error: AutotaskError | BadRecord) -> Failure:
    """What an error means, with its sentence for a person."""
    if isinstance(error, BadRecord):
        sentence = f"Autotask's answer about this invoice cannot be read: {error.field} {error.reason}."
        return Failure("bad_record", sentence, final=True)
    if isinstance(error, Throttled):
        return Failure("throttled", str(error), counts=False, pause=error.retry_after or THROTTLED_PAUSE)
    if isinstance(error, Unusable):
        return Failure("not_connected", str(error), counts=False, pause=LONGEST_PAUSE)
    if isinstance(error, NotConnected):
        return Failure("not_connected", str(error), counts=False, pause=LOGIN_PAUSE)
    if isinstance(error, Unauthorized):
        return Failure("unauthorized", str(error), counts=False, pause=LOGIN_PAUSE)
    if isinstance(error, Untrusted):
        return Failure("untrusted", str(error), counts=False, pause=LONGEST_PAUSE)
    if isinstance(error, Unavailable) and error.maybe_applied:
        return UNKNOWN
    if isinstance(error, Unavailable):
        return Failure("unavailable", str(error))
    return _final(error)


def _final(error: AutotaskError) -> Failure:
    if isinstance(error, NotFound):
        sentence = (
            "Autotask has no such invoice, or this API user cannot see it. Check it in Autotask, then retry."
        )
        return Failure(NOT_FOUND, sentence, final=True)
    if isinstance(error, Forbidden):
        sentence = f"{error} Give the API user the right to change invoices in Autotask, then retry."
        return Failure("forbidden", sentence, final=True)
    said = f"“{error.texts[0][:300]}”" if error.texts else str(error)
    sentence = f"Autotask refused the change: {said} Correct that in Autotask, then retry."
    return Failure("rejected" if isinstance(error, Rejected) else "refused", sentence, final=True)
