"""The partner's own choices for filters, and saving what was chosen."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from portal import clock
from portal.access import audit
from portal.access.actor import Actor
from portal.autotask.client import Client
from portal.autotask.errors import Permanent, Unauthorized
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


def stored(integration: Integration) -> Mapping[str, Any]:
    """The choices as they were last read, with `read_at`; empty before that. Asks nobody."""
    return integration.picklists or {}


def read_at(integration: Integration) -> datetime | None:
    """When the choices were last read."""
    text = stored(integration).get("read_at")
    return datetime.fromisoformat(text) if text else None


def choices(integration: Integration, *, anew: bool = False) -> Mapping[str, Any]:
    """The partner's own picklists and contact fields, read once a day. Commits. Raises AutotaskError."""
    if _is_fresh(integration) and not anew:
        return stored(integration)
    found = calling(integration.id, _read_choices)
    integration.picklists = found
    db.session.commit()
    return found


def keep_fresh(integration: Integration, client: Client) -> None:
    """What a run does once a day, so that pages need not ask: the choices are read. Commits."""
    if _is_fresh(integration):
        return
    try:
        integration.picklists = _read_choices(client)
    except Unauthorized:
        raise
    except Permanent:  # the API user may not look at them; the filters' page says that none are known
        return
    db.session.commit()


def _is_fresh(integration: Integration) -> bool:
    return bool(stored(integration).get("read_at", "") > (clock.now() - FRESH_FOR).isoformat())


def _read_choices(client: Client) -> dict[str, Any]:
    described = client.picklists("Companies", PICKLISTS.values())
    found: dict[str, Any] = {
        name: {str(value): label for value, label in described[wire]} for name, wire in PICKLISTS.items()
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
