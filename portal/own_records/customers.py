"""Customers of the portal's own. None of it goes to Autotask (rule 3.8). The caller commits."""

from portal import money
from portal.access import audit
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import Customer
from portal.own_records.refusal import NotAllowed


def create_customer(actor: Actor, name: str, currency: str, **values: str) -> Customer:
    """A customer of the portal's own."""
    if not name.strip():
        raise NotAllowed("Give the customer a name.", "name")
    if not money.is_currency(currency):
        raise NotAllowed(f"There is no currency {currency}.", "currency")
    row = Customer(tenant_id=current_tenant_id(), name=name.strip()[:100], currency=currency, **values)
    db.session.add(row)
    db.session.flush()
    audit.record(actor, "customer.created", "customer", row.id, name=row.name, currency=currency)
    return row


def change_customer(actor: Actor, customer: Customer, values: dict[str, str]) -> bool:
    """Other words for a customer of the portal's own; whether anything changed. Raises NotAllowed."""
    if customer.autotask_id is not None:
        raise NotAllowed("This customer comes from Autotask. Change it there; the next sync brings it here.")
    before = {name: getattr(customer, name) for name in values}
    if before == values:
        return False
    for name, value in values.items():
        setattr(customer, name, value)
    db.session.flush()
    audit.record(actor, "customer.changed", "customer", customer.id, before=before, after=values)
    return True
