"""What a change of filters would bring in: Autotask is asked, because it is not here yet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from portal import ledger
from portal.autotask import filters, records
from portal.autotask.client import Client
from portal.autotask.errors import BadRecord
from portal.autotask.filters import Condition, SyncFilters
from portal.autotask.paging import LARGEST_PAGE
from portal.autotask.wire import moment
from portal.connect.currencies import currency_of
from portal.extensions import db
from portal.models import Integration
from portal.sync import filter_preview_here
from portal.sync.filter_preview_here import CustomerHere, InvoiceHere, Part, Preview

# A person waits for the answer, and the hourly budget is everybody's.
MOST_PAGES = 20
MONEY_FIELDS = ["id", "companyID", "invoiceDateTime", "invoiceTotal", "totalTaxValue", "paidDate", "isVoided"]


@dataclass
class Asked:
    """The question: `companies` are all that fit in Autotask with their currency's id; None when too many do."""

    integration: Integration
    new: SyncFilters
    zone_name: str
    companies: dict[int, Any] | None
    here: dict[int, CustomerHere]

    @property
    def staying(self) -> set[int]:
        """Customers here that fit by what was last read of them, or by Autotask's answer now."""
        companies = self.companies or {}
        return {row.autotask_id for row in self.here.values() if row.fits or row.autotask_id in companies}

    @property
    def owners(self) -> set[int] | None:
        """Whose contacts and invoices are inside then; None when the number of customers forbids to name them."""
        if self.companies is None:
            return None
        return {*self.companies, *(row.autotask_id for row in self.here.values() if row.missing)}

    @property
    def limited(self) -> bool:
        return bool(filters.customer_conditions(self.new))

    def currency(self, company: int) -> str:
        """Raises KeyError for a customer that is not inside."""
        if self.companies is not None and company in self.companies:
            return currency_of(self.integration, self.companies[company])
        return self.here[company].currency


def companies(client: Client, new: SyncFilters) -> dict[int, Any] | None:
    """Autotask id to the currency's id of all companies that fit; None when there are too many to name."""
    wanted = filters.customer_conditions(new)
    rows = _read(client, "Companies", [wanted], ["id", "currencyID"])
    return None if rows is None else {key: row.get("currencyID") for key, row in rows.items()}


def count_contacts(client: Client, found: Preview, asked: Asked) -> None:
    queries = _queries(asked, filters.contact_conditions(asked.new))
    if queries is None:
        found.contacts.enter.counted = False
        return
    found.contacts.reckon(sum(client.count("Contacts", query) for query in queries))


def count_invoices(client: Client, found: Preview, asked: Asked) -> None:
    """How many come in by Autotask's own count; their money from reading them, where they are few enough."""
    base = filters.invoice_conditions(asked.new, asked.zone_name)
    queries, enter = _queries(asked, base), found.invoices.enter
    if queries is None:
        enter.counted = enter.added_up = False
        return
    number = sum(client.count("Invoices", query) for query in queries)
    found.invoices.reckon(number)
    if not enter.number:
        return
    wanted = enter.number
    for some in (_likely(asked, base), queries if number <= MOST_PAGES * LARGEST_PAGE else None):
        whole = some is queries
        if some is not None and _add_up(client, enter, asked, some, None if whole else wanted):
            return
    enter.added_up = False


def _queries(asked: Asked, base: list[Condition]) -> list[list[Condition]] | None:
    """Queries for all that is inside then; None where there would be too many."""
    if not asked.limited:
        return [base]
    if asked.owners is None:
        return None
    groups = list(filters.ids_in("companyID", asked.owners))
    return [[*base, group] for group in groups] if len(groups) <= MOST_PAGES else None


def _likely(asked: Asked, base: list[Condition]) -> list[list[Condition]] | None:
    """Queries for what usually comes in: invoices of entering customers, and what looser filters let in."""
    if asked.companies is None:
        return None
    old = SyncFilters.from_dict(asked.integration.filters)
    came = asked.companies.keys() - asked.here.keys()
    queries = [[*base, condition] for condition in filters.ids_in("companyID", came)]
    if old.invoices_since:
        before = moment(filters.start_of(old.invoices_since, asked.zone_name))
        queries.append([*base, {"op": "lt", "field": "createDateTime", "value": before}])
    if old.skip_zero_totals and not asked.new.skip_zero_totals:
        queries.append([*base, filters.equals("invoiceTotal", 0)])
    return queries


def _add_up(
    client: Client, enter: Part, asked: Asked, queries: Sequence[list[Condition]], wanted: int | None
) -> bool:
    """Reads them and adds up those not here yet; False when there are too many or not the number `wanted`."""
    rows = _read(client, "Invoices", queries, MONEY_FIELDS)
    if rows is None or asked.companies is None:
        return False
    here = filter_preview_here.invoices_here(asked.integration, rows)
    db.session.commit()
    found = list(_entering(asked, rows, here))
    if wanted is not None and len(found) != wanted:
        return False
    enter.number = len(found)
    for currency, amount in found:
        if amount > 0:
            enter.add(currency, amount)
    enter.open_amounts = dict(sorted(enter.open_amounts.items()))
    return True


def _entering(
    asked: Asked, rows: dict[int, dict[str, Any]], here: dict[int, InvoiceHere]
) -> Iterable[tuple[str, Decimal]]:
    """Currency and open amount of each that is not inside now and belongs to a customer that will be."""
    owners = asked.owners or set()
    for key, row in rows.items():
        known = here.get(key)
        if (known is not None and known.inside) or row.get("companyID") not in owners:
            continue
        try:
            record = records.invoice(row)
        except BadRecord:
            continue
        currency = asked.currency(record["company_autotask_id"])
        yield currency, _open(record, known, currency, asked.integration.totals_mode)


def _open(record: dict[str, Any], known: InvoiceHere | None, currency: str, totals_mode: str) -> Decimal:
    """What will be outstanding; a credit and a voided invoice are not open. Payments may be here already."""
    ours = known is not None and record["paid_on"] == known.our_mark_on
    if record["is_voided"] or (record["paid_on"] is not None and not ours):
        return Decimal(0)
    due = ledger.amount_due(record["total_raw"], record["tax_raw"], totals_mode, currency)
    return due if known is None else due - known.paid_amount - known.credited_amount


def _read(
    client: Client, entity: str, queries: Sequence[list[Condition]], fields: list[str]
) -> dict[int, dict[str, Any]] | None:
    """Rows by id; None when there are more pages than a person should wait for."""
    found: dict[int, dict[str, Any]] = {}
    if len(queries) > MOST_PAGES:
        return None
    pages = 0
    for query in queries:
        for page in client.pages(entity, query, include_fields=fields):
            if pages >= MOST_PAGES:
                return None
            pages += 1
            found |= {row["id"]: row for row in page if type(row.get("id")) is int}
    return found
