"""What the form for recording a payment needs to know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from werkzeug.exceptions import NotFound

from portal import formatters
from portal.access.tenancy import find_or_404, scoped
from portal.extensions import db
from portal.forms.open_rows import Row, Table
from portal.models import Agreement, Customer, Invoice
from portal.payments.rules import why_not_payable
from portal.queries import cut, open_invoices


@dataclass(frozen=True)
class Choice:
    """What is to be paid: a customer's open invoices of one currency, perhaps one of them first."""

    customer: Customer
    currency: str
    currencies: Sequence[str]
    table: Table
    first: Invoice | None
    missing: cut.Some
    words: str
    found: cut.Some

    @property
    def why_not(self) -> str:
        """Why the invoice that was asked for takes no payment; empty when it does."""
        return (why_not_payable(self.first) or "") if self.first else ""

    @property
    def suggested(self) -> str:
        """The amount to begin with: what is owed on the invoice that was asked for."""
        return (
            formatters.as_typed(self.first.outstanding, self.currency)
            if self.first and self.first.is_payable
            else ""
        )


def choice(args: Mapping[str, str], words: str = "") -> Choice | None:
    """What an address or a form chose: `invoice`, or `customer` and perhaps `currency`; `words` find more invoices.

    None when neither is given; NotFound for unknown and foreign ones.
    """
    first = find_or_404(Invoice, id_of(args["invoice"])) if args.get("invoice") else None
    if first is None and not args.get("customer"):
        return None
    customer = find_or_404(Customer, first.customer_id if first else id_of(args["customer"]))
    owing = {one.currency: one for one in open_invoices.owing(customer.id)}
    currency = _currency(args.get("currency", ""), customer, list(owing), first)
    mine = owing.get(currency) or open_invoices.nothing_owed(currency)
    found = open_invoices.found(customer.id, currency, words)
    on_top = [row.id for row in (first, *found) if row]
    table = open_invoices.table(customer.id, mine, args, on_top)
    missing = open_invoices.missing(customer.id, currency) if mine.missing else open_invoices.NOTHING
    return Choice(customer, currency, list(owing), table, first, missing, words, found)


def taken_away(why_not: str, ids: Sequence[int]) -> str:
    """Why an amount cannot go where it was typed; empty when it can.

    `ids` are invoices that are not to be paid any more: what was meant for them must go to no other unasked.
    """
    if why_not:
        return "Nothing was recorded. To pay other invoices of this customer, say below which."
    if not ids:
        return ""
    found = db.session.scalars(scoped(Invoice).where(Invoice.id.in_(ids)).order_by(Invoice.id))
    whys = [why_not_payable(row) or f"Invoice {row.number} is not among these." for row in found]
    told = " ".join(whys) or "An invoice of this form is not here any more."
    return f"{told} Nothing was recorded; say again what goes to which invoice."


def choice_or_404(args: Mapping[str, str], words: str = "") -> Choice:
    """The same for a form that was sent: without a choice there is nothing to record."""
    found = choice(args, words)
    if found is None:
        raise NotFound
    return found


def id_of(text: str) -> int:
    """An id from an address or a form. Raises NotFound for anything else."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotFound
    return int(text)


def _currency(wanted: str, customer: Customer, currencies: Sequence[str], first: Invoice | None) -> str:
    if first is not None:
        return first.currency
    for currency in (wanted, customer.currency, *currencies):
        if currency in currencies:
            return currency
    return customer.currency


def held_rule(methods: Sequence[str]) -> str:
    """When Autotask hears of money that is still on its way."""
    counts = "It counts here, so that nobody pays the invoice twice."
    if not methods:
        return f"{counts} Autotask is told at once."
    named = ", ".join(formatters.how_paid(one) for one in methods)
    return f"{counts} Autotask hears of {named} once it has arrived, of the rest at once."


def will_show(row: Row, paid_on: date | None, is_refused: bool = False, is_held: bool = False) -> str:
    """What Autotask will show for this invoice if the row is recorded as it stands; nothing on a refused day."""
    if not row.amount:
        return ""
    if row.amount < row.invoice.outstanding:
        return when_part(row.invoice)
    if is_held:
        return when_held(row.invoice)
    if is_refused:
        return ""
    last = max(filter(None, (paid_on, row.latest_paid_on)), default=None)
    return when_full(row.invoice, formatters.day(last) if last else "that day")


def when_full(invoice: Invoice, day: str = "{day}") -> str:
    if invoice.agreement == Agreement.PORTAL_ONLY:
        return f"{invoice.number} is paid; it exists only here."
    return f"Autotask will show {invoice.number} as paid on {day}."


def when_held(invoice: Invoice) -> str:
    if invoice.agreement == Agreement.PORTAL_ONLY:
        return when_full(invoice)
    return f"Autotask hears of {invoice.number} once the money has arrived."


def when_part(invoice: Invoice) -> str:
    if invoice.agreement == Agreement.PORTAL_ONLY:
        return f"{invoice.number} stays part paid; it exists only here."
    return f"{invoice.number} stays unpaid in Autotask until it is fully paid."
