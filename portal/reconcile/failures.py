"""What an error of Autotask means for a delivery: wait, try again, or ask a person."""

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
from portal.reconcile.delivery_row import LONGEST_PAUSE, UNKNOWN_PAUSE, Trouble

LOGIN_PAUSE = 60.0
NOT_FOUND = "not_found"

# Autotask as a whole, not this invoice: all deliveries of the partner wait together.
SHARED = frozenset({"throttled", "unavailable", "unauthorized", "not_connected", "untrusted"})

UNKNOWN = Trouble(
    "unknown",
    "Autotask did not answer when the paid date was sent, so it is not known whether it arrived. "
    "The portal looks before it sends anything again.",
    pause=UNKNOWN_PAUSE,
    maybe_applied=True,
)
NOT_TAKEN = Trouble(
    "not_taken",
    "Autotask accepted the change but does not show it. The portal looks, and sends it again if it must.",
    pause=1.0,
    maybe_applied=True,
)


def trouble_of(error: AutotaskError | BadRecord) -> Trouble:
    """The trouble that fits an error, with its sentence for a person."""
    if isinstance(error, BadRecord):
        sentence = f"Autotask's answer about this invoice cannot be read: {error.field} {error.reason}."
        return Trouble("bad_record", sentence, final=True)
    if isinstance(error, Throttled):
        return Trouble("throttled", str(error), counts=False, pause=error.retry_after or 60.0)
    if isinstance(error, Unusable):
        return Trouble("not_connected", str(error), counts=False, pause=LONGEST_PAUSE)
    if isinstance(error, NotConnected):
        return Trouble("not_connected", str(error), counts=False, pause=LOGIN_PAUSE)
    if isinstance(error, Unauthorized):
        return Trouble("unauthorized", str(error), counts=False, pause=LOGIN_PAUSE)
    if isinstance(error, Untrusted):
        return Trouble("untrusted", str(error), counts=False, pause=LONGEST_PAUSE)
    if isinstance(error, Unavailable) and error.maybe_applied:
        return UNKNOWN
    if isinstance(error, Unavailable):
        return Trouble("unavailable", str(error))
    return _final(error)


def _final(error: AutotaskError) -> Trouble:
    if isinstance(error, NotFound):
        sentence = (
            "Autotask has no such invoice, or this API user cannot see it. Check it in Autotask, then retry."
        )
        return Trouble(NOT_FOUND, sentence, final=True)
    if isinstance(error, Forbidden):
        sentence = f"{error} Give the API user the right to change invoices in Autotask, then retry."
        return Trouble("forbidden", sentence, final=True)
    said = f"“{error.texts[0][:300]}”" if error.texts else str(error)
    sentence = f"Autotask refused the change: {said} Correct that in Autotask, then retry."
    return Trouble("rejected" if isinstance(error, Rejected) else "refused", sentence, final=True)


def not_cleared(said: str = "") -> Trouble:
    """Neither way of clearing took."""
    reason = f" Autotask said: “{said[:300]}”" if said else ""
    sentence = (
        "Autotask keeps the paid date although the payment was deleted here. Open the invoice in Autotask, "
        f"remove its paid date by hand, then retry: the portal looks, and closes this by itself.{reason}"
    )
    return Trouble("not_cleared", sentence, final=True)
