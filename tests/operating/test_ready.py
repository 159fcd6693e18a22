"""/healthz and /readyz: what a probe is told, and to whom the details are shown."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text

from portal import clock, config, create_app
from portal.access.tenancy import tenant_scope
from portal.database import shares
from portal.extensions import db
from portal.models import HealthState, MailKind
from portal.operating import latest, ready
from portal.operating.check import look_at
from tests import factories
from tests.fixtures.people import with_factor_proved
from tests.mail.written import one as write_mail

TOKEN = "t" * 40
BEFORE = "now() - interval '1 hour'"


def found(app: Flask) -> dict[str, tuple[HealthState, str, str]]:
    with app.app_context():
        return {
            one.check.name: (one.finding.state, one.finding.sentence, one.finding.mend)
            for one in look_at(ready.READY, ready.STATEMENT_SECONDS)
        }


def wrong(app: Flask) -> dict[str, str]:
    """By name, the sentences of what is wrong."""
    return {name: said for name, (state, said, _) in found(app).items() if state == HealthState.WRONG}


def test_a_portal_in_which_all_is_well_is_ready(well):
    answer = well.test_client().get("/readyz")
    assert answer.status_code == 200, answer.json
    assert {one["state"] for one in answer.json["checks"]} == {"ok"}
    assert all(one["sentence"].endswith(".") for one in answer.json["checks"])
    assert [one["name"] for one in answer.json["checks"]] == [check.name for check in ready.READY]


def plan_of_deliveries(app: Flask, superuser: psycopg.Connection[Any]) -> None:
    with app.app_context(), factories.inside(factories.tenant()):
        factories.payment((factories.invoice(factories.customer(factories.integration(app))), "100.00"))
        db.session.commit()
    superuser.execute(f"UPDATE delivery SET next_try_at = {BEFORE}, wished_at = {BEFORE}")


def a_run_that_nobody_took_up(app: Flask, superuser: psycopg.Connection[Any]) -> None:
    with app.app_context(), factories.inside(factories.tenant()):
        factories.integration(app)
        db.session.commit()
    superuser.execute(
        "INSERT INTO sync_run (tenant_id, integration_id, kind, trigger, state, created_at)"
        f" SELECT tenant_id, id, 'new', 'schedule', 'waiting', {BEFORE} FROM integration"
    )


def a_schedule_that_nobody_looked_at(app: Flask, superuser: psycopg.Connection[Any]) -> None:
    with app.app_context(), factories.inside(factories.tenant()):
        factories.integration(app)
        db.session.commit()
    superuser.execute(
        "INSERT INTO sync_schedule (tenant_id, integration_id, kind, next_due_at)"
        f" SELECT tenant_id, id, 'new', {BEFORE} FROM integration"
    )


def a_mail_that_waits(app: Flask, superuser: psycopg.Connection[Any]) -> None:
    with app.app_context():
        person = factories.user()
        write_mail(MailKind.SECURITY_EVENT, user_id=person.id)
        db.session.commit()
    superuser.execute(f"UPDATE mail SET state = 'waiting', due_at = {BEFORE}")


def a_silent(process: str) -> Callable[..., None]:
    def silence(_: Flask, superuser: psycopg.Connection[Any]) -> None:
        superuser.execute(
            "UPDATE heartbeat SET beat_at = now() - interval '61 seconds' WHERE process = %s", [process]
        )

    return silence


@pytest.mark.parametrize(
    ("name", "arrange", "said"),
    [
        ("deliveries", plan_of_deliveries, "waits for 3,60"),
        ("syncs", a_run_that_nobody_took_up, "sync run that is due waits for 3,60"),
        ("syncs", a_schedule_that_nobody_looked_at, "sync run that is due waits for 3,60"),
        ("mails", a_mail_that_waits, "mail that is due waits for 3,60"),
        ("poller", a_silent("poller"), "The poller was heard of 6"),
        ("worker_deliveries", a_silent("worker deliveries"), "The worker deliveries was heard of 6"),
        ("worker_syncs", a_silent("worker syncs"), "The worker syncs was heard of 6"),
        ("scheduler", a_silent("scheduler"), "The scheduler was heard of 6"),
    ],
)
def test_what_is_beyond_its_promise_is_named_and_the_portal_is_not_ready(
    well, superuser, name, arrange, said
):
    arrange(well, superuser)
    assert wrong(well).keys() == {name}
    assert said in wrong(well)[name]
    assert found(well)[name][2]
    assert well.test_client().get("/readyz").status_code == 503


def test_work_of_a_partner_that_is_shut_or_not_connected_is_not_late(well, superuser):
    plan_of_deliveries(well, superuser)
    a_schedule_that_nobody_looked_at(well, superuser)
    superuser.execute("UPDATE integration SET state = 'disconnected'")
    assert wrong(well) == {}
    superuser.execute("UPDATE integration SET state = 'connected'; UPDATE tenant SET disabled_at = now()")
    assert wrong(well) == {}


def test_a_run_that_waits_for_another_of_its_integration_is_not_late(well, superuser):
    a_run_that_nobody_took_up(well, superuser)
    superuser.execute(
        "INSERT INTO sync_run (tenant_id, integration_id, kind, trigger, state, lease_until)"
        " SELECT tenant_id, id, 'unpaid', 'schedule', 'running', now() + interval '1 minute' FROM integration"
    )
    assert wrong(well) == {}


def test_a_process_that_was_never_heard_of_is_said(app, superuser):
    assert set(wrong(app)) == {"poller"}
    assert wrong(app)["poller"] == "The poller has never been heard of."
    states = {name: state for name, (state, _, _) in found(app).items()}
    assert states["worker_syncs"] == states["scheduler"] == HealthState.UNKNOWN  # the poller writes them down


def test_without_redis_the_queue_is_wrong_and_what_only_it_knows_is_not_known(well):
    well.config["REDIS_URL"] = "redis://127.0.0.1:9/0"
    assert set(wrong(well)) == {"queue"}
    assert found(well)["worker_syncs"][:2] == (
        HealthState.UNKNOWN, "Not known while this is wrong: Redis answers."
    )  # fmt: skip


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("ALTER ROLE {role} SET default_transaction_read_only = on", "ALTER ROLE {role} RESET ALL"),
        ("REVOKE INSERT ON payment FROM {role}", "GRANT INSERT ON payment TO {role}"),
    ],
)
def test_a_database_that_saves_nothing_is_told(app, superuser, database_url, first, then):
    """As a host does that makes it read-only, or takes rights away, over its limit."""
    role = urlsplit(database_url).username
    with app.app_context():
        db.engine.dispose()
    superuser.execute(first.format(role=role))
    try:
        assert "no payment either" in wrong(app)["saving"]
    finally:
        superuser.execute(then.format(role=role))
        with app.app_context():
            db.engine.dispose()
    assert "saving" not in wrong(app)


def test_a_schema_of_another_release_is_told(well, cloned_database, environment):
    other = create_app(
        config.load(environment) | {"SQLALCHEMY_DATABASE_URI": config.database_url(cloned_database)}
    )
    newest = ready.newest_revision()
    for revision, state in (
        ("0001", HealthState.WRONG),
        ("9999", HealthState.LOOK),
        (newest, HealthState.OK),
    ):
        with psycopg.connect(cloned_database, autocommit=True) as owner:
            owner.execute("UPDATE alembic_version SET version_num = %s", [revision])
        assert found(other)["migrations"][0] == state
    with psycopg.connect(cloned_database, autocommit=True) as owner:
        owner.execute("ALTER TABLE payment DISABLE ROW LEVEL SECURITY")
    assert wrong(other)["walls"] == "Row-level security of payment is off."
    with other.app_context():
        db.engine.dispose()


def test_a_role_that_passes_the_walls_is_wrong(well, superuser_url, environment):
    other = create_app(
        config.load(environment) | {"SQLALCHEMY_DATABASE_URI": config.database_url(superuser_url)}
    )
    with other.app_context():
        db.session.execute(text("RESET ROLE"))
        assert ready.partners_walls().state == HealthState.WRONG
        db.session.remove()
        db.engine.dispose()


def test_a_database_that_is_nearly_full_is_wrong(well, superuser, database_url):
    name = database_url.rpartition("/")[2]
    with well.app_context():
        room = shares.free()
        held = superuser.execute(
            "SELECT numbackends FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()[0]
        assert room > held
        db.session.rollback()
    superuser.execute(f"ALTER DATABASE {name} CONNECTION LIMIT {held + 1}")
    try:
        assert "connections" in wrong(well)
    finally:
        superuser.execute(f"ALTER DATABASE {name} CONNECTION LIMIT -1")


@pytest.mark.faults
def test_without_the_database_a_probe_is_told_so_in_json(own_database, own_app, monkeypatch):
    monkeypatch.setattr(latest, "LOOK_AGAIN", 0.0)
    with own_database.stopped():
        answer = own_app.test_client().get("/readyz")
        assert answer.status_code == 503
        states = {one["name"]: one["state"] for one in answer.json["checks"]}
        assert states.pop("database") == "wrong"
        assert states.pop("queue") == "ok"
        assert set(states.values()) == {"unknown"}
        assert own_app.test_client().get("/healthz").json == {"alive": True}


def test_healthz_asks_no_database_even_for_who_is_signed_in(app, log_in, asked):
    with app.app_context():
        browser = log_in(factories.tenant())
    assert asked(lambda: browser.get("/healthz")) == []


def test_however_many_ask_the_database_is_asked_once_a_second(well, asked, monkeypatch):
    monkeypatch.setattr(latest, "LOOK_AGAIN", 60.0)
    well.extensions.pop("ready", None)
    assert asked(lambda: well.test_client().get("/readyz"))
    assert asked(lambda: well.test_client().get("/readyz")) == []


STRANGER = {"REMOTE_ADDR": "203.0.113.9"}
HERE = {"REMOTE_ADDR": "127.0.0.1"}


ASKING = [
    (HERE, {}, True),
    ({"REMOTE_ADDR": "::1"}, {}, True),
    ({"REMOTE_ADDR": "::ffff:127.0.0.1"}, {}, True),
    (STRANGER, {}, False),
    ({"REMOTE_ADDR": ""}, {}, False),
    ({"REMOTE_ADDR": "localhost"}, {}, False),
    (STRANGER, {"X-Forwarded-For": "127.0.0.1"}, False),
    (STRANGER, {"Forwarded": "for=127.0.0.1"}, False),
    (HERE, {"X-Forwarded-For": "203.0.113.9"}, False),
    (HERE, {"X-Forwarded-For": "127.0.0.1"}, False),
    (HERE, {"X-Real-Ip": "127.0.0.1"}, False),
    (HERE, {"Via": "1.1 nginx"}, False),
    (STRANGER, {"Authorization": f"Bearer {TOKEN}"}, True),
    (STRANGER, {"Authorization": f"bearer {TOKEN}"}, True),
    (STRANGER, {"Authorization": f"Bearer {TOKEN}x"}, False),
    (STRANGER, {"Authorization": f"Basic {TOKEN}"}, False),
    (STRANGER, {"Authorization": "Bearer é"}, False),
    (STRANGER, {"Authorization": "Bearer "}, False),
]


@pytest.mark.parametrize("hops", [0, 1, 2])
def test_details_are_for_this_machine_and_for_the_token(well, environment, hops):
    """A header never makes anybody local, however many proxies are trusted."""
    behind = create_app(config.load(environment) | {"TRUSTED_PROXIES": hops, "OPERATIONS_TOKEN": TOKEN})
    for environ, headers, shown in ASKING:
        answer = behind.test_client().get("/readyz", environ_overrides=environ, headers=headers)
        assert (answer.json["ready"], "checks" in answer.json) == (True, shown), (environ, headers)
    with behind.app_context():
        db.engine.dispose()


def test_without_a_token_set_an_empty_one_opens_nothing(well):
    for given in ("Bearer ", "Bearer", ""):
        answer = well.test_client().get(
            "/readyz", environ_overrides=STRANGER, headers={"Authorization": given}
        )
        assert answer.json == {"ready": True}


def test_a_probe_may_ask_by_the_address_of_the_machine(well):
    well.config["HOSTS"] = ["portal.example.com"]
    probe = well.test_client()
    assert probe.get("/readyz", headers={"Host": "10.0.0.7:8000"}).status_code == 200
    assert probe.get("/healthz", headers={"Host": "10.0.0.7:8000"}).status_code == 200
    assert probe.get("/login", headers={"Host": "10.0.0.7:8000"}).status_code == 400


def test_no_partner_is_named_in_the_details(well, superuser):
    with well.app_context():
        partner = factories.tenant("northwind", name="Northwind Traders")
        with tenant_scope(partner.id):
            factories.payment((factories.invoice(factories.customer(factories.integration(well))), "100.00"))
            db.session.commit()
    then = clock.now() - timedelta(hours=1)
    superuser.execute("UPDATE delivery SET next_try_at = %s, wished_at = %s", (then, then))
    answer = well.test_client().get("/readyz")
    assert answer.status_code == 503
    assert "orthwind" not in answer.text


def test_while_somebody_looks_others_are_told_what_was_found_before(well, superuser_url):
    """A database that is slow to answer holds one thread of a web process, not all."""
    assert well.test_client().get("/readyz").status_code == 200
    answers: list[int] = []
    first = threading.Thread(target=lambda: answers.append(well.test_client().get("/readyz").status_code))
    with (
        psycopg.connect(superuser_url) as holding,
        psycopg.connect(superuser_url, autocommit=True) as watching,
    ):
        holding.execute("LOCK TABLE heartbeat")
        first.start()
        until = clock.monotonic() + 60
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%heartbeat%'"
        while watching.execute(waiting).fetchone() == (0,) and clock.monotonic() < until:
            pass
        assert well.test_client().get("/readyz").status_code == 200
        assert answers == []  # who looks still waits
    first.join(60)
    assert len(answers) == 1


def test_the_page_of_health_asks_no_more_often_than_probes(well, superuser, monkeypatch):
    with well.app_context():
        factories.user("ada@portal.example", staff=True)
        db.session.commit()
    staff = with_factor_proved(well.test_client(), "ada@portal.example")
    monkeypatch.setattr(latest, "LOOK_AGAIN", 60.0)
    assert staff.get("/readyz").status_code == 200
    superuser.execute("UPDATE heartbeat SET beat_at = now() - interval '1 hour'")
    assert f"All {len(ready.READY)} promises are kept." in staff.get("/staff/health").text
