"""The exceptions inbox: open items by cause, and what each means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Select, case, func, or_, select

from portal import formatters
from portal.access.permissions import Permission, may
from portal.access.tenancy import current_tenant_id, scoped
from portal.attention.buttons import ACTIONS, Action
from portal.extensions import db
from portal.models import CAME_BACK, Cause, ExceptionItem, ExceptionState, Invoice
from portal.queries import cut, finding, paging
from portal.queries.text import cleaned, containing, number, numbers
from portal.sync.matched_by_hand import MATCHES

# Of items about money that came back, whatever cause they are stored under.
CAME_BACK_KIND = "came_back"
KIND: Any = case((ExceptionItem.subject_type == CAME_BACK, CAME_BACK_KIND), else_=ExceptionItem.cause)
NAMES: dict[str, str] = {
    CAME_BACK_KIND: "Money came back of a closed invoice",
    Cause.BAD_RECORD: "Record that cannot be taken in",
    Cause.REPEATED_RECORD: "Record that came twice",
    Cause.DELIVERY_REFUSED: "Refused by Autotask",
    Cause.DELIVERY_PARKED: "Could not be told to Autotask",
    Cause.NOT_CLEARED: "Paid date not cleared",
    Cause.UNPAID_IN_AUTOTASK: "Set back to unpaid in Autotask",
    Cause.PAID_MARK_CHANGED: "Paid date changed in Autotask",
    Cause.PAID_TWICE: "Perhaps paid twice",
    Cause.OVERPAID: "Overpaid",
    Cause.VOIDED_WITH_PAYMENTS: "Voided with payments",
    Cause.CURRENCY_CHANGED: "Currency changed",
    Cause.CURRENCY_UNKNOWN: "Currency unknown",
    Cause.SUSPICIOUS_READ: "Suddenly much less in Autotask",
    Cause.MATCH_NONE: "No match in Autotask",
    Cause.MATCH_SEVERAL: "Several matches in Autotask",
    Cause.PDF_UNAVAILABLE: "PDF not available",
    Cause.SYNC_FAILED: "Sync failed",
}
MATTERS: dict[str, str] = {
    CAME_BACK_KIND: "The customer may owe this money again, and nobody asks for it.",
    Cause.BAD_RECORD: "Until it is corrected, this record is missing or out of date here.",
    Cause.DELIVERY_REFUSED: "Autotask does not show what was paid here.",
    Cause.DELIVERY_PARKED: "Autotask does not show what was paid here.",
    Cause.NOT_CLEARED: "Autotask still shows the invoice as paid, so nobody there will ask for the money.",
    Cause.UNPAID_IN_AUTOTASK: "The two sides disagree about whether the money came in.",
    Cause.PAID_MARK_CHANGED: "The two sides disagree about whether the money came in.",
    Cause.PAID_TWICE: "The customer may have paid more than was owed.",
    Cause.OVERPAID: "The customer has money with you that belongs to no invoice.",
    Cause.VOIDED_WITH_PAYMENTS: "A payment hangs on an invoice that no longer counts.",
    Cause.CURRENCY_CHANGED: "A payment is in another currency than its invoice.",
    Cause.CURRENCY_UNKNOWN: "Amounts may be shown in the wrong currency.",
    Cause.SUSPICIOUS_READ: "Either much was deleted, or the API user lost the right to see it.",
    Cause.MATCH_NONE: "Payments of this invoice cannot be shown in Autotask.",
    Cause.MATCH_SEVERAL: "Payments of this invoice cannot be shown in Autotask.",
    Cause.PDF_UNAVAILABLE: "The customer cannot be given the printed invoice.",
    Cause.SYNC_FAILED: "What is shown here may be older than promised.",
}
KEYS = (paging.Key(ExceptionItem.id),)
MOST_AT_ONCE = 500


@dataclass(frozen=True)
class Filter:
    cause: str = ""
    closed: bool = False
    run_id: int | None = None
    words: str = ""
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> dict[str, str]:
        return paging.kept(self.args, "q", "cause", "show", "run")


def filter_from(args: Mapping[str, str]) -> Filter:
    """The filter of an address; unknown words count as not given."""
    return Filter(
        cause=args["cause"] if args.get("cause") in NAMES else "",
        closed=args.get("show") == "closed",
        run_id=number(args.get("run")),
        words=cleaned(args.get("q")),
        args=args,
    )


def page(chosen: Filter) -> paging.Page:
    """Items with their invoice, newest first."""
    return paging.fetch(_narrowed(select(ExceptionItem, Invoice), chosen), KEYS, chosen.args)


def every(chosen: Filter) -> Select[Any]:
    """All items of the filter with their invoice, in the same order: for downloads."""
    statement: Select[Any] = _narrowed(select(ExceptionItem, Invoice), chosen)
    return statement.order_by(ExceptionItem.id.desc())


def _narrowed(statement: Any, chosen: Filter) -> Any:
    same = (Invoice.tenant_id == ExceptionItem.tenant_id) & (Invoice.id == ExceptionItem.invoice_id)
    state = ExceptionState.RESOLVED if chosen.closed else ExceptionState.OPEN
    statement = (
        statement.select_from(ExceptionItem)
        .outerjoin(Invoice, same)
        .where(ExceptionItem.tenant_id == current_tenant_id(), ExceptionItem.state == state)
    )
    if chosen.cause:
        statement = statement.where(chosen.cause == KIND)
    if chosen.run_id is not None:
        statement = statement.where(ExceptionItem.run_id == chosen.run_id)
    if chosen.words:
        pattern = containing(chosen.words)
        statement = statement.where(
            or_(
                ExceptionItem.label.ilike(pattern),
                ExceptionItem.detail.ilike(pattern),
                finding.invoice(chosen.words) & Invoice.id.is_not(None),
            )
        )
    return statement


def by_cause() -> dict[str, int]:
    """How many are open of each cause, most first."""
    rows = db.session.execute(
        select(KIND, func.count())
        .where(ExceptionItem.tenant_id == current_tenant_id(), ExceptionItem.state == ExceptionState.OPEN)
        .group_by(KIND)
        .order_by(func.count().desc(), KIND)
    )
    return {row[0]: row[1] for row in rows}


def cause_options(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """What a list can be narrowed to: (value, words with how many are open), all of them first."""
    return [
        ("", "All"),
        *((cause, f"{NAMES[cause]} ({formatters.count(number)})") for cause, number in counts.items()),
    ]


def some(texts: Sequence[str]) -> Sequence[ExceptionItem]:
    """The partner's items with these ids, as typed; what is no id or foreign is left out."""
    wanted = numbers(texts, MOST_AT_ONCE)
    return db.session.scalars(scoped(ExceptionItem).where(ExceptionItem.id.in_(wanted))).all()


