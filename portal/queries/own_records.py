"""What the forms for local data offer."""

from collections.abc import Sequence

from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import Customer

MOST = 2000


def customers() -> Sequence[Customer]:
    """Customers that an invoice can be made for, by name."""
    query = scoped(Customer).where(Customer.archived_at.is_(None), Customer.missing_since.is_(None))
    return db.session.scalars(query.order_by(Customer.name, Customer.id).limit(MOST)).all()
