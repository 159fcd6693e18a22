"""What a change of filters does to the records that are here, told in SQL."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, BigInteger, ColumnElement, and_, any_, func, literal, or_, select, true

from portal.access.tenancy import current_tenant_id
from portal.autotask import filters
from portal.autotask.filters import SyncFilters
from portal.extensions import db
from portal.models import Contact, Customer, Delivery, Integration, Invoice

OPEN = ("open", "part_paid")


@dataclass
class Part:
    """How many records of one kind, and how much of them is open, by currency.

    `counted` and `added_up` are False where finding out would take too many requests to Autotask.
    """

    number: int = 0
    open_amounts: dict[str, Decimal] = field(default_factory=dict)
    counted: bool = True
    added_up: bool = True

    def add(self, currency: str, amount: Decimal) -> None:
        self.open_amounts[currency] = self.open_amounts.get(currency, Decimal(0)) + amount


@dataclass
class Change:
    """What a change of filters does to one kind of record: what stays and leaves is all that is here.

    `unseen` are those that would stay but that Autotask did not count: the next sync looks them up.
    """

    enter: Part = field(default_factory=Part)
    leave: Part = field(default_factory=Part)
    stay: Part = field(default_factory=Part)
    unseen: int = 0

    @property
    def inside_then(self) -> int:
        return self.stay.number + self.enter.number - self.unseen

    def reckon(self, fitting: int) -> None:
        """From how many fit in Autotask: those that are not here yet come in."""
        self.enter.number = max(fitting - self.stay.number, 0)
        self.unseen = max(self.stay.number - fitting, 0)


@dataclass
class Preview:
    customers: Change = field(default_factory=Change)
    contacts: Change = field(default_factory=Change)
    invoices: Change = field(default_factory=Change)
    all_customers: int = 0
    all_invoices: int = 0
    requests: int = 0


class CustomerHere(NamedTuple):
    """A customer inside the filters in force. One that is missing in Autotask stays whatever the filters are."""

    autotask_id: int
    fits: bool
    missing: bool
    currency: str


class InvoiceHere(NamedTuple):
    """What is known here of an invoice, inside the filters or not; `our_mark_on` is the paid date we wrote."""

    autotask_id: int
    inside: bool
    paid_amount: Decimal
    credited_amount: Decimal
    our_mark_on: date | None


def customers_here(integration: Integration, new: SyncFilters) -> dict[int, CustomerHere]:
    """Customers by Autotask id; `fits` goes by what was last read of them."""
    rows = db.session.execute(
        select(
            Customer.autotask_id,
            customers_fitting(new),
            Customer.missing_since.is_not(None),
            Customer.currency,
        ).where(
            Customer.tenant_id == current_tenant_id(),
            Customer.integration_id == integration.id,
            Customer.autotask_id.is_not(None),
            Customer.outside_filters_at.is_(None),
        )
    )
    return {row[0]: CustomerHere(row[0], *row[1:]) for row in rows if row[0] is not None}


def compare(
    found: Preview, integration: Integration, new: SyncFilters, zone_name: str, staying: Collection[int]
) -> None:
    """Contacts and invoices that leave and stay when just these customers (Autotask ids) stay."""
    with_customer = or_(Customer.missing_since.is_not(None), _among(Customer.autotask_id, staying))
    both = and_(with_customer, _invoices_fitting(new, zone_name))
    for fits, part in ((both, found.invoices.stay), (~both, found.invoices.leave)):
        _sum_here(part, integration, fits)
    _compare_contacts(found, integration, new, with_customer)


def everything_stays(found: Preview, integration: Integration) -> None:
    """For the secondary role, where filters neither bring in nor mark anything."""
    customers = customers_here(integration, SyncFilters()).values()
    found.customers.stay.number = sum(not row.missing for row in customers)
    _sum_here(found.invoices.stay, integration, true())
    _compare_contacts(found, integration, SyncFilters(), true())


def invoices_here(integration: Integration, autotask_ids: Collection[int]) -> dict[int, InvoiceHere]:
    """By Autotask id, those of them that are known here."""
    mark = and_(Delivery.tenant_id == Invoice.tenant_id, Delivery.invoice_id == Invoice.id)
    rows = db.session.execute(
        select(
            Invoice.autotask_id,
            and_(Invoice.outside_filters_at.is_(None), Invoice.missing_since.is_(None)),
            Invoice.paid_amount,
            Invoice.credited_amount,
            Delivery.our_mark_on,
        )
        .outerjoin(Delivery, mark)
        .where(
            Invoice.tenant_id == current_tenant_id(),
            Invoice.integration_id == integration.id,
            _among(Invoice.autotask_id, autotask_ids),
        )
    )
    return {row[0]: InvoiceHere(row[0], *row[1:]) for row in rows if row[0] is not None}


def _among(column: Any, ids: Collection[int]) -> ColumnElement[bool]:
    listed: Sequence[int] = sorted(ids)
    return func.coalesce(column == any_(literal(listed, ARRAY(BigInteger))), False)


def _compare_contacts(
    found: Preview, integration: Integration, new: SyncFilters, with_customer: ColumnElement[bool]
) -> None:
    """A contact stays when it fits and its customer stays."""
    rows = db.session.execute(
        select(Contact.billing, Contact.user_defined, with_customer.label("with_customer"))
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
        .order_by(Invoice.currency)
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
