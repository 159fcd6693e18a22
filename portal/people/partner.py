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
    "held_methods",
    "support_access",
)


def change(actor: Actor, wanted: dict[str, Any], *, not_acting: str | None = None) -> bool:
    """Sets those of FIELDS that differ; whether anything did. Without support's access its visits end.

    `not_acting`: the agreement to act that is taken back, as `consent.mark` told it; any other one stays. Visits are
    locked before the first event is written, as whoever begins or ends one does. The caller commits.
    """
    alone = {"key_share": True}
    partner = db.session.get_one(Tenant, current_tenant_id(), with_for_update=alone, populate_existing=True)
    lets_in = wanted["support_access"] != SupportAccess.OFF
    taken_back = not_acting is not None and lets_in and consent.take_back(actor, not_acting)
    before = {name: getattr(partner, name) for name in FIELDS if getattr(partner, name) != wanted[name]}
    if not before:
        return taken_back
    for name in before:
        setattr(partner, name, wanted[name])
    after = {name: wanted[name] for name in before}
    if partner.support_access == SupportAccess.OFF:
        consent.shut_out(actor, partner)
    audit.record(actor, "partner.settings_changed", "partner", partner.id, before=before, after=after)
    return True
