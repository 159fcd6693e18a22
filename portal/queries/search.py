"""Customers, invoices and payments for a few words."""

from dataclasses import dataclass

from sqlalchemy import or_
from sqlalchemy.orm import joinedload

from portal.access.tenancy import scoped
from portal.models import Customer, Invoice, Payment
from portal.queries import cut, finding

MOST = 10
NOTHING = cut.Some((), 0)


@dataclass(frozen=True)
class Results:
    """The first ones of each kind; an exact number or name stands first."""

    customers: cut.Some = NOTHING
    invoices: cut.Some = NOTHING
    payments: cut.Some = NOTHING

    def __len__(self) -> int:
        return self.customers.total + self.invoices.total + self.payments.total


def results(words: str) -> Results:
    """Nothing for no words; archived and deleted ones are found too."""
    return Results(_customers(words), _invoices(words), _payments(words)) if words else Results()


def _customers(words: str) -> cut.Some:
    exact = or_(Customer.name == words, Customer.number == words).desc()
    found = scoped(Customer).where(finding.customer(words))
    return cut.first(found.order_by(exact, Customer.name, Customer.id), MOST)


def _invoices(words: str) -> cut.Some:
    exact = ((Invoice.number == words) | Invoice.autotask_number.is_not_distinct_from(words)).desc()
    found = scoped(Invoice).where(finding.invoice(words)).options(joinedload(Invoice.customer))
    return cut.first(found.order_by(exact, Invoice.issued_on.desc(), Invoice.id.desc()), MOST)


def _payments(words: str) -> cut.Some:
    exact = (Payment.reference == words).desc()
    found = scoped(Payment).where(finding.payment(words)).options(joinedload(Payment.customer))
    return cut.first(found.order_by(exact, Payment.paid_on.desc(), Payment.id.desc()), MOST)