def open_ones(args: Mapping[str, str]) -> cut.Some:
    """The open items that a filter shows, oldest first, as many as are decided at once."""
    statement = _narrowed(select(ExceptionItem), replace(filter_from(args), closed=False))
    return cut.first(statement.order_by(ExceptionItem.id), MOST_AT_ONCE)


def actions(item: ExceptionItem) -> list[Action]:
    """The buttons that the person of this request may press for an open item."""
    if item.state != ExceptionState.OPEN:
        return []
    return [action for action in ACTIONS.get(item.cause, ()) if may(action.permission)]


def can_match(item: ExceptionItem, candidate: Mapping[str, Any]) -> bool:
    """Whether the person of this request may say that this candidate is meant: never one of another currency."""
    is_match = item.cause in MATCHES and item.invoice_id is not None and item.state == ExceptionState.OPEN
    is_same = candidate.get("currency") == item.ours.get("currency", candidate.get("currency"))
    return is_match and is_same and may(Permission.DECIDE_EXCEPTIONS)


def matchable(item: ExceptionItem) -> bool:
    """Whether the person may say so of any of its candidates."""
    return any(can_match(item, one) for one in item.theirs.get("candidates") or [])


def candidates(item: ExceptionItem) -> cut.Some:
    """The first invoices in Autotask that could be meant, and how many there are."""
    kept = item.theirs.get("candidates") or []
    return cut.Some(kept, item.theirs.get("candidates_found") or len(kept))
