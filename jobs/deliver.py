"""The bell for deliveries."""

from portal.access.tenancy import tenant_scope
from portal.reconcile import deliver


def deliver_due(tenant_id: int) -> int:
    """Delivers what is due of one partner. Safe to run twice and at the same time."""
    with tenant_scope(tenant_id):
        return deliver.deliver_due()
