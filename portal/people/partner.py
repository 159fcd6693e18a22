"""A partner's own settings: what it is called, how its pages write dates, and whether support may look in."""

from typing import Any

from portal.access import audit, consent
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import SupportAccess, Tenant

FIELDS = (
    "name",
    "default_currency",
    "date_format",
    "number_format",
    "second_factor_for_all",
    "support_access",
)


def change(actor: Actor, wanted: dict[str, Any]) -> bool:
    """Sets those of FIELDS that differ; whether any did. Without support's access its visits end. The caller commits."""
    alone = {"key_share": True}
    partner = db.session.get_one(Tenant, current_tenant_id(), with_for_update=alone, populate_existing=True)
    before = {name: getattr(partner, name) for name in FIELDS if getattr(partner, name) != wanted[name]}
    if not before:
        return False
    for name in before:
        setattr(partner, name, wanted[name])
    after = {name: wanted[name] for name in before}
    if partner.support_access == SupportAccess.OFF:
        consent.shut_out(actor, partner)
    audit.record(actor, "partner.settings_changed", "partner", partner.id, before=before, after=after)
    return True
