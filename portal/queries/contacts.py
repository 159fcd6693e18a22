"""The people of a customer, those first who get its invoices."""

from collections.abc import Mapping

from portal.access.tenancy import scoped
from portal.models import Contact
from portal.queries import cut, paging

CONTACT_KEYS = (
    paging.Key(Contact.last_name, str),
    paging.Key(Contact.first_name, str),
    paging.Key(Contact.id),
)

CONTACTS_SHOWN = 100


def contacts_of(customer_id: int) -> cut.Some:
    """The people who get a customer's invoices, billing contacts first."""
    mine = scoped(Contact).where(Contact.customer_id == customer_id)
    order = (Contact.billing.desc(), Contact.active.desc(), Contact.last_name, Contact.id)
    return cut.first(mine.order_by(*order), CONTACTS_SHOWN)


def page_of_contacts(customer_id: int, args: Mapping[str, str]) -> paging.Page:
    """One page of all of them, by name."""
    mine = scoped(Contact).where(Contact.customer_id == customer_id)
    return paging.fetch(mine, CONTACT_KEYS, args, ascending=True)
