"""Which endpoints have something to send now, and which of an endpoint's messages is the next one."""

from datetime import datetime

from sqlalchemy import text

from portal.access.tenancy import current_tenant_id, system_scope
from portal.extensions import db

# So many of a partner are served at a time: its slow ones hold up neither its others nor other partners'.
MOST, LANES = 200, 3
DUE = """FROM webhook_standing s JOIN tenant t ON t.id = s.tenant_id AND t.disabled_at IS NULL
    WHERE s.state = 'on' AND s.due_at <= clock_timestamp() AND s.rests_until <= clock_timestamp()
        AND (s.lease_until IS NULL OR s.lease_until < clock_timestamp())"""
KEYS = text(f"""SELECT tenant_id, endpoint_id FROM (
        SELECT s.tenant_id, s.endpoint_id, s.rests_until,
            row_number() OVER (PARTITION BY s.tenant_id ORDER BY s.rests_until, s.endpoint_id) AS place {DUE}
    ) AS one
    WHERE place + (SELECT count(*) FROM webhook_standing o
        WHERE o.tenant_id = one.tenant_id AND o.lease_until >= clock_timestamp()) <= {LANES}
    ORDER BY rests_until LIMIT {MOST}""")
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
    """Partner and id of the endpoints to serve next, longest rest first. Ends its transaction."""
    with system_scope():
        keys = [(row.tenant_id, row.endpoint_id) for row in db.session.execute(KEYS)]
        db.session.commit()
    return keys


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
