"""What connecting keeps, and that the secret is nowhere but in its ciphertext (rules 1.3, 1.4, 1.7, 3.1)."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select

from portal import connect
from portal.access.tenancy import tenant_scope
from portal.autotask.zones import Zone
from portal.connect import ConnectRefused, ConnectRequest, Verified, sync_minutes
from portal.connect.currencies import by_id, currency_of, is_known
from portal.extensions import db
from portal.models import HealthState, Integration, SyncKind, SyncSchedule, Tenant
from portal.operating import books
from sandbox import Sandbox
from tests import factories
from tests.factories import ACTOR
from tests.fixtures.people import with_factor_proved

CANARY = "canary-3f9a1c-secret"
ZONE = Zone("http://127.0.0.1:1/ATServicesRest/", "", "Zone 5", 1)


def typed(secret: str = CANARY, **other: str) -> ConnectRequest:
    return ConnectRequest("dana@example.com", "key@example.com", secret, **other)


def saved(**other: str) -> Integration:
    integration = connect.save_connection(ACTOR, typed(**other), Verified(ZONE))
    db.session.commit()
    return integration


def test_the_secret_is_nowhere_but_in_its_ciphertext(
    app: Flask,
    partner: Tenant,
    sandbox: Sandbox,
    superuser: psycopg.Connection,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Rule 1.4: encrypted at rest, never shown again, never logged, never in a job's arguments."""
    sandbox.user.secret = CANARY
    factories.member(partner, "owner", email="owner@example.com")
    browser = app.test_client()
    with_factor_proved(browser, "owner@example.com")
    address = f"/p/{partner.slug}/integrations/autotask"
    form = {"email": "dana@example.com", "username": sandbox.username, "secret": CANARY}
    wrong = browser.post(f"{address}/connect", data={**form, "email": "no address"})
    browser.post(f"{address}/connect", data={**form, "identifier": "number", "role": "primary"})
    browser.post(f"{address}/test")
    sandbox.user.secret = "another"
    browser.post(f"{address}/test")
    shown = [browser.get(path).text for path in (address, f"{address}/credentials", f"{address}/connect")]

    assert CANARY not in wrong.text + "".join(shown)
    assert CANARY not in "".join(capfd.readouterr())
    tables = superuser.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    dump = "".join(str(superuser.execute(f"SELECT * FROM {table}").fetchall()) for (table,) in tables)
    assert "dana@example.com" in dump
    assert CANARY not in dump
    waiting = app.extensions["web_redis"][1]
    jobs = "".join(str(waiting.hgetall(key)) for key in waiting.keys("rq:job:*"))
    assert jobs
    assert CANARY not in jobs


def test_a_ciphertext_copied_to_another_partner_does_not_open(app: Flask, partner: Tenant) -> None:
    """Rule 1.4: the secret is bound to its row."""
    stolen = bytes(saved().secret)
    other = factories.tenant()
    with tenant_scope(other.id):
        victim = factories.integration(app)
        victim.secret = stolen
        db.session.commit()
        with pytest.raises(connect.NotConnected, match="Enter the key and secret again"):
            connect.client_for(victim)


def test_reconnecting_keeps_the_row_its_settings_and_its_schedule(partner: Tenant) -> None:
    """Rule 1.7."""
    first = saved(identifier="id")
    first.filters = {"active_only": True}
    connect.set_totals_mode(ACTOR, first, "with_tax")
    connect.disconnect(ACTOR, first)
    db.session.commit()
    with pytest.raises(connect.NotConnected):
        connect.client_for(first)

    again = saved(identifier="id")

    assert again.id == first.id
    assert (again.state, again.filters, again.totals_mode) == ("connected", {"active_only": True}, "with_tax")
    kinds = set(db.session.scalars(select(SyncSchedule.kind)))
    assert kinds == {"new", "unpaid", "pdfs", "customers"}
    assert books.schedules().state == HealthState.OK


def test_people_who_connect_at_the_same_moment_make_one_integration(app: Flask, partner: Tenant) -> None:
    start, tenant_id = threading.Barrier(4), partner.id
    db.session.commit()

    def save(_: int) -> int:
        with app.app_context(), tenant_scope(tenant_id):
            start.wait(10)
            return saved().id

    with ThreadPoolExecutor(4) as people:
        assert len(set(people.map(save, range(4)))) == 1


def test_a_key_of_another_autotask_is_refused_on_reconnecting(
    app: Flask, partner: Tenant, sandbox: Sandbox
) -> None:
    """Rule 1.5: rows are matched by Autotask ID, so two Autotasks must not be mixed."""
    request = ConnectRequest("dana@example.com", sandbox.username, sandbox.secret)
    real = {row["id"]: row["companyName"] for row in sandbox.rows("Companies")}
    foreign = {key: f"Someone else {key}" for key in real}
    renamed = {**foreign, max(real): real[max(real)]}

    with pytest.raises(ConnectRefused, match="another Autotask"):
        connect.check(request, app.config, foreign)
    connect.check(request, app.config, renamed)
    connect.check(request, app.config, dict(list(foreign.items())[:2]))


def test_each_partner_has_its_own_stable_minute_and_hour() -> None:
    """Rule 3.1."""
    times = [sync_minutes.own_time(tenant_id) for tenant_id in range(1, 601)]

    assert times == [sync_minutes.own_time(tenant_id) for tenant_id in range(1, 601)]
    assert {minute for minute, _ in times} == set(range(60))
    assert {hour for _, hour in times} == set(range(24))


@pytest.mark.parametrize(
    ("kind", "after", "due"),
    [
        (SyncKind.NEW, "2026-11-22T10:06:59", "2026-11-22T10:07:00"),
        (SyncKind.NEW, "2026-11-22T10:07:00", "2026-11-22T11:07:00"),
        (SyncKind.PDFS, "2026-11-22T10:07:00", "2026-11-22T10:17:00"),
        (SyncKind.UNPAID, "2026-11-22T03:06:00", "2026-11-22T03:07:00"),
        (SyncKind.UNPAID, "2026-12-31T03:07:00", "2027-01-01T03:07:00"),
    ],
)
def test_the_next_time_is_the_first_one_after(kind: SyncKind, after: str, due: str) -> None:
    integration = Integration(sync_minute=7, sync_hour=3)

    found = sync_minutes.next_due(integration, kind, datetime.fromisoformat(after).replace(tzinfo=UTC))

    assert found == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_a_customers_currency_comes_from_autotasks_list_or_is_the_databases_own(partner: Tenant) -> None:
    rows = [
        {"id": 1, "name": "EUR", "isInternalCurrency": True, "isActive": True},
        {"id": 2, "name": "gbp", "isInternalCurrency": False, "isActive": True},
        {"id": 3, "name": "Pounds", "isInternalCurrency": False, "isActive": True},
        {"id": "x"},
    ]
    integration = Integration(currencies=by_id(rows))

    assert [currency_of(integration, key) for key in (1, 2, None, 3, 99)] == [
        "EUR",
        "GBP",
        "EUR",
        "EUR",
        "EUR",
    ]
    assert [is_known(integration, key) for key in (1, 2, None, 3, 99)] == [True, True, True, False, False]
    assert currency_of(Integration(currencies=None), 2) == partner.default_currency
