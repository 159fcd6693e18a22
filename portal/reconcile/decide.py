"""What to do about one invoice, from what we wish and what Autotask shows. Pure."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from portal.autotask import records
from portal.ledger.conflict_sentences import mark_changed, set_back_to_unpaid
from portal.models import Cause


@dataclass(frozen=True)
class Reading:
    """What Autotask showed of an invoice. `started_at` is the database's clock before the read began."""

    paid_on: date | None
    started_at: datetime
    is_voided: bool = False
    voided_on: date | None = None
    total_raw: Decimal = Decimal(0)
    tax_raw: Decimal = Decimal(0)
    due_on: date | None = None
    number: str | None = None
    web_service_date: str | None = None


def reading_of(item: dict[str, Any], started_at: datetime) -> Reading:
    """A raw invoice as Autotask sent it. Raises BadRecord."""
    invoice = records.invoice(item)
    return Reading(
        paid_on=invoice["paid_on"],
        started_at=started_at,
        is_voided=invoice["is_voided"],
        voided_on=invoice["voided_on"],
        total_raw=invoice["total_raw"],
        tax_raw=invoice["tax_raw"],
        due_on=invoice["due_on"],
        number=item.get("invoiceNumber"),
        web_service_date=item.get("webServiceDate"),
    )


@dataclass(frozen=True)
class Known:
    """What the wish was made from: Autotask's values as the portal holds them.

    Of an invoice that `is_given` by the partner's own system, amounts are not Autotask's to tell, and that system may
    have voided it too.
    """

    total_raw: Decimal = Decimal(0)
    tax_raw: Decimal = Decimal(0)
    is_voided: bool = False
    is_given: bool = False
    voided_by_source: bool = False

    def is_moved_by(self, read: Reading) -> bool:
        """Whether Autotask says something else by now."""
        if self.is_given:
            return (read.is_voided or self.voided_by_source) != self.is_voided
        there = (read.total_raw, read.tax_raw, read.is_voided)
        return there != (self.total_raw, self.tax_raw, self.is_voided)


@dataclass(frozen=True)
class Marks:
    """Whose paid date is it? `strays` are values that earlier writes of ours may still bring."""

    our_mark_on: date | None = None
    shown_on: date | None = None
    strays: frozenset[date | None] = frozenset()

    def are_ours(self, paid_on: date) -> bool:
        return paid_on in (self.our_mark_on, self.shown_on) or paid_on in self.strays


class Act(StrEnum):
    NOTHING = "nothing"
    WRITE = "write"
    CLEAR = "clear"
    REFUSE = "refuse"
    LEARN = "learn"


@dataclass(frozen=True)
class Decision:
    """`kind` and `sentence` say why something is refused, or why there is nothing to do."""

    act: Act
    paid_on: date | None = None
    kind: str = ""
    sentence: str = ""


VOIDED = Decision(
    Act.REFUSE,
    kind="voided",
    sentence="Autotask has voided this invoice, so it cannot be marked as paid there.",
)
# What Autotask's people did stands against the wish; the ledger tells a person for as long as it does.
CONFLICTS = frozenset({VOIDED.kind, Cause.UNPAID_IN_AUTOTASK, Cause.PAID_MARK_CHANGED})


def decide(wish_paid_on: date | None, marks: Marks, known: Known, read: Reading) -> Decision:
    """What makes Autotask show the wish; what its own people set is not touched (rules 5.6 and 5.9)."""
    if read.is_voided and wish_paid_on is None:
        return Decision(Act.NOTHING, sentence="The invoice is voided in Autotask: nothing is sent.")
    if known.is_moved_by(read):
        return Decision(Act.LEARN, sentence="The invoice was changed in Autotask: its new values come first.")
    if read.is_voided:
        return VOIDED
    if read.paid_on == wish_paid_on:
        return Decision(Act.NOTHING, sentence="Autotask shows it already: nothing was sent.")
    if wish_paid_on is None:
        return _unmark(marks, read.paid_on)
    return _mark(wish_paid_on, marks, read.paid_on)


def marks_after(marks: Marks, read: Reading) -> tuple[date | None, date | None]:
    """our_mark_on and shown_on once `read` is what Autotask shows and we are content with it."""
    if read.paid_on is None:
        stray = [value for value in marks.strays if value is not None]
        return (min(stray) if stray else None), None
    if marks.are_ours(read.paid_on):
        return read.paid_on, read.paid_on
    return marks.our_mark_on, marks.shown_on


def _unmark(marks: Marks, paid_on: date | None) -> Decision:
    assert paid_on is not None
    if marks.are_ours(paid_on):
        return Decision(Act.CLEAR)
    if marks.our_mark_on is None and marks.shown_on is None:
        return Decision(Act.NOTHING, sentence="Autotask's people marked it as paid themselves: that is left.")
    return Decision(Act.REFUSE, kind=Cause.PAID_MARK_CHANGED, sentence=mark_changed(paid_on))


def _mark(wish_paid_on: date, marks: Marks, paid_on: date | None) -> Decision:
    if paid_on is None:
        lost_by_us = None in marks.strays or marks.shown_on is None
        if lost_by_us:
            return Decision(Act.WRITE, wish_paid_on)
        sentence = set_back_to_unpaid(wish_paid_on)
        return Decision(Act.REFUSE, kind=Cause.UNPAID_IN_AUTOTASK, sentence=sentence)
    if marks.are_ours(paid_on):
        return Decision(Act.WRITE, wish_paid_on)
    return Decision(Act.NOTHING, sentence="Autotask's people set another paid date: theirs is kept.")
