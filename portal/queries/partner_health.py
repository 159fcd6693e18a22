"""One line a partner for support: connection, age of the last sync, what Autotask was not told."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import BigInteger, DateTime, Integer, Row, Text, column, select, text

from portal.access.tenancy import system_scope
from portal.extensions import db
from portal.ledger import unconfirmed
from portal.ledger.unconfirmed import Group
from portal.models import IntegrationState
from portal.queries.needs import Needs

ALL_PARTNERS = text("""
    SELECT t.id, t.slug, t.name, i.state AS integration_state, r.last_completed_at,
        coalesce(e.open, 0) AS exceptions, coalesce(v.visits, 0) AS visits
    FROM tenant t
    LEFT JOIN integration_status i ON i.tenant_id = t.id
    LEFT JOIN (SELECT tenant_id, max(finished_at) AS last_completed_at FROM sync_run
        WHERE state = 'completed' GROUP BY tenant_id) r ON r.tenant_id = t.id
    LEFT JOIN (SELECT tenant_id, count(*) AS open FROM exception_item WHERE state = 'open'
        GROUP BY tenant_id) e ON e.tenant_id = t.id
    LEFT JOIN (SELECT tenant_id, count(*) AS visits FROM support_visit
        WHERE ended_at IS NULL AND expires_at > now() GROUP BY tenant_id) v ON v.tenant_id = t.id""").columns(
    column("id", BigInteger), column("slug", Text), column("name", Text), column("integration_state", Text),
    column("last_completed_at", DateTime(timezone=True)), column("exceptions", Integer),
    column("visits", Integer),
)  # fmt: skip


@dataclass(frozen=True)
class Health:
    """One partner, and the same reading of its needs that its own pages show."""

    partner: Row[Any]
    needs: Needs

    @property
    def needs_reconnecting(self) -> bool:
        return bool(self.partner.integration_state == IntegrationState.NEEDS_RECONNECTING)

    @property
    def trouble(self) -> tuple[bool, int, int, str]:
        """Sorts those in trouble first."""
        needs = self.needs
        return (not self.needs_reconnecting, -needs.deliveries, -needs.exceptions, self.partner.name)


def all_partners() -> Sequence[Health]:
    """All partners, those in trouble first."""
    partners, waiting = ALL_PARTNERS.subquery("partner"), unconfirmed.groups().subquery()
    statement = (
        select(partners, *(one for one in waiting.c if one.name != "tenant_id"))
        .select_from(partners)
        .outerjoin(waiting, waiting.c.tenant_id == partners.c.id)
        .order_by(partners.c.id)
    )
    with system_scope():
        rows = db.session.execute(statement).all()
    found = [_health(list(several)) for _, several in groupby(rows, key=lambda row: row.id)]
    return sorted(found, key=lambda health: health.trouble)


def _health(rows: list[Row[Any]]) -> Health:
    groups: Sequence[Group] = unconfirmed.groups_from(row for row in rows if row.why is not None)
    first = rows[0]
    return Health(first, Needs(first.exceptions, first.integration_state, groups=groups))
