"""What a customer has not paid, and the credits that could pay it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from portal.access.tenancy import scoped
from portal.models import IS_UNPAID, Invoice, InvoiceStatus
from portal.money import ZERO
from portal.queries import cut
from portal.queries.customers import Owed

MOST = 25
MOST_CREDITS = 10


@dataclass(frozen=True)
class Unpaid(cut.Some):
    """The first of a customer's unpaid invoices, oldest due first, and what all of them owe in each currency."""

    owed: Sequence[Owed] = ()

    @property
    def only_currency(self) -> str:
        """The currency of all of them where it is the same; otherwise empty."""
        found = [one.currency for one in self.owed if one.unpaid]
        return found[0] if len(found) == 1 else ""

    @property
    def outstanding(self) -> Decimal:
        """Their sum: of use only where the currency is the same."""
        return sum((one.outstanding for one in self.owed), ZERO)


def unpaid_of(customer_id: int, owed: Sequence[Owed]) -> Unpaid:
    found = cut.first(
        scoped(Invoice)
        .where(Invoice.customer_id == customer_id, IS_UNPAID, Invoice.archived_at.is_(None))
        .order_by(Invoice.due_on.asc().nulls_last(), Invoice.id),
        MOST,
    )
    return Unpaid(found.rows, found.total, owed)


def first_credits_of(customer_id: int) -> cut.Some:
    return cut.first(credits_of(customer_id), MOST_CREDITS)


def credits_of(customer_id: int) -> Any:
    """Selects a customer's credits, newest first."""
    return (
        scoped(Invoice)
        .where(
            Invoice.customer_id == customer_id,
            Invoice.status == InvoiceStatus.CREDIT,
            Invoice.archived_at.is_(None),
        )
        .order_by(Invoice.issued_on.desc(), Invoice.id.desc())
    )
