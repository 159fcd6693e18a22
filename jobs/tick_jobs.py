"""What the scheduler rings: each job finds in PostgreSQL what is due. The poller does so without Redis."""

from jobs.upkeep import do_due
from portal.access.tenancy import tenant_scope
from portal.mail import send
from portal.notices import sweep as notices
from portal.operating import alarms, heartbeats
from portal.people import lost_factors
from portal.queue import DELIVERIES, SYNCS, bell, is_empty
from portal.reconcile import due_partners
from portal.reconcile.sweep import compare_due
from portal.sync import due_runs, run_lease, runs
from portal.webhooks import due as webhooks


def due_work() -> None:
    """Every minute: creates the runs that are due by the clock, and rings for all work that waits."""
    # While bells wait there, every run that is due has one: a second would only cost its worker the time.
    waiting = run_lease.due() if is_empty(SYNCS) else []
    runs.ring_all([*waiting, *due_runs.create_due()])
    for tenant_id in due_partners.tenants_to_deliver():
        bell(DELIVERIES, "jobs.deliver.deliver_due", tenant_id)
    if send.due():
        bell(SYNCS, "jobs.mail.send_due")  # never in the way of payments
    if heartbeats.poller_is_silent() and webhooks.due():
        bell(SYNCS, "jobs.webhooks.send_due")
    alarms.watch()  # also where no poller is left to do it


def sweep() -> None:
    """Every five minutes: compares both sides where that is due, and tells people what they should hear."""
    for tenant_id in due_partners.tenants_to_look_at():
        with tenant_scope(tenant_id):
            compare_due()
    notices.sweep()
    lost_factors.settle_due()


def upkeep() -> None:
    """Every hour: the regular duties that are due, unless the poller did them."""
    do_due()
