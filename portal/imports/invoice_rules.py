"""What speaks against an invoice of the partner's own system."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from portal import formatters, money
from portal.imports.given import GivenInvoice
from portal.imports.outcome import Refusal
from portal.models import Customer, Integration, IntegrationRole, Invoice

TWICE = Refusal("external_id", "This external_id stands more than once in what was sent.")
OWNED = Refusal("", "Autotask owns this invoice. Change it there; the next sync brings it here.")
YEARS = range(1990, 2101)


@dataclass(frozen=True)
class Known:
    """What is here already for a batch, by external id; `numbers` is {number: external id of the invoice that has it}."""

    invoices: Mapping[str, Invoice]
    customers: Mapping[str, Customer]
    numbers: Mapping[str, str]
    integration: Integration | None
    twice: set[str] = field(default_factory=set)


def refusals(given: GivenInvoice, known: Known) -> list[Refusal]:
    """Every reason at once, in the order of the fields."""
    row = known.invoices.get(given.external_id)
    found = [*_of_itself(given, known), *_of_its_customer(given, known)]
    return [*found, *_of_what_is_here(given, row, known)] if row is not None else found


def _of_itself(given: GivenInvoice, known: Known) -> Iterator[Refusal]:
    if given.external_id in known.twice:
        yield TWICE
    holder = known.numbers.get(given.number)
    if not given.voided and holder not in (None, given.external_id):
        yield Refusal("number", f"The invoice with the external_id {holder} has the number {given.number}.")
    for name in ("issued_on", "due_on"):
        day = getattr(given, name)
        if day is not None and day.year not in YEARS:
            yield Refusal(name, "Send a day between 1990 and 2100.")
    if abs(given.net + given.tax) >= money.LARGEST:
        yield Refusal("total", f"The total must be below {money.COMMA_POINT.grouped(str(money.LARGEST))}.")


def _of_its_customer(given: GivenInvoice, known: Known) -> Iterator[Refusal]:
    customer = known.customers.get(given.customer)
    if customer is None:
        yield Refusal("customer", f"There is no customer with the external_id {given.customer}.")
    elif customer.currency != given.currency:
        sentence = f"This customer is billed in {customer.currency}, and the invoice is in {given.currency}."
        yield Refusal("currency", sentence)


def _of_what_is_here(given: GivenInvoice, row: Invoice, known: Known) -> Iterator[Refusal]:
    if row.autotask_id is not None and _is_primary(known.integration):
        yield OWNED
    covered, due = row.paid_amount + row.credited_amount, amount_due(given)
    if covered and given.voided and not row.is_voided:
        yield Refusal(
            "voided", f"{_money(covered, row)} is paid on it. Delete or move the payment, then void it."
        )
    elif covered and due < covered:
        yield Refusal("total", f"{_money(covered, row)} is already paid; the total cannot be less.")
    if row.applied_amount and due > -row.applied_amount:
        spent = _money(row.applied_amount, row)
        yield Refusal("total", f"{spent} of this credit is applied to invoices; it cannot be less.")
    moves = known.customers.get(given.customer)
    if moves is not None and moves.id != row.customer_id and (covered or row.applied_amount):
        yield Refusal("customer", "There is money on this invoice; it stays with its customer.")


def amount_due(given: GivenInvoice) -> Decimal:
    return money.rounded(given.net + given.tax, given.currency)


def _is_primary(integration: Integration | None) -> bool:
    return integration is not None and integration.role == IntegrationRole.PRIMARY


def _money(amount: Decimal, row: Invoice) -> str:
    return formatters.money(amount, row.currency)
