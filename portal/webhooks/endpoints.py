"""A partner's endpoints: tested before they are saved, changed, paused and removed by its owners."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, text

from portal import clock
from portal.access import audit, belonging
from portal.access.actor import Actor
from portal.access.permissions import Permission
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import EndpointState, MessageState, Tenant, WebhookEndpoint, WebhookMessage
from portal.webhooks import addresses, catching_up, kinds, send, signing
from portal.webhooks.post import Answer

MOST = 10
LONGEST_NAME = 80


class Refused(ValueError):
    """The endpoint is not saved; the message says why."""


class Removed(ValueError):
    """Somebody removed it a moment ago."""


@dataclass(frozen=True)
class Wanted:
    """An endpoint as a person wants it."""

    url: str
    name: str
    kinds: Sequence[str]


def of_partner() -> Sequence[WebhookEndpoint]:
    """Those that were not removed, oldest first."""
    here = WebhookEndpoint.state != EndpointState.REMOVED
    return db.session.scalars(scoped(WebhookEndpoint).where(here).order_by(WebhookEndpoint.id)).all()


def check(wanted: Wanted, other_than: int = 0) -> None:
    """What can be said before anything is sent. Raises Refused."""
    try:
        addresses.target(wanted.url)
    except addresses.NotAllowed as refusal:
        raise Refused(str(refusal)) from None
    others = [one for one in of_partner() if one.id != other_than]
    if wanted.url in {one.url for one in others}:
        raise Refused("There is an endpoint with this address already.")
    if not other_than and len(others) >= MOST:
        raise Refused(f"There are {MOST} endpoints already. Remove one first.")


def test(url: str, with_secrets: list[str]) -> Answer:
    """Sends a message of the kind `webhook.test`, which is kept nowhere. Ends the transaction before it does."""
    name, now = f"evt_test_{secrets.token_hex(8)}", clock.now()
    data = {"message": "This is a test. Whoever verified its signature is ready."}
    told = {"id": name, "type": kinds.TEST, "timestamp": now.isoformat(), "data": data}
    db.session.commit()
    return send.deliver(url, name, json.dumps(told, separators=(",", ":")).encode(), with_secrets)


def create(actor: Actor, wanted: Wanted, secret: str) -> WebhookEndpoint:
    """A new endpoint that is on. The caller has tested it, and commits. Raises Refused."""
    _one_at_a_time(actor)
    check(wanted)
    row = WebhookEndpoint(
        tenant_id=current_tenant_id(),
        url=wanted.url,
        name=wanted.name.strip(),
        kinds=_in_order(wanted.kinds),
        state=EndpointState.ON,
        created_by_id=actor.user_id,
    )
    db.session.add(row)
    db.session.flush()
    signing.keep(row.id, secret)
    audit.record(actor, "webhook.created", "webhook", row.id, **_told(row))
    return row


def change(actor: Actor, endpoint_id: int, wanted: Wanted) -> WebhookEndpoint:
    """Another address, name or choice of kinds. The caller has tested it, and commits. Raises Refused, Removed."""
    _one_at_a_time(actor)
    check(wanted, endpoint_id)
    row = _locked(actor, endpoint_id)
    before = _told(row)
    row.url, row.name, row.kinds = wanted.url, wanted.name.strip(), _in_order(wanted.kinds)
    if row.is_on:
        row.failures, row.failing_since, row.rests_until = 0, None, clock.now()
    _take_back(row)
    audit.record(actor, "webhook.changed", "webhook", row.id, before=before, after=_told(row))
    return row


def pause(actor: Actor, endpoint_id: int) -> WebhookEndpoint:
    """Nothing is sent from here on. Safe to call twice. The caller commits. Raises Removed."""
    row = _locked(actor, endpoint_id)
    if row.state == EndpointState.ON:
        row.state, row.off_since = EndpointState.PAUSED, clock.now()
        _take_back(row)
        audit.record(actor, "webhook.paused", "webhook", row.id, name=row.name)
    return row


def resume(actor: Actor, endpoint_id: int) -> WebhookEndpoint:
    """On again, with all that happened meanwhile. Safe to call twice. The caller has tested it, and commits. Raises Removed.

    Most of what it missed is copied before the lock, which every writer of events waits for; that is committed here.
    """
    belonging.hold(actor, Permission.WEBHOOKS)
    row = db.session.get_one(WebhookEndpoint, (current_tenant_id(), endpoint_id), populate_existing=True)
    since = catching_up.give(row, row.off_since) if _is_off(row) else None
    db.session.commit()
    row = _locked(actor, endpoint_id)
    if _is_off(row):
        catching_up.give(row, since or row.off_since)
        row.state, row.off_since = EndpointState.ON, None
        row.failures, row.failing_since, row.rests_until = 0, None, clock.now()
        _take_back(row)
        audit.record(actor, "webhook.resumed", "webhook", row.id, name=row.name)
    return row


def _is_off(row: WebhookEndpoint) -> bool:
    return row.state in (EndpointState.PAUSED, EndpointState.SWITCHED_OFF)


def remove(actor: Actor, endpoint_id: int) -> WebhookEndpoint:
    """It hears of nothing any more, and its secrets are gone. The caller commits. Raises Removed."""
    row = _locked(actor, endpoint_id)
    row.state, row.off_since = EndpointState.REMOVED, clock.now()
    _take_back(row)
    gone = text("DELETE FROM webhook_secret WHERE tenant_id = :tenant_id AND endpoint_id = :id")
    db.session.execute(gone, {"tenant_id": row.tenant_id, "id": row.id})
    audit.record(actor, "webhook.removed", "webhook", row.id, **_told(row))
    return row


def rotate(actor: Actor, endpoint_id: int) -> tuple[WebhookEndpoint, str]:
    """A new secret, which is told here and never again; the one before signs beside it for a day. The caller commits.

    Raises Removed.
    """
    row, secret = _locked(actor, endpoint_id), signing.new_secret()
    signing.keep(row.id, secret)
    audit.record(actor, "webhook.secret_replaced", "webhook", row.id, name=row.name)
    return row, secret


def waiting(endpoint_id: int) -> int:
    """How many messages still wait for it."""
    query = select(func.count()).where(
        WebhookMessage.tenant_id == current_tenant_id(),
        WebhookMessage.endpoint_id == endpoint_id,
        WebhookMessage.state == MessageState.WAITING,
    )
    return db.session.scalar(query) or 0


def _locked(actor: Actor, endpoint_id: int) -> WebhookEndpoint:
    """Writers of events that are under way are waited for: they have not seen what changes now. Raises Removed."""
    belonging.hold(actor, Permission.WEBHOOKS)
    query = scoped(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id).with_for_update()
    row = db.session.scalars(query.execution_options(populate_existing=True)).one()
    if row.state == EndpointState.REMOVED:
        raise Removed(f"“{row.name}” was removed a moment ago. Nothing was changed.")
    return row


def _take_back(row: WebhookEndpoint) -> None:
    """Whoever sends to it begins anew, with what is true from here on."""
    row.lease_token = row.lease_until = None


def _one_at_a_time(actor: Actor) -> None:
    """Two people who save the same address at once must not both be let through."""
    belonging.hold(actor, Permission.WEBHOOKS)
    db.session.execute(
        select(Tenant.id).where(Tenant.id == current_tenant_id()).with_for_update(key_share=True)
    )


def _in_order(chosen: Sequence[str]) -> list[str]:
    return [kind.value for kind in kinds.OFFERED if kind in chosen]


def _told(row: WebhookEndpoint) -> dict[str, Any]:
    """For the audit log: an address may hold what opens something, so its host alone stands there."""
    return {"name": row.name, "host": addresses.shown(row.url), "events": ", ".join(row.kinds)}
