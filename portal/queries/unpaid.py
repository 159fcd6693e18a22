"""What a customer has not paid, and the credits that could pay it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import IS_UNPAID, Invoice, InvoiceStatus
from portal.money import ZERO


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
                IS_UNPAID,
                Invoice.archived_at.is_(None),
            )
            .order_by(Invoice.due_on.asc().nulls_last(), Invoice.id)
        )
    )


def unsettled_of(customer_id: int) -> dict[str, Any]:
    """Both a customer's `unpaid` invoices and its `credits`, in their orders, by one statement."""
    statement = scoped(Invoice).where(
        Invoice.customer_id == customer_id,
        IS_UNPAID | (Invoice.status == InvoiceStatus.CREDIT),
        Invoice.archived_at.is_(None),
    )
    rows = db.session.scalars(statement.order_by(Invoice.due_on.asc().nulls_last(), Invoice.id)).all()
    credits = [row for row in rows if row.is_credit]
    credits.sort(key=lambda row: (row.issued_on, row.id), reverse=True)
    return {"unpaid": Unpaid(row for row in rows if not row.is_credit), "credits": credits}


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
