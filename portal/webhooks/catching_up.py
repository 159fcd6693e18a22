"""What an endpoint missed while it was off, as far as it is still kept."""

from datetime import datetime

from sqlalchemy import func, select, text

from portal.extensions import db
from portal.models import WebhookEndpoint

# An event bears the time at which its transaction began, which may be before the pause that it did not see: so an hour more
# is looked through, and what it has already stays as it is.
CATCH_UP = text("""
    INSERT INTO webhook_message (tenant_id, endpoint_id, event_id)
    SELECT e.tenant_id, w.id, e.id FROM webhook_endpoint w JOIN event e ON e.tenant_id = w.tenant_id
    WHERE w.tenant_id = :tenant_id AND w.id = :endpoint_id AND e.kind = ANY (w.kinds)
        AND e.created_at >= greatest(w.created_at, :since - interval '1 hour')
    ORDER BY e.id ON CONFLICT DO NOTHING""")


def give(row: WebhookEndpoint, since: datetime | None) -> datetime:
    """Gives it what happened since then; the time up to which that is all, by the database's clock."""
    now: datetime = db.session.scalars(select(func.now())).one()
    missed = {"tenant_id": row.tenant_id, "endpoint_id": row.id, "since": since}
    db.session.execute(CATCH_UP, missed)
    return now
