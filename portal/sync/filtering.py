"""Filters before and after a change: the partner's own choices, what would enter, leave and stay, saving."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, true

from portal import clock, ledger
from portal.access import audit
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id
from portal.autotask import filters, records
from portal.autotask.client import Client
from portal.autotask.errors import BadRecord
from portal.autotask.filters import Condition, SyncFilters
from portal.autotask.wire import moment
from portal.connect import calling
from portal.connect.currencies import currency_of
from portal.extensions import db
from portal.models import Contact, Customer, Integration, Invoice, Tenant
from portal.sync import cursors

PICKLISTS = {
    "company_types": "companyType",
    "classifications": "classification",
    "territories": "territoryID",
    "market_segments": "marketSegmentID",
}
FRESH_FOR = timedelta(days=1)
MOST_PAGES = 20
MONEY_FIELDS = ["id", "companyID", "invoiceDateTime", "invoiceTotal", "totalTaxValue", "paidDate", "isVoided"]
OPEN = ("open", "part_paid")


@dataclass
class Part:
    """How many records of one kind, and how much of them is open, by currency."""

    number: int = 0
    open_amounts: dict[str, Decimal] = field(default_factory=dict)

    def add(self, currency: str, amount: Decimal) -> None:
        self.open_amounts[currency] = self.open_amounts.get(currency, Decimal(0)) + amount


@dataclass
class Change:
    """What a change of filters does to one kind of record."""

    enter: Part = field(default_factory=Part)
    leave: Part = field(default_factory=Part)
    stay: Part = field(default_factory=Part)


@dataclass
class Preview:
    """`at_least` is True when so much enters that not all of it was counted."""

    customers: Change = field(default_factory=Change)
    contacts: Change = field(default_factory=Change)
    invoices: Change = field(default_factory=Change)
    all_customers: int = 0
    all_invoices: int = 0
    at_least: bool = False
    requests: int = 0


def choices(integration: Integration) -> Mapping[str, Any]:
    """The partner's own picklists and contact fields, read once a day. Commits. Raises AutotaskError."""
    held = integration.picklists
    if held and held.get("read_at", "") > (clock.now() - FRESH_FOR).isoformat():
        return held
    found = calling(integration.id, _read_choices)
    integration.picklists = found
    db.session.commit()
    return found


def _read_choices(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: {str(value): label for value, label in client.picklist("Companies", wire)}
        for name, wire in PICKLISTS.items()
    }
    fields = [str(one["name"]) for one in client.user_defined_fields("Contacts") if one.get("name")]
    return {**found, "contact_fields": sorted(fields), "read_at": clock.now().isoformat()}


def preview(integration: Integration, new: SyncFilters) -> Preview:
    """What enters, leaves and stays, in counts and open money. Asks Autotask; commits. Raises AutotaskError."""
    old = SyncFilters.from_dict(integration.filters)
    found = Preview()
    _compare_here(found, integration, new)
    inside = _inside_ids(integration)
    zone_name = db.session.get_one(Tenant, current_tenant_id()).time_zone
    return calling(
        integration.id, lambda client: _ask(client, found, integration, (old, new), inside, zone_name)
    )


def _compare_here(found: Preview, integration: Integration, new: SyncFilters) -> None:
    """Leaving and staying are told from the rows that are here."""
    zone_name = db.session.get_one(Tenant, current_tenant_id()).time_zone
    customer_fits = _customers_fitting(new)
    for fits, part in ((customer_fits, found.customers.stay), (~customer_fits, found.customers.leave)):
        part.number = db.session.scalar(_here(Customer, integration).where(fits)) or 0
    both = and_(customer_fits, _invoices_fitting(new, zone_name))
    for fits, part in ((both, found.invoices.stay), (~both, found.invoices.leave)):
        _sum_here(part, integration, fits)
    rows = db.session.execute(
        select(Contact.billing, Contact.user_defined).where(
            Contact.tenant_id == current_tenant_id(),
            Contact.integration_id == integration.id,
            Contact.outside_filters_at.is_(None),
            Contact.missing_since.is_(None),
        )
    )
    for row in rows:
        fits_filter = filters.matches_contact(new, {"billing": row.billing, "user_defined": row.user_defined})
        (found.contacts.stay if fits_filter else found.contacts.leave).number += 1


