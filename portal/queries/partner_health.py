"""One line a partner for support: connection, age of the last sync, what Autotask was not told."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import BigInteger, DateTime, Integer, Row, Select, Text, column, select, text
from werkzeug.exceptions import NotFound

from portal import clock
from portal.access.tenancy import system_scope
from portal.extensions import db
from portal.ledger import unconfirmed
from portal.ledger.unconfirmed import Group
from portal.models import Delivery, IntegrationState, Tenant
from portal.notices import late_and_stuck
from portal.queries.needs import Needs

PARTNERS = """
    SELECT t.id, t.slug, t.name, t.disabled_at, t.disabled_reason, i.state AS integration_state,
        r.last_completed_at, i.usage_used, i.usage_limit, i.usage_read_at,
        coalesce(e.open, 0) AS exceptions, coalesce(v.visits, 0) AS visits, coalesce(m.people, 0) AS people
    FROM tenant t
    LEFT JOIN integration_status i ON i.tenant_id = t.id
    LEFT JOIN (SELECT tenant_id, max(finished_at) AS last_completed_at FROM run_standing
        WHERE state = 'completed' GROUP BY tenant_id) r ON r.tenant_id = t.id
    LEFT JOIN (SELECT tenant_id, count(*) AS open FROM exception_standing WHERE state = 'open'
        GROUP BY tenant_id) e ON e.tenant_id = t.id
    LEFT JOIN (SELECT tenant_id, count(*) AS people FROM membership GROUP BY tenant_id) m ON m.tenant_id = t.id
    LEFT JOIN (SELECT tenant_id, count(*) AS visits FROM support_visit
        WHERE ended_at IS NULL AND expires_at > now() GROUP BY tenant_id) v ON v.tenant_id = t.id"""
COLUMNS = (
    column("id", BigInteger), column("slug", Text), column("name", Text), column("integration_state", Text),
    column("last_completed_at", DateTime(timezone=True)), column("exceptions", Integer),
    column("visits", Integer), column("disabled_at", DateTime(timezone=True)), column("disabled_reason", Text),
    column("usage_used", BigInteger), column("usage_limit", BigInteger),
    column("usage_read_at", DateTime(timezone=True)), column("people", Integer),
)  # fmt: skip


@dataclass(frozen=True)
class Health:
    """One partner, and the same reading of its needs that its own pages show."""

    partner: Row[Any]
    needs: Needs
    late_syncs: Sequence[str] = ()

    @property
    def needs_reconnecting(self) -> bool:
        return bool(self.partner.integration_state == IntegrationState.NEEDS_RECONNECTING)

    @property
    def disabled(self) -> bool:
        return self.partner.disabled_at is not None

    @property
    def in_trouble(self) -> bool:
        late = self.needs.deliveries or self.late_syncs
        return not self.disabled and bool(self.needs_reconnecting or late)

    @property
    def oldest_waiting(self) -> datetime | None:
        """Since when the payment waits that Autotask has been owed for longest."""
        return min((group.since for group in self.needs.groups), default=None)

    @property
    def budget(self) -> int | None:
        """Percent of the hour's requests that are used, as of the last hour's newest reading."""
        row = self.partner
        known = row.usage_read_at is not None and row.usage_read_at > clock.now() - timedelta(hours=1)
        return round(100 * row.usage_used / row.usage_limit) if known and row.usage_limit else None

    @property
    def trouble(self) -> tuple[Any, ...]:
        """Sorts those in trouble first, disabled ones last."""
        needs = self.needs
        worst = (not self.needs_reconnecting, -needs.deliveries, -len(self.late_syncs), -needs.exceptions)
        return (self.disabled, *worst, self.partner.name)


SHOWN: dict[str, Callable[[Health], bool]] = {
    "trouble": lambda one: one.in_trouble,
    "exceptions": lambda one: bool(one.partner.exceptions),
    "unconnected": lambda one: one.partner.integration_state not in (
        IntegrationState.CONNECTED, IntegrationState.NEEDS_RECONNECTING
    ),
    "visited": lambda one: bool(one.partner.visits),
    "disabled": lambda one: one.disabled,
}  # fmt: skip


def chosen(partners: Sequence[Health], show: str, words: str) -> Sequence[Health]:
    """Those of a kind of SHOWN whose name or slug holds the words."""
    wanted, looked_for = SHOWN.get(show, lambda _: True), words.strip().casefold()
    return [
        one
        for one in partners
        if wanted(one) and (looked_for in one.partner.name.casefold() or looked_for in one.partner.slug)
    ]


def all_partners() -> Sequence[Health]:
    """All partners, those in trouble first."""
    found = _read(PARTNERS, unconfirmed.groups(), late_and_stuck.LATE, {})
    return sorted(found, key=lambda health: health.trouble)


def one(slug: str) -> Health:
    """The same of one partner, from its own rows. Raises NotFound."""
    only = {"partner": db.session.scalar(select(Tenant.id).where(Tenant.slug == slug))}
    waiting = unconfirmed.groups().where(Delivery.tenant_id == only["partner"])
    late = f"{late_and_stuck.LATE} AND s.tenant_id = :partner"
    found = next(_read(f"{PARTNERS} WHERE t.id = :partner", waiting, late, only), None)
    if found is None:
        raise NotFound
    return found


def _read(partners: str, groups: Select[Any], late: str, only: Mapping[str, Any]) -> Iterator[Health]:
    rows_of, waiting = text(partners).columns(*COLUMNS).subquery("partner"), groups.subquery()
    statement = (
        select(rows_of, *(one for one in waiting.c if one.name != "tenant_id"))
        .select_from(rows_of)
        .outerjoin(waiting, waiting.c.tenant_id == rows_of.c.id)
        .order_by(rows_of.c.id)
    )
    with system_scope():
        rows = db.session.execute(statement, only).all()
        kinds: dict[int, list[str]] = {}
        for row in db.session.execute(text(late), only):
            kinds.setdefault(row.tenant_id, []).append(row.kind)
    return (_health(list(several), kinds) for _, several in groupby(rows, key=lambda row: row.id))


def _health(rows: list[Row[Any]], late: Mapping[int, list[str]]) -> Health:
    groups: Sequence[Group] = unconfirmed.groups_from(row for row in rows if row.why is not None)
    first = rows[0]
    return Health(
        first, Needs(first.exceptions, first.integration_state, groups=groups), late.get(first.id, ())
    )


def partner_or_404(slug: str) -> Tenant:
    """The row itself, in staff's scope. Raises NotFound."""
    found = db.session.scalar(select(Tenant).where(Tenant.slug == slug))
    if found is None:
        raise NotFound
    return found
