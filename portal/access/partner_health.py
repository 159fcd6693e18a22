"""One line a partner for support: connection, age of the last sync, what is stuck."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text

from portal.access.tenancy import system_scope
from portal.extensions import db

ALL_PARTNERS = text("""
    SELECT t.id, t.slug, t.name, i.state AS integration_state, i.reconnect_reason,
        r.last_completed_at, coalesce(d.parked, 0) AS parked, coalesce(d.waiting, 0) AS waiting,
        coalesce(e.open, 0) AS exceptions, i.usage_used, i.usage_limit, v.visits
    FROM tenant t
    LEFT JOIN integration i ON i.tenant_id = t.id
    LEFT JOIN (SELECT tenant_id, max(finished_at) AS last_completed_at FROM sync_run
        WHERE state = 'completed' GROUP BY tenant_id) r ON r.tenant_id = t.id
    LEFT JOIN (SELECT tenant_id, count(*) FILTER (WHERE state = 'parked') AS parked,
        count(*) FILTER (WHERE state IN ('waiting', 'sending')) AS waiting
        FROM delivery GROUP BY tenant_id) d ON d.tenant_id = t.id
    LEFT JOIN (SELECT tenant_id, count(*) AS open FROM exception_item WHERE state = 'open'
        GROUP BY tenant_id) e ON e.tenant_id = t.id
    LEFT JOIN (SELECT tenant_id, count(*) AS visits FROM support_visit
        WHERE ended_at IS NULL AND expires_at > now() GROUP BY tenant_id) v ON v.tenant_id = t.id
    ORDER BY (i.state = 'needs_reconnecting') DESC NULLS LAST, coalesce(d.parked, 0) DESC,
        coalesce(e.open, 0) DESC, t.name""")


def all_partners() -> Sequence[Row[Any]]:
    """All partners, those in trouble first."""
    with system_scope():
        return db.session.execute(ALL_PARTNERS).all()
