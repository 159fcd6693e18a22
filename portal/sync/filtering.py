"""The partner's own choices for filters, and saving what was chosen."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from portal import clock
from portal.access import audit
from portal.access.actor import Actor
from portal.autotask.client import Client
from portal.autotask.filters import SyncFilters
from portal.connect import calling
from portal.extensions import db
from portal.models import Integration
from portal.sync import cursors

PICKLISTS = {
    "company_types": "companyType",
    "classifications": "classification",
    "territories": "territoryID",
    "market_segments": "marketSegmentID",
}
FRESH_FOR = timedelta(days=1)


def choices(integration: Integration) -> Mapping[str, Any]:
    """The partner's own picklists and contact fields, read once a day. Commits. Raises AutotaskError."""
    held = integration.picklists
    if held and held.get("read_at", "") > (clock.now() - FRESH_FOR).isoformat():
        return held
    found = calling(integration.id, _read_choices)
    integration.picklists = found
    db.session.commit()
    return found


def _read_choices(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: {str(value): label for value, label in client.picklist("Companies", wire)}
        for name, wire in PICKLISTS.items()
    }
    fields = [str(one["name"]) for one in client.user_defined_fields("Contacts") if one.get("name")]
    return {**found, "contact_fields": sorted(fields), "read_at": clock.now().isoformat()}


def save(actor: Actor, integration: Integration, new: SyncFilters) -> bool:
    """The filters from the next run on, which reads everything once; whether they differ. The caller commits."""
    before = SyncFilters.from_dict(integration.filters).to_dict()
    after = new.to_dict()
    if before == after:
        return False
    integration.filters = {} if new.empty else after
    cursors.forget(integration.id)
    audit.record(actor, "filters.changed", "integration", integration.id, before=before, after=after)
    return True
