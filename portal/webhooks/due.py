"""Which endpoints have something to send now, and which of an endpoint's messages is the next one."""

from datetime import datetime, timedelta

from sqlalchemy import text

from portal import clock
from portal.access.tenancy import current_tenant_id, system_scope
from portal.extensions import db

MOST = 200
PATIENCE = timedelta(minutes=1)
DUE = """FROM webhook_standing s JOIN tenant t ON t.id = s.tenant_id AND t.disabled_at IS NULL
    WHERE s.state = 'on' AND s.due_at <= clock_timestamp() AND s.rests_until <= clock_timestamp()
        AND (s.lease_until IS NULL OR s.lease_until < clock_timestamp())"""
KEYS = text(f"SELECT s.tenant_id, s.endpoint_id {DUE} ORDER BY s.rests_until LIMIT {MOST}")
OLDEST = text(f"SELECT min(greatest(s.due_at, s.rests_until)) {DUE}")
# Of one invoice none goes before one that waits; what a person sends once more holds nobody up.
OVERTAKES = """EXISTS (SELECT FROM webhook_message b JOIN event f ON f.tenant_id = b.tenant_id AND f.id = b.event_id
        WHERE b.tenant_id = m.tenant_id AND b.endpoint_id = m.endpoint_id AND b.state = 'waiting'
            AND b.sent_at IS NULL AND b.event_id < m.event_id AND f.invoice_ids && e.invoice_ids)"""
DUE_MESSAGES = """webhook_message m JOIN event e ON e.tenant_id = m.tenant_id AND e.id = m.event_id
    WHERE m.tenant_id = :tenant_id AND m.endpoint_id = :endpoint_id AND m.state = 'waiting'
        AND m.due_at <= clock_timestamp()"""
NEXT = text(f"SELECT m.id FROM {DUE_MESSAGES} AND NOT {OVERTAKES} ORDER BY m.event_id LIMIT 1")
HOLD = text(f"""
    UPDATE webhook_message h SET due_at = clock_timestamp() + interval '1 minute' WHERE h.tenant_id = :tenant_id
        AND h.id IN (SELECT m.id FROM {DUE_MESSAGES} AND {OVERTAKES})""")


def due() -> list[tuple[int, int]]:
    """Partner and id of the endpoints with something to send now, the one served longest ago first. Ends its transaction."""
    with system_scope():
        keys = [(row.tenant_id, row.endpoint_id) for row in db.session.execute(KEYS)]
        db.session.commit()
    return keys


def is_left_alone() -> bool:
    """Whether nobody has taken up for a minute what could be sent: there is no poller to do it."""
    since = oldest()
    return since is not None and clock.now() - since > PATIENCE


def oldest() -> datetime | None:
    """Since when the message waits that could have been sent for longest and that nobody sends."""
    with system_scope():
        return db.session.scalar(OLDEST)


def next_of(endpoint_id: int) -> int | None:
    """The message that goes next to this endpoint, in the order of what happened."""
    return db.session.scalar(NEXT, {"tenant_id": current_tenant_id(), "endpoint_id": endpoint_id})


def hold(endpoint_id: int) -> None:
    """Those that would overtake another of their invoice are looked at again in a minute. The caller commits."""
    db.session.execute(HOLD, {"tenant_id": current_tenant_id(), "endpoint_id": endpoint_id})
