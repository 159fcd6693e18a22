"""One word, one tone and one shape for every state that a page can show."""

from enum import Enum
from typing import NamedTuple


class Badge(NamedTuple):
    word: str
    tone: str  # good, wait, attention or risk: the only meanings a colour has
    icon: str


def _badge(word: str, tone: str, icon: str) -> Badge:
    return Badge(word, tone, icon)


GOOD = ("good", "circle-check")
WAIT = ("wait", "clock")
NEUTRAL = ("wait", "circle")
OFF = ("wait", "ban")
ATTENTION = ("attention", "alert-triangle")
RISK = ("risk", "alert-octagon")

BADGES: dict[str, Badge] = {
    # agreement of one invoice with Autotask
    "agrees": _badge("Agrees", *GOOD),
    "waiting": _badge("Waiting", *WAIT),
    "differs": _badge("Differs", *RISK),
    "outside_filters": _badge("Outside filters", "wait", "filter"),
    "missing": _badge("No longer in Autotask", *ATTENTION),
    "no_longer_in_autotask": _badge("No longer in Autotask", *ATTENTION),
    "portal_only": _badge("Only here", *NEUTRAL),
    # an invoice
    "open": _badge("Open", *NEUTRAL),
    "part_paid": _badge("Part paid", "wait", "circle-half-2"),
    "paid": _badge("Paid", *GOOD),
    "overdue": _badge("Overdue", *ATTENTION),
    "overpaid": _badge("Overpaid", *RISK),
    "settled": _badge("Settled in Autotask", *GOOD),
    "voided": _badge("Voided", *OFF),
    "credit": _badge("Credit", "wait", "receipt-refund"),
    "archived": _badge("Archived", "wait", "archive"),
    # a delivery and a payment on its way
    "recorded": _badge("Recorded", "wait", "circle-dot"),
    "sending": _badge("Sending", "wait", "send"),
    "sent": _badge("Sent", "wait", "send"),
    "confirmed": _badge("Confirmed", *GOOD),
    "unknown": _badge("Not known yet", *WAIT),
    "parked": _badge("Stuck", *RISK),
    "not_needed": _badge("Nothing to send", "wait", "minus"),
    "deleted": _badge("Deleted", "wait", "trash"),
    # a payment's money; an invoice that is paid by money on its way is so itself
    "pending": _badge("Money on its way", *WAIT),
    "part_refunded": _badge("Part refunded", "wait", "arrow-back-up"),
    "refunded": _badge("Refunded", "wait", "arrow-back-up"),
    "charged_back": _badge("Charged back", *ATTENTION),
    # one attempt to deliver
    "started": _badge("Started", *WAIT),
    "nothing_to_do": _badge("Nothing to do", "wait", "minus"),
    "retry": _badge("Tried again later", *WAIT),
    "refused": _badge("Refused", *RISK),
    "overtaken": _badge("Overtaken by a newer one", "wait", "arrow-right-circle"),
    # a PDF
    "here": _badge("Here", *GOOD),
    "unavailable": _badge("Not available", *ATTENTION),
    # a sync run
    "queued": _badge("Queued", *WAIT),
    "running": _badge("Running", "wait", "loader-2"),
    "paused": _badge("Paused", *WAIT),
    "completed": _badge("Completed", *GOOD),
    "failed": _badge("Failed", *RISK),
    "stale": _badge("Ended as stale", *ATTENTION),
    "cancelled": _badge("Cancelled", *OFF),
    # an integration
    "connected": _badge("Connected", *GOOD),
    "not_connected": _badge("Not connected", "wait", "circle-dashed"),
    "needs_reconnecting": _badge("Needs reconnecting", *RISK),
    "unusable": _badge("Cannot be used", *RISK),
    "disconnected": _badge("Disconnected", "wait", "unlink"),
    "primary": _badge("Primary", "wait", "circle-dot"),
    "secondary": _badge("Secondary", "wait", "circle"),
    # anything with a promise
    "up_to_date": _badge("Up to date", *GOOD),
    "late": _badge("Late", *ATTENTION),
    "waits_for_login": _badge("Waits for the login", *ATTENTION),
    "never": _badge("Never", "wait", "minus"),
    "active": _badge("Active", *GOOD),
    "inactive": _badge("Inactive", "wait", "minus"),
    # an exception
    "needs_you": _badge("Needs you", *ATTENTION),
    "closed": _badge("Closed", "wait", "check"),
    "resolved": _badge("Resolved", *GOOD),
    # a support visit
    "view": _badge("View only", "wait", "eye"),
    "act": _badge("Can act", *ATTENTION),
    "ended": _badge("Ended", "wait", "minus"),
}


def badge_for(state: object) -> Badge:
    """The badge of a state (text or StrEnum); a state without one is shown as its own word, neutral."""
    key = str(state.value if isinstance(state, Enum) else state)
    return BADGES.get(key) or Badge(key.replace("_", " ").capitalize(), *NEUTRAL)
