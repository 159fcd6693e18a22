"""The buttons of an exception: what each says, what it will do, and who may press it."""

from dataclasses import dataclass

from portal.access.permissions import Permission
from portal.models import Cause


@dataclass(frozen=True)
class Action:
    name: str
    label: str
    does: str
    permission: Permission


READ_AGAIN = Action(
    "retry", "Read it again", "Reads this record from Autotask once more now.", Permission.RUN_SYNCS
)
SYNC_AGAIN = Action("retry", "Retry", "Starts this sync again now.", Permission.RUN_SYNCS)
DELIVER_AGAIN = Action("retry", "Retry", "Tries to tell Autotask once more now.", Permission.RETRY_DELIVERIES)
SEND_AGAIN = Action(
    "send_again",
    "Send again",
    "Marks the invoice as paid in Autotask once more.",
    Permission.RETRY_DELIVERIES,
)
KEEP = Action(
    "keep",
    "Keep Autotask's date",
    "Leaves it as paid there; the rest counts as settled in Autotask here.",
    Permission.DECIDE_EXCEPTIONS,
)
CLEAR = Action(
    "clear", "Clear it in Autotask", "Shows the invoice as unpaid in Autotask.", Permission.RETRY_DELIVERIES
)
ACCEPT = Action(
    "accept",
    "They were deleted",
    "Marks what was lacking as no longer in Autotask. Nothing is archived by that.",
    Permission.ARCHIVE,
)
MATCH_AGAIN = Action(
    "retry", "Match again", "Looks for its counterpart in Autotask now.", Permission.RUN_SYNCS
)
FETCH_PDF = Action("retry", "Retry", "Asks Autotask for the PDF once more now.", Permission.RUN_SYNCS)

ACTIONS: dict[str, tuple[Action, ...]] = {
    Cause.BAD_RECORD: (READ_AGAIN,),
    Cause.CURRENCY_UNKNOWN: (READ_AGAIN,),
    Cause.SYNC_FAILED: (SYNC_AGAIN,),
    Cause.SUSPICIOUS_READ: (ACCEPT, SYNC_AGAIN),
    Cause.DELIVERY_REFUSED: (DELIVER_AGAIN,),
    Cause.DELIVERY_PARKED: (DELIVER_AGAIN,),
    Cause.NOT_CLEARED: (DELIVER_AGAIN,),
    Cause.UNPAID_IN_AUTOTASK: (SEND_AGAIN,),
    Cause.PAID_MARK_CHANGED: (KEEP, CLEAR),
    Cause.MATCH_NONE: (MATCH_AGAIN,),
    Cause.MATCH_SEVERAL: (MATCH_AGAIN,),
    Cause.PDF_UNAVAILABLE: (FETCH_PDF,),
}
