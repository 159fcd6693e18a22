"""What a customer has not paid, and the credits that could pay it."""

from collections.abc import Sequence
from decimal import Decimal

from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import Invoice, InvoiceStatus
from portal.money import ZERO
from portal.queries.invoices import UNPAID


class Unpaid(list[Invoice]):
    """A customer's unpaid invoices, oldest due first."""

    @property
    def only_currency(self) -> str:
        """The currency of all of them where it is the same; otherwise empty."""
        found = {invoice.currency for invoice in self}
        return found.pop() if len(found) == 1 else ""

    @property
    def outstanding(self) -> Decimal:
        """Their sum: of use only where the currency is the same."""
        return sum((invoice.outstanding for invoice in self), ZERO)

    def number_in(self, currency: str) -> int:
        return sum(invoice.currency == currency for invoice in self)


def unpaid_of(customer_id: int) -> Unpaid:
    return Unpaid(
        db.session.scalars(
            scoped(Invoice)
            .where(
                Invoice.customer_id == customer_id,
                Invoice.status.in_(UNPAID),
                Invoice.archived_at.is_(None),
            )
            .order_by(Invoice.due_on.asc().nulls_last(), Invoice.id)
        )
    )


def credits_of(customer_id: int) -> Sequence[Invoice]:
    """A customer's credits, newest first."""
    return db.session.scalars(
        scoped(Invoice)
        .where(
            Invoice.customer_id == customer_id,
            Invoice.status == InvoiceStatus.CREDIT,
            Invoice.archived_at.is_(None),
        )
        .order_by(Invoice.issued_on.desc(), Invoice.id.desc())
    ).all()
