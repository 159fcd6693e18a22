"""The sending side. Safe to run twice and at the same time: an endpoint is claimed by lease, and its messages go one by one.

Of one invoice they go in their order: none overtakes one that waits. A message is taken once it is answered with 2xx and
that is committed; a process that dies between the two leaves it to be sent again under the same id, but the third time.
"""

from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import func, select, text
from sqlalchemy.orm import aliased

from portal import clock
from portal.access.tenancy import current_tenant_id, tenant_scope
from portal.database import claims
from portal.extensions import db
from portal.models import EndpointState, MessageState, WebhookEndpoint, WebhookMessage
from portal.webhooks import addresses, due, events, post, settling, signing
from portal.webhooks.post import Answer

log = structlog.get_logger(__name__)
LEASE = timedelta(seconds=60)  # more than twice what one message may take
LONGEST_DRAIN = 15.0
SLOW = 2.0  # whoever takes longer to answer gives the thread to another endpoint after each message
# Threads that take endpoints of one partner at once must not all be let through.
LOCK = text("SELECT pg_advisory_xact_lock(8138, hashtext(:tenant))")


def send_due(seconds: float = 10.0) -> int:
    """Sends what is due, endpoint by endpoint, and begins none after so long; how many messages were tried."""
    until, tried, before = clock.monotonic() + seconds, 0, -1
    while tried > before:
        before = tried
        for tenant_id, endpoint_id in due.due():
            if clock.monotonic() > until:
                return tried
            tried += drain(tenant_id, endpoint_id)
    return tried


def drain(tenant_id: int, endpoint_id: int) -> int:
    """Sends what an endpoint should hear, until nothing is due, one fails, it is slow, or time is up; how many were tried.

    No transaction is open while a message is on its way.
    """
    until, tried = clock.monotonic() + LONGEST_DRAIN, 0
    with tenant_scope(tenant_id), claims.living():
        token = _take(endpoint_id)
        while token and (began := clock.monotonic()) < until:
            claim = _next(endpoint_id, token)
            if claim is None:
                break
            tried += 1
            if not settling.settle(claim, _send(claim)):
                claims.answered(token)
                return tried
            # After a death one message goes alone, so that the next death, too, is of the one that is next.
            if clock.monotonic() - began > SLOW or claims.deaths_before(token):
                break
        if token:
            _let_go(endpoint_id, token)
    return tried


def again(message: WebhookMessage) -> None:
    """A person wishes that it is sent now, whatever became of it. The caller commits."""
    message.state, message.due_at, message.tries = MessageState.WAITING, clock.now(), 0
    _endpoint(message.endpoint_id).rests_until = clock.now()


def _endpoint(endpoint_id: int) -> WebhookEndpoint:
    """As it is now: what was read before may have another address since."""
    key = (current_tenant_id(), endpoint_id)
    return db.session.get_one(WebhookEndpoint, key, populate_existing=True)


def _take(endpoint_id: int) -> str:
    """The token of a lease; nothing where another has it, or as many of its partner are leased as may be. Commits."""
    db.session.execute(LOCK, {"tenant": str(current_tenant_id())})
    found, token = db.session.execute(_free(endpoint_id)).first(), ""
    if found is not None:
        row, server, until = found
        died = _died(row, server)
        token = claims.take(WebhookEndpoint, endpoint_id, server, died)
        row.lease_token, row.lease_until = token, until
    db.session.commit()
    return token


def _free(endpoint_id: int) -> Any:
    now, other = func.clock_timestamp(), aliased(WebhookEndpoint)
    leased = select(func.count()).where(other.tenant_id == current_tenant_id(), other.lease_until >= now)
    query = select(WebhookEndpoint, claims.SERVER, now + LEASE).where(
        WebhookEndpoint.tenant_id == current_tenant_id(),
        WebhookEndpoint.id == endpoint_id,
        WebhookEndpoint.state == EndpointState.ON,
        WebhookEndpoint.rests_until <= now,
        func.coalesce(WebhookEndpoint.lease_until < now, True),
        leased.scalar_subquery() < due.LANES,
    )
    query = query.with_for_update(skip_locked=True, key_share=True, of=WebhookEndpoint)
    return query.execution_options(populate_existing=True)


def _died(row: WebhookEndpoint, server: str) -> int:
    """How many senders died in a row. What three died over is the message that is next: it is given up."""
    died = claims.deaths(row.lease_token, server)
    if died:
        log.warning("webhook.sender_died", endpoint_id=row.id, deaths=died)
    if died < claims.MOST_DEATHS or (message_id := due.next_of(row.id)) is None:
        return died
    settling.give_up(message_id)
    return 0


def _next(endpoint_id: int, token: str) -> settling.Claim | None:
    """The next message, under a lease that begins anew; None where nothing is due, or the endpoint is not ours any more."""
    lease = LEASE + claims.longer(claims.deaths_before(token))
    if not settling.still_ours(endpoint_id, token, lease_until=func.clock_timestamp() + lease):
        return None
    message_id = due.next_of(endpoint_id)
    if message_id is None:
        due.hold(endpoint_id)
        db.session.commit()
        return None
    message = db.session.get_one(WebhookMessage, (current_tenant_id(), message_id), populate_existing=True)
    return settling.Claim(message.id, message.event, _endpoint(endpoint_id), message.tries, token)


def _send(claim: settling.Claim) -> Answer:
    """Commits before anything goes over the wire."""
    body, with_secrets = events.body(claim.event), signing.open_all(claim.endpoint.id)
    url, message_id = claim.endpoint.url, claim.event.name
    db.session.commit()
    return deliver(url, message_id, body, with_secrets)


def deliver(url: str, message_id: str, body: bytes, with_secrets: list[str]) -> Answer:
    """One signed message to this address. No transaction may be open."""
    try:
        to = addresses.target(url)
        numbers = addresses.checked(to)
    except addresses.NotAllowed as refusal:
        return Answer(None, str(refusal))
    return post.post(to, numbers, signing.headers(message_id, clock.now(), body, with_secrets), body)


def _let_go(endpoint_id: int, token: str) -> None:
    """The next one served is another endpoint. Commits."""
    settling.still_ours(
        endpoint_id, token, lease_token=None, lease_until=None, rests_until=func.clock_timestamp()
    )
    db.session.commit()
    claims.answered(token)
