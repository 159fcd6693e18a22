"""Ours beside Autotask's for one invoice: a row a field that both sides hold, each in a column of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from portal import formatters, ledger
from portal.models import Delivery, Integration, Invoice, InvoiceStatus
from portal.queries import arrivals


class Verdict(StrEnum):
    AGREES = "agrees"
    WAITING = "waiting"
    DIFFERS = "differs"
    UNKNOWN = "unknown"
    MISSING = "missing"


@dataclass(frozen=True)
class Row:
    """What the portal acts on and what Autotask's last read said; `read_at` is when that was."""

    label: str
    ours: str
    theirs: str
    is_same: bool
    read_at: datetime | None
    on_the_way: bool = False
    missing: bool = False

    @property
    def state(self) -> Verdict:
        if self.missing:
            return Verdict.MISSING
        if self.on_the_way:
            return Verdict.WAITING
        if self.read_at is None:
            return Verdict.UNKNOWN
        return Verdict.AGREES if self.is_same else Verdict.DIFFERS


@dataclass(frozen=True)
class Sides:
    invoice: Invoice
    integration: Integration | None
    delivery: Delivery | None

    @property
    def rows(self) -> list[Row]:
        return [row for row in (field(self) for field in FIELDS) if row]

    @property
    def is_missing(self) -> bool:
        """No longer in Autotask: what was read there last agrees with nothing and differs from nothing."""
        return self.invoice.missing_since is not None

    @property
    def told_by_autotask(self) -> list[tuple[str, str]]:
        """What only Autotask says: there is nothing of the portal's own to hold it against."""
        invoice, found = self.invoice, []
        if not self.is_mastered_there and invoice.autotask_due_on:
            found.append(("Due in Autotask", formatters.day(invoice.autotask_due_on)))
        if not self.has_paid_mark_of_its_own and invoice.autotask_paid_on:
            found.append(("Paid in Autotask", formatters.day(invoice.autotask_paid_on)))
        if invoice.is_voided:
            found.append(("Voided in Autotask", formatters.day(invoice.voided_on)))
        return found

    @property
    def is_mastered_there(self) -> bool:
        """Amount and due date come from Autotask; a matched invoice has those of the other system (rule 6)."""
        return self.integration is not None and self.integration.is_primary

    @property
    def has_paid_mark_of_its_own(self) -> bool:
        """Something was paid here, or is still to be: what Autotask settled itself is no second value."""
        wished = self.delivery is not None and self.delivery.wish_paid_on is not None
        return wished or self.invoice.is_unpaid or bool(self.invoice.pending_amount)

    @property
    def is_changed_here(self) -> bool:
        return self.invoice.locally_changed_at is not None

    @property
    def why_unpaid_there(self) -> bool:
        """Autotask cannot hold part of a payment."""
        return self.invoice.status == InvoiceStatus.PART_PAID

    @property
    def why_stuck(self) -> str:
        return (self.delivery.error or "") if self.delivery and self.delivery.is_parked else ""


def _amount(sides: Sides) -> Row | None:
    invoice, integration = sides.invoice, sides.integration
    if integration is None or not sides.is_mastered_there:
        return None
    theirs = ledger.amount_due(invoice.total_raw, invoice.tax_raw, integration.totals_mode, invoice.currency)
    shown = [formatters.amount(value, invoice.currency) for value in (invoice.amount_due, theirs)]
    is_same = invoice.amount_due == theirs
    return Row(
        f"Amount, {invoice.currency}",
        shown[0],
        shown[1],
        is_same,
        invoice.last_read_at,
        missing=sides.is_missing,
    )


def _due(sides: Sides) -> Row | None:
    invoice = sides.invoice
    if not sides.is_mastered_there:
        return None
    shown = [formatters.day(value) for value in (invoice.due_on, invoice.autotask_due_on)]
    is_same = invoice.due_on == invoice.autotask_due_on
    return Row("Due", shown[0], shown[1], is_same, invoice.last_read_at, missing=sides.is_missing)


def paid(sides: Sides) -> Row | None:
    """Another paid date that Autotask's people set is kept, so two dates agree as well (rule 5.9)."""
    invoice, delivery = sides.invoice, sides.delivery
    if not sides.has_paid_mark_of_its_own:
        return None
    wish = delivery.wish_paid_on if delivery else None
    not_paid = "Not fully paid" if sides.why_unpaid_there else "Not paid"
    if invoice.is_paid and invoice.pending_amount:
        not_paid = "Money on its way"
    return Row(
        "Paid",
        ours=formatters.day(wish) if wish else not_paid,
        theirs=formatters.day(invoice.autotask_paid_on) if invoice.autotask_paid_on else "Not paid",
        is_same=(wish is None) == (invoice.autotask_paid_on is None),
        read_at=invoice.last_read_at,
        on_the_way=delivery is not None and delivery.state in arrivals.ON_THE_WAY,
        missing=sides.is_missing,
    )


FIELDS: tuple[Callable[[Sides], Row | None], ...] = (_amount, _due, paid)
