"""Customers and invoices for a few words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_
from sqlalchemy.orm import joinedload

from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import Customer, Invoice
from portal.queries.text import containing

MOST = 10


@dataclass(frozen=True)
class Results:
    """The first ones of each kind; an exact number or name stands first."""

    customers: Sequence[Customer]
    invoices: Sequence[Invoice]

    def __len__(self) -> int:
        return len(self.customers) + len(self.invoices)


def results(words: str) -> Results:
    """Nothing for no words; archived ones are found too."""
    if not words:
        return Results([], [])
    pattern = containing(words)
    numbers: list[Any] = [Invoice.number.ilike(pattern)]
    if words.isascii() and words.isdigit() and len(words) < 19:
        numbers.append(Invoice.autotask_id == int(words))
    exact_number = (Invoice.number == words).desc()
    exact_name = (Customer.name == words).desc()
    return Results(
        db.session.scalars(
            scoped(Customer)
            .where(Customer.name.ilike(pattern))
            .order_by(exact_name, Customer.name, Customer.id)
            .limit(MOST)
        ).all(),
        db.session.scalars(
            scoped(Invoice)
            .where(or_(*numbers))
            .options(joinedload(Invoice.customer))
            .order_by(exact_number, Invoice.issued_on.desc(), Invoice.id.desc())
            .limit(MOST)
        ).all(),
    )
