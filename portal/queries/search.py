"""Customers, invoices and payments for a few words."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import or_
from sqlalchemy.orm import joinedload

from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import Customer, Invoice, Payment
from portal.queries import finding

MOST = 10


@dataclass(frozen=True)
class Results:
    """The first ones of each kind; an exact number or name stands first."""

    customers: Sequence[Customer] = field(default_factory=list)
    invoices: Sequence[Invoice] = field(default_factory=list)
    payments: Sequence[Payment] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.customers) + len(self.invoices) + len(self.payments)


def results(words: str) -> Results:
    """Nothing for no words; archived and deleted ones are found too."""
    return Results(_customers(words), _invoices(words), _payments(words)) if words else Results()


def _customers(words: str) -> Sequence[Customer]:
    exact = or_(Customer.name == words, Customer.number == words).desc()
    found = scoped(Customer).where(finding.customer(words))
    return db.session.scalars(found.order_by(exact, Customer.name, Customer.id).limit(MOST)).all()


def _invoices(words: str) -> Sequence[Invoice]:
    exact = ((Invoice.number == words) | Invoice.autotask_number.is_not_distinct_from(words)).desc()
    return db.session.scalars(
        scoped(Invoice)
        .where(finding.invoice(words))
        .options(joinedload(Invoice.customer))
        .order_by(exact, Invoice.issued_on.desc(), Invoice.id.desc())
        .limit(MOST)
    ).all()


def _payments(words: str) -> Sequence[Payment]:
    exact = (Payment.reference == words).desc()
    return db.session.scalars(
        scoped(Payment)
        .where(finding.payment(words))
        .options(joinedload(Payment.customer))
        .order_by(exact, Payment.paid_on.desc(), Payment.id.desc())
        .limit(MOST)
    ).all()
