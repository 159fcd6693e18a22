"""What a change of filters does to the records that are here, told in SQL."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, true

from portal.access.tenancy import current_tenant_id
from portal.autotask import filters
from portal.autotask.filters import SyncFilters
from portal.extensions import db
from portal.models import Contact, Customer, Integration, Invoice, Tenant

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


def compare(found: Preview, integration: Integration, new: SyncFilters) -> None:
    """Leaving and staying are told from the rows that are here."""
    zone_name = db.session.get_one(Tenant, current_tenant_id()).time_zone
    customer_fits = customers_fitting(new)
    for fits, part in ((customer_fits, found.customers.stay), (~customer_fits, found.customers.leave)):
        part.number = db.session.scalar(_here(Customer, integration).where(fits)) or 0
    both = and_(customer_fits, _invoices_fitting(new, zone_name))
    for fits, part in ((both, found.invoices.stay), (~both, found.invoices.leave)):
        _sum_here(part, integration, fits)
    _compare_contacts(found, integration, new, customer_fits)


def _compare_contacts(
    found: Preview, integration: Integration, new: SyncFilters, customer_fits: ColumnElement[bool]
) -> None:
    """A contact stays when it fits and its customer stays."""
    rows = db.session.execute(
        select(Contact.billing, Contact.user_defined, customer_fits.label("with_customer"))
        .join(Customer, and_(Customer.tenant_id == Contact.tenant_id, Customer.id == Contact.customer_id))
        .where(
            Contact.tenant_id == current_tenant_id(),
            Contact.integration_id == integration.id,
            Contact.outside_filters_at.is_(None),
            Contact.missing_since.is_(None),
        )
    )
    for row in rows:
        fits = filters.matches_contact(new, {"billing": row.billing, "user_defined": row.user_defined})
        (found.contacts.stay if fits and row.with_customer else found.contacts.leave).number += 1


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


def customers_fitting(chosen: SyncFilters) -> ColumnElement[bool]:
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


def inside_ids(integration: Integration, chosen: SyncFilters | None = None) -> set[int]:
    """Autotask ids of the customers inside the filters in force; with `chosen`, of those that stay inside."""
    ids = db.session.scalars(
        select(Customer.autotask_id).where(
            Customer.tenant_id == current_tenant_id(),
            Customer.integration_id == integration.id,
            Customer.outside_filters_at.is_(None),
            customers_fitting(chosen or SyncFilters()),
        )
    )
    return {row for row in ids if row is not None}
