"""Deliveries as pages show them: what needs a person, what was done, and the way of one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, func, not_, select, true
from sqlalchemy.orm import contains_eager

from portal import formatters
from portal.access.tenancy import scoped
from portal.ledger.unconfirmed import OURS, WHY, Why, needs_a_person
from portal.models import (
    AttemptOutcome,
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    IntegrationStatus,
    Invoice,
)
from portal.queries import cut, finding, needs, paging
from portal.queries.arrivals import ON_THE_WAY
from portal.queries.text import cleaned

KEYS = (paging.Key(Delivery.wished_at, paging.as_instant), paging.Key(Delivery.id))
SHOWN_FIRST = 20
WISHES: dict[str, Any] = {
    "paid": Delivery.wish_paid_on.is_not(None),
    "unpaid": Delivery.wish_paid_on.is_(None),
}
TRIES: Any = (
    select(func.count())
    .where(DeliveryAttempt.tenant_id == Delivery.tenant_id, DeliveryAttempt.delivery_id == Delivery.id)
    .correlate(Delivery)
    .scalar_subquery()
)
OUTCOMES: dict[str, tuple[str, str]] = {
    AttemptOutcome.STARTED: ("Sending", "sending"),
    AttemptOutcome.CONFIRMED: ("Sent and confirmed", "confirmed"),
    AttemptOutcome.NOTHING_TO_DO: ("Looked: nothing had to be sent", "confirmed"),
    AttemptOutcome.RETRY: ("Did not work, tried again later", "waiting"),
    AttemptOutcome.UNKNOWN: ("Sent, but it was not known whether it arrived", "unknown"),
    AttemptOutcome.REFUSED: ("Refused", "parked"),
    AttemptOutcome.OVERTAKEN: ("Overtaken by a newer one", "waiting"),
}


class Show(StrEnum):
    """What the history is narrowed to."""

    ALL = "all"
    NEEDS = "needs"
    LATE = "late"
    STUCK = "stuck"
    WAITING = "waiting"
    CONFIRMED = "confirmed"

    @property
    def narrows(self) -> bool:
        return self is not Show.ALL


NEEDING: dict[Show, Any] = {
    Show.NEEDS: true(),
    Show.LATE: Delivery.state != DeliveryState.PARKED,
    Show.STUCK: Delivery.state == DeliveryState.PARKED,
}


@dataclass(frozen=True)
class Filter:
    show: Show = Show.ALL
    words: str = ""
    why: str = ""
    error_kind: str = ""
    wish: str = ""
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> dict[str, str]:
        return paging.kept(self.args, "q", "show", "why", "kind", "wish")

    @property
    def hidden(self) -> dict[str, str]:
        """What a link chose that the filter bar has no field for."""
        return paging.kept(self.args, "why", "kind", "wish")


def filter_from(args: Mapping[str, str]) -> Filter:
    """The filter of an address; what cannot be read counts as not given."""
    show = Show(args["show"]) if args.get("show") in set(Show) else Show.ALL
    why = args["why"] if args.get("why") in set(Why) else ""
    wish = args["wish"] if args.get("wish") in WISHES else ""
    return Filter(show, cleaned(args.get("q")), why, cleaned(args.get("kind")), wish, args)


def needing(chosen: Filter) -> paging.Page | cut.Some:
    """Those that are late or stuck, the one that waits longest first: a page, or the first above the history."""
    if chosen.show in (Show.WAITING, Show.CONFIRMED):
        return cut.Some((), 0)
    alone = chosen.show in NEEDING
    wanted = NEEDING.get(chosen.show, true())
    statement = _searched(_with_invoice().where(needs_a_person(), wanted), chosen if alone else Filter())
    statement = statement.add_columns(TRIES)
    if alone:
        return paging.fetch(statement, KEYS, chosen.args, ascending=True)
    return cut.first(statement.order_by(Delivery.wished_at, Delivery.id), SHOWN_FIRST)


def history(chosen: Filter) -> paging.Page:
    """One page of deliveries that need nobody, the newest wish first."""
    statement = _in_state(_with_invoice().where(not_(needs_a_person())), chosen)
    return paging.fetch(_searched(statement, chosen), KEYS, chosen.args)


def every(chosen: Filter) -> Select[Any]:
    """All deliveries of the filter, the newest wish first: for downloads."""
    statement = _in_state(_with_invoice(), chosen)
    if chosen.show in NEEDING:
        statement = statement.where(needs_a_person(), NEEDING[chosen.show])
    found: Select[Any] = _searched(statement, chosen)
    return found.order_by(Delivery.wished_at.desc(), Delivery.id.desc())


def _in_state(statement: Any, chosen: Filter) -> Any:
    if chosen.show == Show.WAITING:
        return statement.where(Delivery.state.in_(ON_THE_WAY))
    if chosen.show == Show.CONFIRMED:
        return statement.where(Delivery.state == DeliveryState.CONFIRMED)
    return statement


def wish_in_words(wish_paid_on: date | None) -> str:
    """What Autotask shall show."""
    return f"Paid on {formatters.day(wish_paid_on)}" if wish_paid_on else "Not paid"


def _with_invoice() -> Any:
    return (
        scoped(Delivery)
        .join(Delivery.invoice)
        .join(Invoice.customer)
        .options(contains_eager(Delivery.invoice).contains_eager(Invoice.customer))
    )


def _searched(statement: Any, chosen: Filter) -> Any:
    if chosen.wish:
        statement = statement.where(WISHES[chosen.wish])
    if chosen.why:
        same = {chosen.why} | ({Why.IDLE.value} if chosen.why == Why.SENDING and needs.now().busy else set())
        statement = statement.outerjoin(IntegrationStatus, OURS).where(WHY.in_(same))
    if chosen.error_kind:
        statement = statement.where(Delivery.error_kind == chosen.error_kind)
    return statement.where(finding.invoice(chosen.words)) if chosen.words else statement
