"""The bell for sync runs."""

from portal.access.tenancy import tenant_scope
from portal.sync import perform


def run_sync(tenant_id: int, run_id: int) -> bool:
    """Works on one run, if it is to be had. Safe to ring twice: the lease decides."""
    with tenant_scope(tenant_id):
        return perform.perform(run_id)
