"""What an address asks a list for and the list does not know: told above it, never dropped without a word."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from portal.models import Agreement, Cause, RunState, SyncKind
from portal.queries import (
    activity,
    customers,
    deliveries,
    imports,
    invoices,
    mails,
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
OF_DAYS = {"from", "to", "month", "as_of"}


def sentences(endpoint: str | None, args: Mapping[str, str]) -> list[str]:
    """One for each parameter of the address that does nothing, and one for a page that there is not."""
    return list(_sentences(KNOWN.get(endpoint or ""), args))


def _sentences(known: Mapping[str, Reads] | None, args: Mapping[str, str]) -> Iterator[str]:
    for name, value in args.items() if known is not None else ():
        if name in EVERYWHERE or not value:
            continue
        told, words = (text[:LONGEST] for text in (name, value))
        if known is None or name not in known:
            yield f"There is no filter “{told}” here: {told}={words} was left out."
        elif not known[name](value):
            why = f" ({DAYS})" if name in OF_DAYS - {"month"} else ""
            yield f"The filter “{name}” has no “{words}”{why}: it was left out."
    if paging.asked_for_no_place():
        yield "The address names a page that there is not: this is the first one."
