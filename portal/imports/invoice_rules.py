"""What speaks against an invoice of the partner's own system."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from portal import formatters, money
from portal.imports.given import AT_MOST, GivenInvoice
from portal.imports.outcome import TWICE, Refusal, owned
from portal.models import Customer, Integration, IntegrationRole, Invoice

MATCHED = Refusal(
    "number", "It is matched to an invoice of Autotask, so its number stays. Void it and send a new one."
)
YEARS = range(1990, 2101)


@dataclass(frozen=True)
class Known:
    """What is here already for a batch, by external id.

    `claimed` and `held` are {number: external id}: whose it would be, and who has it whatever else comes in.
    """

    invoices: Mapping[str, Invoice]
    customers: Mapping[str, Customer]
    claimed: Mapping[str, str]
    held: Mapping[str, str]
    integration: Integration | None
    twice: set[str] = field(default_factory=set)


def of_all(given: Sequence[GivenInvoice], known: Known) -> list[list[Refusal]]:
    """What speaks against each. Who is refused keeps the number that it has here, which may speak against others."""
    held = dict(known.held)
    known = replace(known, held=held)
    found = [refusals(one, known) for one in given]
    waiting = [place for place, against in enumerate(found) if against]
    while waiting:
        row = known.invoices.get(given[waiting.pop()].external_id)
        if row is None or row.is_voided or row.number in held:
            continue
        held[row.number] = str(row.external_id)
        for place, one in enumerate(given):
            if one.number == row.number:
                found[place] = refusals(one, known)
                waiting += [place] if found[place] else []
    return found


def refusals(given: GivenInvoice, known: Known) -> list[Refusal]:
    """Every reason at once, in the order of the fields."""
    row = known.invoices.get(given.external_id)
    found = [*_of_itself(given, known), *_of_its_customer(given, known)]
    return [*found, *_of_what_is_here(given, row, known)] if row is not None else found


def _of_itself(given: GivenInvoice, known: Known) -> Iterator[Refusal]:
    if given.external_id in known.twice:
        yield TWICE
    holder = known.held.get(given.number) or known.claimed.get(given.number)
    if not given.voided and holder not in (None, given.external_id):
        yield Refusal("number", f"The invoice with the external_id {holder} has the number {given.number}.")
    for name in ("issued_on", "due_on"):
        day = getattr(given, name)
        if day is not None and day.year not in YEARS:
            yield Refusal(name, "Send a day between 1990 and 2100.")
    if max(abs(given.net), abs(given.net + given.tax), abs(amount_due(given))) > money.LARGEST:
        yield Refusal("total", f"The total, with and without tax, must be {AT_MOST}.")
    if abs(given.tax) > money.LARGEST:
        yield Refusal("tax", f"The tax must be {AT_MOST}.")


def _of_its_customer(given: GivenInvoice, known: Known) -> Iterator[Refusal]:
    customer = known.customers.get(given.customer)
    if customer is None:
        yield Refusal("customer", f"There is no customer with the external_id {given.customer}.")
    elif customer.currency != given.currency:
        sentence = f"This customer is billed in {customer.currency}, and the invoice is in {given.currency}."
        yield Refusal("currency", sentence)


def _of_what_is_here(given: GivenInvoice, row: Invoice, known: Known) -> Iterator[Refusal]:
    if row.autotask_id is not None and _is_primary(known.integration):
        yield owned("invoice")
    elif row.autotask_id is not None and given.number not in _names(row):
        yield MATCHED
    covered, due = row.paid_amount + row.credited_amount, amount_due(given)
    if covered and given.voided and not row.is_voided:
        yield Refusal(
            "voided", f"{_money(covered, row)} is paid on it. Delete or move the payment, then void it."
        )
    elif covered and due < covered:
        yield Refusal("total", f"{_money(covered, row)} is already paid; the total cannot be less.")
    spent = _money(row.applied_amount, row)
    if row.applied_amount and given.voided and not row.is_voided:
        yield Refusal(
            "voided", f"{spent} of this credit is applied to invoices. Take that back, then void it."
        )
    elif row.applied_amount and due > -row.applied_amount:
        yield Refusal("total", f"{spent} of this credit is applied to invoices; it cannot be less.")
    moves = known.customers.get(given.customer)
    if moves is not None and moves.id != row.customer_id and (covered or row.applied_amount):
        yield Refusal("customer", "There is money on this invoice; it stays with its customer.")


def amount_due(given: GivenInvoice) -> Decimal:
    return money.rounded(given.net + given.tax, given.currency)


def _names(row: Invoice) -> tuple[str | None, ...]:
    """What the number of a matched invoice may be without meaning another one."""
    return row.number, row.autotask_number, str(row.autotask_id)


def _is_primary(integration: Integration | None) -> bool:
    return integration is not None and integration.role == IntegrationRole.PRIMARY


def _money(amount: Decimal, row: Invoice) -> str:
    return formatters.money(amount, row.currency)
