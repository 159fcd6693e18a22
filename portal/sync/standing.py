"""Is anything read now, and if not, why? In words of the integration's page."""

from datetime import datetime

from sqlalchemy import exists, select

from portal.connect.opening import unusable
from portal.extensions import db
from portal.models import Integration, IntegrationState, SyncRun, SyncSchedule

# The name of a badge, to the sentence for it.
HELD = {
    "disconnected": "Autotask is disconnected, so nothing is read or sent.",
    "waits_for_login": "Autotask refuses the key and secret, so nothing is read or sent until it accepts a login again.",
    "unusable": "The portal cannot call Autotask, so nothing is read or sent until that is mended.",
    "waits_for_filters": "Nothing was read yet: the first sync waits until filters are chosen, or skipped.",
    "postponed": "The hourly budget is nearly used, so reading waits a while. Payments still go out.",
}
HOLDS_PAYMENTS = ("disconnected", "waits_for_login", "unusable")


def held_by(integration: Integration, now: datetime) -> str:
    """A key of HELD, or nothing while reading goes on."""
    if integration.state == IntegrationState.DISCONNECTED:
        return "disconnected"
    if not integration.is_connected:
        return "waits_for_login"
    if unusable(integration):
        return "unusable"
    if waits_for_filters(integration):
        return "waits_for_filters"
    return "postponed" if integration.paused_until is not None and integration.paused_until > now else ""


def waits_for_filters(integration: Integration) -> bool:
    """True from connecting with "choose filters first" until the first sync is begun (rule 2.1)."""
    return not _has(SyncSchedule, integration) and not _has(SyncRun, integration)


def _has(model: type[SyncSchedule] | type[SyncRun], integration: Integration) -> bool:
    mine = (model.tenant_id == integration.tenant_id, model.integration_id == integration.id)
    return bool(db.session.scalar(select(exists().where(*mine))))
