"""What the forms for local data offer."""

from portal.access.tenancy import scoped
from portal.models import Customer
from portal.queries import cut

MOST = 2000


def customers(chosen_id: int | None) -> cut.Some:
    """Customers that an invoice can be made for, by name; the chosen one is among them, wherever it stands."""
    query = scoped(Customer).where(Customer.archived_at.is_(None), Customer.missing_since.is_(None))
    found = cut.first(query.order_by(Customer.name, Customer.id), MOST)
    if chosen_id is None or not found.is_cut or any(row.id == chosen_id for row in found):
        return found
    chosen = cut.first(query.where(Customer.id == chosen_id), 1)
    return cut.Some([*chosen, *found], found.total)
