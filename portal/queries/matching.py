"""How many invoices of the partner's own system have their counterpart in Autotask, and of how much money (rule 6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import contains_eager

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import Cause, ExceptionItem, ExceptionState, Invoice
from portal.queries import paging
from portal.sync.matched_by_hand import MATCHES


class Standing(StrEnum):
    MATCHED = "matched"
    BY_HAND = "by_hand"
    ENDING = "ending"
    SEVERAL = "several"
    MISMATCHED = "mismatched"
    NONE = "none"
    WAITING = "waiting"


WORDS = {
    Standing.MATCHED: "Matched",
    Standing.BY_HAND: "Matched by hand",
    Standing.ENDING: "Being taken back",
    Standing.SEVERAL: "Several could be meant",
    Standing.MISMATCHED: "Found, but different",
    Standing.NONE: "Not found in Autotask",
    Standing.WAITING: "Not looked for yet",
}
# Told only where there are any.
RARE = (Standing.BY_HAND, Standing.ENDING)
FOUND = ExceptionItem.theirs["candidates_found"].as_integer()
STANDING: ColumnElement[str] = case(
    (Invoice.match_ends_at.is_not(None), Standing.ENDING.value),
    (Invoice.matched_by_hand_at.is_not(None), Standing.BY_HAND.value),
    (Invoice.autotask_id.is_not(None), Standing.MATCHED.value),
    (ExceptionItem.cause == Cause.MATCH_SEVERAL, Standing.SEVERAL.value),
    (FOUND > 0, Standing.MISMATCHED.value),
    (ExceptionItem.id.is_not(None), Standing.NONE.value),
    else_=Standing.WAITING.value,
)


@dataclass(frozen=True)
class Tally:
    """How many invoices stand so; `sums` are (currency, amount)."""

    standing: str
    word: str
    count: int
    sums: Sequence[tuple[str, Decimal]]


@dataclass(frozen=True)
class Row:
    """An invoice with the exception about it, if there is one."""

    invoice: Invoice
    item: ExceptionItem | None
    standing: str

    @property
    def word(self) -> str:
        return WORDS[Standing(self.standing)]

    @property
    def is_by_hand(self) -> bool:
        """A person may take it back."""
        return self.standing == Standing.BY_HAND

    @property
    def is_ending(self) -> bool:
        return self.standing == Standing.ENDING

    @property
    def theirs(self) -> Sequence[Mapping[str, Any]]:
        """What could be meant in Autotask."""
        return (self.item.theirs.get("candidates") or []) if self.item else []

    @property
    def can_be_chosen(self) -> bool:
        """One of them is in its currency, so that a person may say it is meant."""
        return any(one.get("currency") == self.invoice.currency for one in self.theirs)


@dataclass(frozen=True)
class Filter:
    standing: str = ""
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> dict[str, str]:
        return paging.kept(self.args, "standing")


def filter_from(args: Mapping[str, str]) -> Filter:
    """The filter of an address; an unknown word counts as not given."""
    return Filter(args["standing"] if args.get("standing") in set(Standing) else "", args)


def tallies() -> list[Tally]:
    """For each way an invoice can stand, how many do and of how much money."""
    columns = (STANDING.label("standing"), Invoice.currency, func.count().label("number"))
    statement = _of(select(*columns, func.sum(Invoice.amount_due).label("amount")))
    rows = db.session.execute(
        statement.group_by("standing", Invoice.currency).order_by(Invoice.currency)
    ).all()
    found = []
    for standing, word in WORDS.items():
        some = [row for row in rows if row.standing == standing]
        sums = [(row.currency, row.amount) for row in some]
        if some or standing not in RARE:
            found.append(Tally(standing.value, word, sum(row.number for row in some), sums))
    return found


def page(chosen: Filter) -> paging.Page:
    """The invoices that stand as the filter says, newest first."""
    statement = _of(select(Invoice, ExceptionItem, STANDING)).join(Invoice.customer)
    if chosen.standing:
        statement = statement.where(chosen.standing == STANDING)
    statement = statement.options(contains_eager(Invoice.customer))
    found = paging.fetch(statement, (paging.Key(Invoice.id),), chosen.args)
    return paging.Page([Row(*row) for row in found.rows], found.newer, found.older)


def _of(statement: Any) -> Any:
    """Of invoices that are owed or were: credits, voided and archived ones have no counterpart to look for."""
    about = (
        (ExceptionItem.tenant_id == Invoice.tenant_id)
        & (ExceptionItem.invoice_id == Invoice.id)
        & (ExceptionItem.state == ExceptionState.OPEN)
        & ExceptionItem.cause.in_(MATCHES)
        & Invoice.autotask_id.is_(None)
    )
    return (
        statement.select_from(Invoice)
        .outerjoin(ExceptionItem, about)
        .where(
            Invoice.tenant_id == current_tenant_id(),
            Invoice.archived_at.is_(None),
            Invoice.is_voided.is_(False),
            Invoice.amount_due > 0,
        )
    )
