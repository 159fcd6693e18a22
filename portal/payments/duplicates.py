"""The same money twice? A payment of the same customer, day, amount and currency that is recorded already."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import aliased

from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import Payment

Money = tuple[int, str, date, Decimal]


def recorded(several: Iterable[Money]) -> dict[Money, Payment]:
    """Of (customer id, currency, day, amount): the newest payment that says the same and is not deleted."""
    alike = tuple_(Payment.customer_id, Payment.currency, Payment.paid_on, Payment.amount)
    rows = db.session.scalars(
        scoped(Payment).where(alike.in_(set(several)), Payment.deleted_at.is_(None)).order_by(Payment.id)
    )
    return {(row.customer_id, row.currency, row.paid_on, row.amount): row for row in rows}


def earlier(payments: Sequence[Payment]) -> dict[int, int]:
    """By payment id: the latest earlier payment that says the same and is not deleted."""
    one, before = aliased(Payment), aliased(Payment)
    rows = db.session.execute(
        select(one.id, func.max(before.id))
        .join(
            before,
            (before.tenant_id == one.tenant_id)
            & (before.customer_id == one.customer_id)
            & (before.currency == one.currency)
            & (before.paid_on == one.paid_on)
            & (before.amount == one.amount)
            & (before.id < one.id)
            & before.deleted_at.is_(None),
        )
        .where(one.tenant_id == current_tenant_id(), one.id.in_([payment.id for payment in payments]))
        .group_by(one.id)
    )
    return {row[0]: row[1] for row in rows}
