"""The bell for uploaded files."""

from portal.access.tenancy import tenant_scope
from portal.uploads import work


def work_on(tenant_id: int, file_id: int) -> bool:
    """Works on one file, if it waits for that. Safe to ring twice: the lease decides."""
    with tenant_scope(tenant_id):
        return work.work(file_id)
