"""The partners of a fleet: one is read from the sandbox, the others get its cursors and a few of its invoices."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
from flask import Flask

PAYING, EACH = 20, 8  # so many partners record payments, of so many invoices each
A_SECOND = 2.0
PARTNERS = """INSERT INTO tenant (slug, name) SELECT 'small-' || n, 'Small ' || n FROM generate_series(1, %s) AS n
    RETURNING id"""
CURSORS = """INSERT INTO sync_cursor (tenant_id, integration_id, resource, last_id, read_until, completed_at)
    SELECT i.tenant_id, i.id, c.resource, c.last_id, c.read_until, c.completed_at
    FROM sync_cursor c JOIN integration i ON i.tenant_id = ANY(%(small)s) WHERE c.tenant_id = %(template)s"""
CUSTOMERS = """INSERT INTO customer (tenant_id, integration_id, autotask_id, name, currency)
    SELECT tenant_id, id, 1, 'Customer', 'USD' FROM integration WHERE tenant_id = ANY(%(small)s)"""
# Each paying partner has invoices of its own in the one sandbox.
INVOICES = """INSERT INTO invoice (tenant_id, integration_id, autotask_id, customer_id, number, issued_on, currency,
        total_raw, amount_due, autotask_read_at, lines_read_at)
    SELECT c.tenant_id, c.integration_id, t.autotask_id, c.id, t.number, t.issued_on, t.currency, t.amount_due,
        t.amount_due, now(), now()
    FROM (SELECT *, (row_number() OVER (ORDER BY id) - 1) / %(each)s AS part FROM invoice
        WHERE tenant_id = %(template)s AND status = 'open') AS t
    JOIN (SELECT *, row_number() OVER (ORDER BY tenant_id) - 1 AS part FROM customer
        WHERE tenant_id = ANY(%(small)s)) AS c ON c.part = t.part
    WHERE t.part < %(paying)s RETURNING tenant_id, id, amount_due"""


@dataclass
class Fleet:
    """Ids of partners; `large` reads everything. `owed` holds (partner, invoice, amount) still to be paid."""

    small: Sequence[int]
    large: int
    owed: list[tuple[int, int, Decimal]]

    @property
    def fifth(self) -> int:
        """The last partner of the first fifth."""
        return self.small[len(self.small) // 5]


def make(app: Flask, admin: psycopg.Connection[Any], number: int, sandbox: str, other: str) -> Fleet:
    """Everything committed; the large partner is connected to `other` and has read nothing."""
    [template] = ids(admin, PARTNERS.replace("small", "template"), 1)
    small, [large] = ids(admin, PARTNERS, number), ids(admin, PARTNERS.replace("small", "large"), 1)
    with app.app_context():
        _connected(app, template, sandbox)
        _read(template)
        for tenant_id in (*small, large):
            _connected(app, tenant_id, other if tenant_id == large else sandbox)
    values = {"small": small, "template": template, "each": EACH, "paying": PAYING}
    for statement in (CURSORS, CUSTOMERS):
        admin.execute(statement, values)
    owed = admin.execute(INVOICES, values).fetchall()
    admin.execute("UPDATE sync_schedule SET next_due_at = now() + interval '1 day'")
    admin.execute("VACUUM ANALYZE")
    return Fleet(small, large, owed)


def ids(admin: psycopg.Connection[Any], statement: str, number: int) -> list[int]:
    return [row[0] for row in admin.execute(statement, [number])]  # type: ignore[arg-type]


def _connected(app: Flask, tenant_id: int, sandbox: str) -> None:
    from portal import crypto
    from portal.access.tenancy import tenant_scope
    from portal.connect import sync_minutes
    from portal.extensions import db
    from portal.models import Integration
    from sandbox.embed import SECRET, USERNAME

    with tenant_scope(tenant_id):
        row = Integration(
            tenant_id=tenant_id, state="connected", role="primary", identifier="number", email="b@example.com",
            username=USERNAME, zone_url=f"{sandbox}/ATServicesRest/", sync_minute=7, sync_hour=3, secret=b"",
            totals_mode="without_tax",
        )  # fmt: skip
        db.session.add(row)
        db.session.flush()
        where = crypto.place(tenant_id, "integration", "secret", row.id)
        row.secret = crypto.encrypt(app.config["ENCRYPTION_KEYS"], where, SECRET)
        sync_minutes.plan(row)
        db.session.commit()


def _read(tenant_id: int) -> None:
    from portal.access.tenancy import tenant_scope
    from portal.sync import perform

    with tenant_scope(tenant_id):
        perform.perform(_start(tenant_id, "command"))


def _start(tenant_id: int, trigger: str) -> int:
    from portal.access.actor import Actor, Source
    from portal.access.tenancy import scoped
    from portal.extensions import db
    from portal.models import Integration
    from portal.sync import runs

    integration = db.session.scalars(scoped(Integration)).one()
    run = runs.start(integration, "all", trigger, Actor(source=Source.COMMAND))
    db.session.commit()
    if trigger != "command":
        runs.ring(run)
    return run.id


def first_read(app: Flask, fleet: Fleet) -> int:
    """Starts the large partner's read of everything, as connecting does; the run's id."""
    from portal.access.tenancy import tenant_scope

    with app.app_context(), tenant_scope(fleet.large):
        return _start(fleet.large, "connect")


def pay(app: Flask, fleet: Fleet, seconds: float) -> None:
    """Records payments in an even pace for so long, and leaves as many for the next time."""
    until, number, most = time.monotonic() + seconds, 0, max(len(fleet.owed) // 2, 1)
    while time.monotonic() < until and fleet.owed and number < most:
        _pay(app, *fleet.owed.pop())
        number += 1
        time.sleep(1 / A_SECOND)


def _pay(app: Flask, tenant_id: int, invoice_id: int, amount: Decimal) -> None:
    from portal import clock
    from portal.access.actor import Actor, Source
    from portal.access.tenancy import tenant_scope
    from portal.extensions import db
    from portal.payments import recording
    from portal.payments.recording import NewPayment
    from portal.queue import DELIVERIES, bell

    with app.app_context(), tenant_scope(tenant_id):
        new = NewPayment([(invoice_id, amount)], "check", clock.today("UTC"))
        recording.record(Actor(source=Source.COMMAND), new)
        db.session.commit()
        bell(DELIVERIES, "jobs.deliver.deliver_due", tenant_id)
