"""Which payments are taken: one set of rules for the form, the file, the API and the command."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from portal import clock, formatters
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import MOST_INVOICES, Invoice, InvoiceStatus, PaymentMethod, Tenant
from portal.money import LARGEST, rounded

EARLIEST = date(1990, 1, 1)
OLD = timedelta(days=365)
LONGEST_TEXT = 500


class PaymentRefused(ValueError):
    """The payment is not taken, and nothing was stored. `field` names the input at fault, `invoice_id` its invoice."""

    def __init__(self, sentence: str, field: str = "", invoice_id: int | None = None) -> None:
        super().__init__(sentence)
        self.field, self.invoice_id = field, invoice_id


class AlreadyDeleted(PaymentRefused):
    """The payment is gone: by an earlier try of the same request, or by somebody else."""


class OldDay(PaymentRefused):
    """The money came more than a year ago: taken once a person, or the calling program, says so."""

    def __init__(self, day: date) -> None:
        super().__init__(f"{formatters.day(day)} is more than a year ago.", "paid_on")
        self.day = day


@dataclass(frozen=True)
class NewPayment:
    """What is to be recorded: (invoice id, amount) pairs of one customer and currency.

    `old_day_confirmed`: somebody said that a day more than a year ago is meant. `pending`: the money is on its way.
    """

    allocations: Sequence[tuple[int, Decimal]]
    method: str
    paid_on: date
    reference: str = ""
    note: str = ""
    old_day_confirmed: bool = False
    pending: bool = False
    body: dict[str, object] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        body = {
            "allocations": sorted(
                (invoice_id, format(amount.normalize(), "f")) for invoice_id, amount in self.allocations
            ),
            "method": self.method,
            "paid_on": self.paid_on.isoformat(),
            "reference": self.reference,
            "note": self.note,
        } | ({"pending": True} if self.pending else {})
        object.__setattr__(self, "body", body)

    @property
    def amount(self) -> Decimal:
        return sum((amount for _, amount in self.allocations), Decimal(0))


def check_form(new: NewPayment) -> None:
    """What can be said without the invoices. Raises PaymentRefused."""
    if not new.allocations:
        raise PaymentRefused("Choose at least one invoice to pay.", "allocations")
    if len(new.allocations) > MOST_INVOICES:
        raise PaymentRefused(
            f"One payment pays at most {MOST_INVOICES} invoices, and this one would pay {len(new.allocations)}. "
            "Record it in parts.",
            "allocations",
        )
    if len({invoice_id for invoice_id, _ in new.allocations}) != len(new.allocations):
        raise PaymentRefused("An invoice appears twice in this payment.", "allocations")
    if new.method not in set(PaymentMethod):
        raise PaymentRefused("Choose how the money was paid.", "method")
    if max(len(new.reference), len(new.note)) > LONGEST_TEXT:
        raise PaymentRefused(f"Use at most {LONGEST_TEXT} characters.", "reference")


def check_day(paid_on: date, *, old_confirmed: bool) -> None:
    """Never after today in the partner's zone; more than a year ago only when confirmed.

    Raises PaymentRefused, OldDay. A key that comes again is not asked: its payment was checked when it was made.
    """
    today = clock.today(db.session.get_one(Tenant, current_tenant_id()).time_zone)
    if paid_on > today:
        raise PaymentRefused(
            f"{formatters.day(paid_on)} is after today, {formatters.day(today)}. Use the day the money was paid.",
            "paid_on",
        )
    if paid_on < EARLIEST:
        raise PaymentRefused("This date cannot be right. Use the day the money was paid.", "paid_on")
    if paid_on < today - OLD and not old_confirmed:
        raise OldDay(paid_on)


def check_invoice(invoice: Invoice, amount: Decimal) -> None:
    """Whether this much can be paid on it. Raises PaymentRefused."""
    refusal = why_not_payable(invoice)
    if refusal:
        raise PaymentRefused(refusal, "allocations", invoice.id)
    if not amount.is_finite() or amount <= 0:
        raise PaymentRefused("The amount must be more than zero.", "amount", invoice.id)
    if amount > LARGEST or rounded(amount, invoice.currency) != amount:
        raise PaymentRefused(f"The amount has more digits than {invoice.currency} has.", "amount", invoice.id)
    if amount > invoice.outstanding:
        owed = formatters.money(invoice.outstanding, invoice.currency)
        raise PaymentRefused(
            f"The amount is more than the {owed} still owed on invoice {invoice.number}.",
            "amount",
            invoice.id,
        )


def why_not_payable(invoice: Invoice) -> str | None:
    """The sentence why an invoice takes no payment, or None when it does."""
    if invoice.status == InvoiceStatus.VOIDED:
        return f"Invoice {invoice.number} is voided. It takes no payment."
    if invoice.status == InvoiceStatus.CREDIT:
        return f"{invoice.number} is a credit. It is not payable."
    if invoice.archived_at is not None:
        return f"Invoice {invoice.number} is archived. Restore it before recording a payment."
    if invoice.missing_since is not None:
        return (
            f"Invoice {invoice.number} is no longer in Autotask, so Autotask could not be told that it is paid. If it "
            "was deleted there, archive it here; if not, fetch the unpaid invoices again."
        )
    if invoice.status == InvoiceStatus.PAID and invoice.pending_amount:
        coming = formatters.money(invoice.pending_amount, invoice.currency)
        return f"Invoice {invoice.number} is already paid: {coming} of it is still on its way."
    if invoice.status == InvoiceStatus.PAID:
        settled = "settled in Autotask" if invoice.settled_amount else "paid"
        return f"Invoice {invoice.number} is already {settled}. Nothing is owed on it."
    return None if invoice.is_payable else f"Nothing is owed on invoice {invoice.number}."