def _here(model: Any, integration: Integration) -> Any:
    return (
        select(func.count())
        .select_from(model)
        .where(
            model.tenant_id == current_tenant_id(),
            model.integration_id == integration.id,
            model.outside_filters_at.is_(None),
            model.missing_since.is_(None),
        )
    )


def _sum_here(part: Part, integration: Integration, fits: ColumnElement[bool]) -> None:
    is_open = Invoice.status.in_(OPEN)
    rows = db.session.execute(
        select(Invoice.currency, func.count(), func.sum(Invoice.outstanding).filter(is_open))
        .join(Invoice.customer)
        .where(
            Invoice.tenant_id == current_tenant_id(),
            Invoice.integration_id == integration.id,
            Invoice.outside_filters_at.is_(None),
            Invoice.missing_since.is_(None),
            fits,
        )
        .group_by(Invoice.currency)
    )
    for currency, number, amount in rows:
        part.number += number
        if amount:
            part.add(currency, amount)


def _customers_fitting(chosen: SyncFilters) -> ColumnElement[bool]:
    """SQL that is true, never null, for customers inside the filters."""
    columns = {
        "company_types": Customer.company_type,
        "classifications": Customer.classification,
        "territories": Customer.territory_id,
        "market_segments": Customer.market_segment_id,
    }
    fits = [
        func.coalesce(column.in_(getattr(chosen, name)), False)
        for name, column in columns.items()
        if getattr(chosen, name)
    ]
    return and_(true(), *fits, *([Customer.active.is_(True)] if chosen.active_only else []))


def _invoices_fitting(chosen: SyncFilters, zone_name: str) -> ColumnElement[bool]:
    fits: list[ColumnElement[bool]] = []
    if chosen.invoices_since:
        first = filters.start_of(chosen.invoices_since, zone_name)
        fits.append(func.coalesce(Invoice.autotask_created_at >= first, False))
    return and_(true(), *fits, *([Invoice.total_raw != 0] if chosen.skip_zero_totals else []))


def _inside_ids(integration: Integration) -> set[int]:
    ids = db.session.scalars(
        select(Customer.autotask_id).where(
            Customer.tenant_id == current_tenant_id(),
            Customer.integration_id == integration.id,
            Customer.outside_filters_at.is_(None),
        )
    )
    return {row for row in ids if row is not None}


def _ask(
    client: Client,
    found: Preview,
    integration: Integration,
    change: tuple[SyncFilters, SyncFilters],
    inside: set[int],
    zone_name: str,
) -> Preview:
    """What enters is not here yet, so Autotask is asked for it."""
    old, new = change
    db.session.commit()
    found.all_customers = client.count("Companies", [])
    found.all_invoices = client.count("Invoices", [])
    fitting = client.count("Contacts", filters.contact_conditions(new))
    found.contacts.enter.number = max(fitting - found.contacts.stay.number, 0)
    entering = _entering(client, found, new, inside) if old.to_dict() != new.to_dict() else {}
    found.customers.enter.number = len(entering)
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


def save(actor: Actor, integration: Integration, new: SyncFilters) -> bool:
    """The filters from the next run on, which reads everything once; whether they differ. The caller commits."""
    before = SyncFilters.from_dict(integration.filters).to_dict()
    after = new.to_dict()
    if before == after:
        return False
    integration.filters = {} if new.empty else after
    cursors.forget(integration.id)
    audit.record(actor, "filters.changed", "integration", integration.id, before=before, after=after)
    return True
