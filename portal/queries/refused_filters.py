"""What an address asks a list for and the list does not know: told above it, never dropped without a word."""

from collections.abc import Callable, Iterable, Mapping

from portal.models import Agreement, Cause, ImportResult, MessageState, RunState, SyncKind
from portal.queries import (
    activity,
    customers,
    deliveries,
    imports,
    invoices,
    mails,
    matching,
    missing,
    paging,
    partner_health,
    payments,
    period,
    reconciliation,
    sync_changes,
)
from portal.queries.text import day, number

Reads = Callable[[str], bool]
LONGEST = 60
# Every list may be asked for a page of it; an open page says what it has shown.
EVERYWHERE = {"older", "newer", "seen"}
DAYS = f"send a day from {period.EARLIEST} on, like 2026-11-30"


def among(words: Iterable[str]) -> Reads:
    return set(words).__contains__


def anything(_: str) -> bool:
    return True


def is_id(text: str) -> bool:
    return number(text) is not None


def is_day(text: str) -> bool:
    return day(text) is not None


KNOWN: dict[str, dict[str, Reads]] = {
    "invoices.index": {
        "q": anything, "show": among(invoices.Show), "agreement": among(Agreement), "customer": is_id,
    },
    "customers.index": {"q": anything, "show": among(customers.Show), "order": among(customers.Order)},
    "payments.index": {
        "q": anything, "show": among(payments.Show), "from": is_day, "to": is_day, "customer": is_id, "invoice": is_id,
    },
    "deliveries.index": {
        "q": anything, "show": among(deliveries.Show), "why": among(deliveries.Why), "kind": anything,
        "wish": among(deliveries.WISHES),
    },
    "exceptions.index": {
        "q": anything, "cause": among(Cause), "show": among(("open", "closed")), "run": is_id, "undo": anything,
    },
    "sync_runs.index": {"q": anything, "kind": among(SyncKind), "state": among(RunState)},
    "sync_runs.changes": {"what": among(sync_changes.WHAT), "item": among(sync_changes.ITEMS)},
    "imports.index": {},
    "imports.show": {"q": anything, "result": among(imports.LISTED)},
    "uploads.show": {"q": anything, "result": among(ImportResult)},
    "webhooks.show": {"state": among(MessageState)},
    "matching.show": {"standing": among(matching.Standing)},
    "missing.index": {"kind": among(missing.KINDS), "show": among(("waiting", "archived")), "undo": anything},
    "notices.index": {},
    "activity.index": {
        "kind": among(activity.KINDS), "who": among(("support",)), "from": is_day, "to": is_day,
    },
    "activity.visits": {},
    "reconciliation.show": {
        "month": period.is_month, "as_of": period.is_past_day, "state": among(reconciliation.State),
        "currency": anything,
    },
    "search.show": {"q": anything},
    "staff_partners.index": {"q": anything, "show": among(partner_health.SHOWN)},
    "staff_mails.index": {"state": among(mails.STATES), "kind": among(mails.KINDS)},
    "staff_audit.index": {},
}  # fmt: skip
# What a file is made of is narrowed as its list is.
FILES = {
    "files.customers": "customers.index", "files.deliveries": "deliveries.index",
    "files.exceptions": "exceptions.index", "files.payments": "payments.index", "invoices.export": "invoices.index",
    "activity.export": "activity.index", "reconciliation.export": "reconciliation.show",
}  # fmt: skip
HOW = {
    "from": DAYS, "to": DAYS, "as_of": "send a day before today, like 2026-11-30", "month": "send one like 2026-11",
}  # fmt: skip


def sentences(endpoint: str | None, args: Mapping[str, str]) -> list[str]:
    """One for each parameter of the address that does nothing, and one for a page that there is not."""
    told = [f"{one}: it was left out." for one in _unknown(endpoint or "", args)]
    if paging.asked_for_no_place():
        told.append("The address names a page that there is not: this is the first one.")
    return told


def of_file(endpoint: str | None, args: Mapping[str, str]) -> list[str]:
    """The parameters of a file's address that its list does not know, each as the beginning of a sentence."""
    return _unknown(FILES.get(endpoint or "", ""), args)


def _unknown(endpoint: str, args: Mapping[str, str]) -> list[str]:
    known = KNOWN.get(endpoint)
    given = ((name, value) for name, value in args.items() if value and name not in EVERYWHERE)
    return [said for name, value in given if known is not None and (said := _said(known, name, value))]


def _said(known: Mapping[str, Reads], name: str, value: str) -> str:
    told, words = (text[:LONGEST] for text in (name, value))
    if name not in known:
        return f"There is no filter “{told}” here (“{words}”)"
    if known[name](value):
        return ""
    how = f" ({HOW[name]})" if name in HOW else ""
    return f"The filter “{told}” has no “{words}”{how}"
