"""A change of filters before it is saved: what would enter, leave and stay, in counts and open money (rule 2.5).

What is inside then is what fits in Autotask now. What is here of it stays, the rest of it enters, and the rest
of what is here leaves: three parts without overlap, whatever filters the rows here came in by.
"""

from portal.access.tenancy import current_tenant_id
from portal.autotask import filters
from portal.autotask.client import Client
from portal.autotask.filters import SyncFilters
from portal.connect import calling
from portal.connect.currencies import read_currencies
from portal.extensions import db
from portal.models import Integration, Tenant
from portal.sync import filter_preview_here, filter_preview_there
from portal.sync.filter_preview_here import Preview
from portal.sync.filter_preview_there import Asked


def of(integration: Integration, new: SyncFilters) -> Preview:
    """What enters, leaves and stays, in counts and open money. Asks Autotask; commits. Raises AutotaskError."""
    if not integration.is_primary:
        found = Preview()
        filter_preview_here.everything_stays(found, integration)
        return found
    zone_name = db.session.get_one(Tenant, current_tenant_id()).time_zone
    return calling(integration.id, lambda client: _ask(client, integration, new, zone_name))


def _ask(client: Client, integration: Integration, new: SyncFilters, zone_name: str) -> Preview:
    found = Preview(
        all_customers=client.count("Companies", []),
        all_invoices=client.count("Invoices", []),
    )
    if integration.currencies is None:
        integration.currencies = read_currencies(client) or {}
        db.session.commit()
    companies = filter_preview_there.companies(client, new)
    here = filter_preview_here.customers_here(integration, new)
    asked = Asked(integration, new, zone_name, companies, here)
    filter_preview_here.compare(found, integration, new, zone_name, asked.staying)
    db.session.commit()
    _count_customers(client, found, asked)
    filter_preview_there.count_contacts(client, found, asked)
    filter_preview_there.count_invoices(client, found, asked)
    found.requests = client.calls
    return found


def _count_customers(client: Client, found: Preview, asked: Asked) -> None:
    change = found.customers
    present = [row.autotask_id for row in asked.here.values() if not row.missing]
    change.stay.number = len(asked.staying.intersection(present))
    change.leave.number = len(present) - change.stay.number
    if asked.companies is None:
        change.reckon(client.count("Companies", filters.customer_conditions(asked.new)))
        return
    change.enter.number = len(asked.companies.keys() - set(present))
    change.unseen = len(asked.staying.intersection(present) - asked.companies.keys())
