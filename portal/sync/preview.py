"""A change of filters before it is saved: what would enter, leave and stay, in counts and open money (rule 2.5)."""

from collections.abc import Mapping, Sequence
from typing import Any

from portal import ledger
from portal.access.tenancy import current_tenant_id
from portal.autotask import filters, records
from portal.autotask.client import Client
from portal.autotask.errors import BadRecord
from portal.autotask.filters import Condition, SyncFilters
from portal.autotask.wire import moment
from portal.connect import calling
from portal.connect.currencies import currency_of
from portal.extensions import db
from portal.models import Integration, Tenant
from portal.sync import fitting
from portal.sync.fitting import Part, Preview

MOST_PAGES = 20
MONEY_FIELDS = ["id", "companyID", "invoiceDateTime", "invoiceTotal", "totalTaxValue", "paidDate", "isVoided"]


def of(integration: Integration, new: SyncFilters) -> Preview:
    """What enters, leaves and stays, in counts and open money. Asks Autotask; commits. Raises AutotaskError."""
    old = SyncFilters.from_dict(integration.filters)
    found = Preview()
    fitting.compare(found, integration, new)
    inside, staying = (
        fitting.inside_ids(integration),
        fitting.inside_ids(integration, new),
    )
    zone_name = db.session.get_one(Tenant, current_tenant_id()).time_zone
    return calling(
        integration.id,
        lambda client: _ask(client, found, integration, (old, new), inside, staying, zone_name),
    )


def _ask(
    client: Client,
    found: Preview,
    integration: Integration,
    change: tuple[SyncFilters, SyncFilters],
    inside: set[int],
    staying: set[int],
    zone_name: str,
) -> Preview:
    """What enters is not here yet, so Autotask is asked for it."""
    old, new = change
    db.session.commit()
    found.all_customers = client.count("Companies", [])
    found.all_invoices = client.count("Invoices", [])
    entering = _entering(client, found, new, inside) if old.to_dict() != new.to_dict() else {}
    found.customers.enter.number = len(entering)
    _count_contacts(client, found, new, sorted({*entering, *staying}))
    for conditions in _admitted(old, new, sorted(entering), zone_name):
        _count_invoices(client, found, integration, conditions, entering, inside)
    found.requests = client.calls
    return found


def _entering(client: Client, found: Preview, new: SyncFilters, inside: set[int]) -> dict[int, str | None]:
    """Companies that fit and are not inside now, with their currency's id as text."""
    entering: dict[int, Any] = {}
    wanted = filters.customer_conditions(new)
    pages = client.pages("Companies", wanted, include_fields=["id", "currencyID"])
    for number, page in enumerate(pages):
        entering |= {row["id"]: row.get("currencyID") for row in page if row.get("id") not in inside}
        if number + 1 >= MOST_PAGES:
            found.at_least = True
            break
    return entering


def _count_contacts(client: Client, found: Preview, new: SyncFilters, customers: Sequence[int]) -> None:
    """Contacts that fit, of customers that are inside then; those that are not here yet come in."""
    base, limited = filters.contact_conditions(new), bool(filters.customer_conditions(new))
    groups = list(filters.ids_in("companyID", customers)) if limited else []
    if len(groups) > MOST_PAGES:
        found.at_least, groups = True, groups[:MOST_PAGES]
    queries = [[*base, group] for group in groups] if limited else [base]
    number = sum(client.count("Contacts", query) for query in queries)
    found.contacts.enter.number = max(number - found.contacts.stay.number, 0)


def _admitted(
    old: SyncFilters, new: SyncFilters, entering: Sequence[int], zone_name: str
) -> list[list[Condition]]:
    """Queries for the invoices that come in: those of entering customers, and those let in by looser filters."""
    base = filters.invoice_conditions(new, zone_name)
    queries = [[*base, condition] for condition in filters.ids_in("companyID", entering)]
    if old.invoices_since and (new.invoices_since is None or new.invoices_since < old.invoices_since):
        before = moment(filters.start_of(old.invoices_since, zone_name))
        queries.append([*base, {"op": "lt", "field": "createDateTime", "value": before}])
    if old.skip_zero_totals and not new.skip_zero_totals:
        queries.append([*base, filters.equals("invoiceTotal", 0)])
    return queries


def _count_invoices(
    client: Client,
    found: Preview,
    integration: Integration,
    conditions: list[Condition],
    entering: Mapping[int, Any],
    inside: set[int],
) -> None:
    part = found.invoices.enter
    for page in client.pages("Invoices", conditions, include_fields=MONEY_FIELDS):
        for row in page:
            company = row.get("companyID")
            if isinstance(company, int) and (company in entering or company in inside):
                part.number += 1
                _add_open(part, integration, row, entering.get(company))
        if client.calls >= MOST_PAGES * 2:
            found.at_least = True
            return


def _add_open(part: Part, integration: Integration, row: dict[str, Any], currency_id: Any) -> None:
    try:
        record = records.invoice(row)
    except BadRecord:
        return
    if record["paid_on"] is None and not record["is_voided"]:
        currency = currency_of(integration, currency_id)
        part.add(
            currency,
            ledger.amount_due(record["total_raw"], record["tax_raw"], integration.totals_mode, currency),
        )
