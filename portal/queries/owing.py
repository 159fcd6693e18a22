"""What customers still owe, told before they are put away."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import func, select

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import IS_UNPAID, Customer, Invoice


@dataclass(frozen=True)
class Owed:
    """One customer's unpaid invoices of one currency."""

    customer_id: int
    name: str
    currency: str
    invoices: int
    amount: Decimal


def by(customer_ids: Sequence[int]) -> list[Owed]:
    """Those of these customers who owe, by name and currency; archived invoices do not count."""
    rows = db.session.execute(
        select(Customer.id, Customer.name, Invoice.currency, func.count(), func.sum(Invoice.outstanding))
        .join(Invoice, (Invoice.tenant_id == Customer.tenant_id) & (Invoice.customer_id == Customer.id))
        .where(
            Customer.tenant_id == current_tenant_id(),
            Customer.id.in_(customer_ids),
            Customer.archived_at.is_(None),
            IS_UNPAID,
            Invoice.archived_at.is_(None),
        )
        .group_by(Customer.id, Customer.name, Invoice.currency)
        .order_by(Customer.name, Customer.id, Invoice.currency)
    )
    return [Owed(*row) for row in rows]


def told(owed: Sequence[Owed]) -> str:
    """What a person was told; another sum has to be told again."""
    return " ".join(f"{one.customer_id}:{one.amount}{one.currency}" for one in owed)
