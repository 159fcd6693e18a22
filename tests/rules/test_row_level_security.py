"""The database as the second wall between partners: held over every table."""

from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import LargeBinary, inspect, text
from sqlalchemy.exc import DBAPIError

from portal.access import api_keys
from portal.access.tenancy import NoTenant, key_scope, scoped, system_scope, tenant_scope
from portal.extensions import db
from portal.models import ApiKey, Base, Customer, Factor, IntegrationStatus, Invoice, LoginSession, User
from tests import factories

OF_PEOPLE = {
    "factor", "recovery_code", "spent_proof", "security_event", "factor_reset", "factor_reset_agreement",
}  # fmt: skip
SHARED = {
    "tenant",
    "app_user",
    "login_session",
    "upkeep",
    "login_link",
    "mail",
    "mail_secret",
    "staff_event",
    "heartbeat",
    "health_reading",
    "alarm",
    "metric_count",
    "staff_head",
} | OF_PEOPLE
# Tables without a policy, and why.
OPEN = {
    "tenant": "Names of partners: which one is meant is asked before any is in scope.",
    "upkeep": "When a regular duty was last done.",
    "heartbeat": "When processes were heard of.",
    "health_reading": "What checks found: no partner is named.",
    "metric_count": "How often something happened, by kind and outcome.",
    "alarm": "Which check was beyond its promise.",
}
SECRET = ("secret", "hash", "password", "token", "signature", "fingerprint")
# What is called so and opens nothing: it tells a worker that a lease is still its own.
NO_SECRET = {
    ("delivery", "lease_token"),
    ("sync_run", "lease_token"),
    ("call_slot", "token"),
    ("mail", "lease_token"),
    ("import_file", "lease_token"),
    ("webhook_endpoint", "lease_token"),
}
TENANT_TABLES = sorted(set(Base.metadata.tables) - SHARED)


@pytest.fixture
def database(app):
    with app.app_context():
        yield db.session


@pytest.mark.parametrize("table", TENANT_TABLES)
def test_every_tenant_table_has_a_composite_key_and_forced_row_level_security(database, table):
    assert [column.name for column in Base.metadata.tables[table].primary_key] == ["tenant_id", "id"]
    enabled, forced = database.execute(
        text("SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = CAST(:table AS regclass)"),
        {"table": table},
    ).one()
    assert (enabled, forced) == (True, True)


@pytest.mark.parametrize("table", TENANT_TABLES)
def test_every_key_between_tenant_tables_carries_the_tenant(table):
    for key in Base.metadata.tables[table].foreign_key_constraints:
        target = key.referred_table.name
        assert target in SHARED or "tenant_id" in key.column_keys, f"{table} -> {target}"


def test_no_policy_opens_when_the_tenant_is_unset(database):
    texts = database.scalars(
        text("SELECT coalesce(qual, '') || coalesce(with_check, '') FROM pg_policies")
    ).all()
    assert texts
    assert not [policy for policy in texts if "IS NULL" in policy or "COALESCE" in policy.upper()]


def test_no_policy_lets_the_system_scope_write(database):
    writing = database.scalars(
        text("SELECT tablename FROM pg_policies WHERE cmd <> 'SELECT' AND qual LIKE '%''system''%'")
    ).all()
    assert writing == []


def test_the_app_is_neither_superuser_nor_bypassing(database):
    role = database.execute(
        text("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
    ).one()
    assert tuple(role) == (False, False)


def test_a_superusers_address_steps_down_to_a_role_that_is_held(app, superuser_url, environment):
    from portal import config, create_app

    other = create_app(
        {**config.load(environment), "SQLALCHEMY_DATABASE_URI": config.database_url(superuser_url)}
    )
    with other.app_context():
        held = db.session.scalar(
            text("SELECT NOT (rolsuper OR rolbypassrls) FROM pg_roles WHERE rolname = current_user")
        )
        db.session.remove()
        db.engine.dispose()
    assert held


def test_every_connection_of_a_superusers_address_stays_down_whatever_is_rolled_back(
    superuser_url, environment
):
    from portal import config, create_app

    other = create_app(
        {**config.load(environment), "SQLALCHEMY_DATABASE_URI": config.database_url(superuser_url)}
    )
    with other.app_context(), db.engine.connect() as first, db.engine.connect() as second:
        for connection in (first, second, first, second):
            assert connection.scalar(text("SELECT current_user")) == "portal_app"
            connection.rollback()
    with other.app_context():
        db.engine.dispose()


def test_one_partners_rows_do_not_exist_for_another(app, database):
    ours, theirs = factories.tenant(), factories.tenant()
    with tenant_scope(theirs.id):
        foreign = factories.customer(factories.integration(app))
    with tenant_scope(ours.id):
        assert db.session.scalars(db.select(Customer)).all() == []
        assert db.session.execute(text("UPDATE customer SET name = 'taken'")).rowcount == 0
        with pytest.raises(DBAPIError, match=r"row-level security|foreign key"):
            factories.invoice(foreign)
    with tenant_scope(theirs.id):
        assert db.session.scalars(scoped(Customer)).one().name == foreign.name


def test_without_a_tenant_nothing_is_seen_and_nothing_raises(app, database):
    with tenant_scope(factories.tenant().id):
        factories.customer(factories.integration(app))
    assert db.session.scalars(db.select(Customer)).all() == []
    with pytest.raises(NoTenant):
        scoped(Invoice)


def test_the_scope_holds_over_a_commit(app, database):
    with tenant_scope(factories.tenant().id):
        factories.customer(factories.integration(app))
        db.session.commit()
        assert len(db.session.scalars(db.select(Customer)).all()) == 1


def test_the_system_scope_reads_due_work_and_writes_nothing(app, database):
    with tenant_scope(factories.tenant().id):
        factories.integration(app)
    with system_scope():
        assert len(db.session.scalars(db.select(IntegrationStatus)).all()) == 1
        assert db.session.execute(text("UPDATE integration_status SET state = 'x'")).rowcount == 0
        assert db.session.scalars(db.select(Customer)).all() == []
        db.session.rollback()


def secrets() -> list[str]:
    """Every table that holds a secret, a hash, or bytes that nobody can name."""
    return sorted(
        {
            table.name
            for table in Base.metadata.sorted_tables
            for column in table.columns
            if (isinstance(column.type, LargeBinary) or any(word in column.name for word in SECRET))
            and (table.name, column.name) not in NO_SECRET
        }
    )


def test_the_list_of_secrets_finds_those_that_are_known():
    assert {"integration", "api_key", "app_user", "login_session", "audit_event", "idempotency_key"} <= set(
        secrets()
    )


# Whole rows of these are shown to what looks across partners (docs/roles.md says why).
WHOLE_ROWS = {"delivery", "integration_status", "mail", "membership", "support_visit", "sync_schedule"}


def test_whoever_serves_sees_whole_rows_across_partners_of_no_table_but_those_that_are_documented(database):
    """The owner's rights, which the views use, are told by the role that a policy names."""
    shown = database.execute(
        text("SELECT tablename, roles::text FROM pg_policies WHERE qual LIKE '%''system''%' ORDER BY 1")
    ).all()
    assert {table for table, roles in shown if roles == "{public}"} == WHOLE_ROWS
    owned = {table: roles for table, roles in shown if roles != "{public}"}
    assert owned == dict.fromkeys(
        ("exception_item", "import_file", "notice", "sync_run", "webhook_endpoint", "webhook_message"),
        "{portal}",
    )


@pytest.mark.parametrize("table", secrets())
def test_no_policy_shows_the_system_scope_a_table_that_holds_a_secret(database, table):
    policies = database.scalars(
        text("SELECT qual FROM pg_policies WHERE tablename = :table AND cmd IN ('SELECT', 'ALL')"),
        {"table": table},
    ).all()
    assert policies
    assert not [policy for policy in policies if "'system'" in policy]


def test_in_the_system_scope_no_secret_and_no_hash_is_readable(app, database, log_in):
    """Seen with rows in place: whole rows, and each table that holds a secret."""
    partner = factories.tenant()
    log_in(partner)
    with tenant_scope(partner.id):
        factories.integration(app)
        api_keys.create(factories.ACTOR, "Checkout", ["read"])
        db.session.commit()
        assert db.session.scalar(text("SELECT count(*) FROM api_key")) == 1
    with system_scope():
        found = {table: db.session.scalar(text(f"SELECT count(*) FROM {table}")) for table in secrets()}
    assert found == dict.fromkeys(secrets(), 0)


def test_every_table_has_a_policy_or_a_reason_to_have_none(database):
    bare = database.scalars(
        text(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            " AND relname <> 'alembic_version' AND NOT (relrowsecurity AND relforcerowsecurity"
            " AND EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid))"
        )
    ).all()
    assert set(bare) == set(OPEN)


def test_an_api_key_is_shown_to_who_presents_its_hash_and_no_other_key(app, database):
    for partner in (factories.tenant(), factories.tenant()):
        with tenant_scope(partner.id):
            key, _ = api_keys.create(factories.ACTOR, "Checkout", ["read"])
            db.session.commit()
    with key_scope(key.token_hash):
        assert [row.tenant_id for row in db.session.scalars(db.select(ApiKey))] == [partner.id]
    with key_scope(b"x" * 32):
        assert db.session.scalars(db.select(ApiKey)).all() == []


def test_people_and_logins_of_other_partners_do_not_exist_inside_a_partner(app, database, log_in, visit):
    ours, theirs = factories.tenant(), factories.tenant()
    mine = factories.member(ours)
    log_in(user=mine)
    log_in(theirs)
    visit(ours)
    with tenant_scope(ours.id):
        seen = db.session.scalars(db.select(User)).all()
        staff = [person for person in seen if person.is_staff]
        assert {person.id for person in seen} == {mine.id, staff[0].id}
        assert {login.user_id for login in db.session.scalars(db.select(LoginSession))} == {
            mine.id,
            staff[0].id,
        }
        assert (
            db.session.execute(
                text("UPDATE app_user SET name = 'x' WHERE id NOT IN (:a, :b)"),
                {"a": mine.id, "b": staff[0].id},
            ).rowcount
            == 0
        )
        db.session.rollback()
    assert len(db.session.scalars(db.select(LoginSession)).all()) == 3


@pytest.mark.parametrize("table", sorted(OF_PEOPLE))
def test_factors_and_what_happened_to_a_login_are_shown_outside_partners_only(app, database, table):
    policies = database.execute(
        text("SELECT policyname, cmd, qual, with_check FROM pg_policies WHERE tablename = :table"),
        {"table": table},
    ).all()
    assert [tuple(policy) for policy in policies] == [
        ("people", "ALL", "(current_setting('app.scope'::text, true) = 'people'::text)", None)
    ]


def test_inside_a_partner_and_for_the_system_there_are_no_factors(app, database):
    partner = factories.tenant()
    person = factories.member(partner)
    db.session.add(Factor(user_id=person.id, kind="totp", name="Phone", secret=b"sealed"))
    db.session.commit()
    assert len(db.session.scalars(db.select(Factor)).all()) == 1
    for scope in (tenant_scope(partner.id), system_scope()):
        with scope:
            assert db.session.scalars(db.select(Factor)).all() == []
            assert db.session.execute(text("UPDATE factor SET name = 'x'")).rowcount == 0
            db.session.rollback()


def test_outside_every_scope_of_ours_there_is_nobody(app, log_in, database_url):
    """A connection that set nothing."""
    with app.app_context():
        partner = factories.tenant()
    log_in(partner)
    with psycopg.connect(database_url) as bare:
        assert bare.execute("SELECT count(*) FROM app_user").fetchone() == (0,)
        assert bare.execute("SELECT count(*) FROM login_session").fetchone() == (0,)
        assert bare.execute("SELECT count(*) FROM factor").fetchone() == (0,)


def test_what_the_system_sees_of_an_integration_is_what_it_says(app, database, superuser):
    with tenant_scope(factories.tenant().id):
        row = factories.integration(app)
        row.state, row.probe_at = "needs_reconnecting", datetime(2026, 11, 24, tzinfo=UTC)
        db.session.commit()
    with system_scope():
        seen = db.session.scalars(db.select(IntegrationStatus)).one()
    assert (seen.integration_id, seen.state, seen.probe_at) == (row.id, row.state, row.probe_at)


def test_money_columns_refuse_nan_and_absurd_sizes_even_from_a_superuser(app, superuser):
    """Rule 4.1, in the database."""
    columns = superuser.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND data_type = 'numeric' AND is_generated = 'NEVER'"
    ).fetchall()
    checks = " ".join(
        row[0]
        for row in superuser.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c'"
        )
    )
    assert columns
    for table, column in columns:
        assert f"({column} >= " in checks.replace("((", "("), f"{table}.{column} is not bounded"


def test_a_payment_of_nan_is_refused_by_the_database_itself(app, superuser):
    """Rule 4.1: inserted as superuser, past the app and row-level security."""
    with app.app_context(), tenant_scope(factories.tenant().id):
        invoice = factories.invoice(factories.customer(factories.integration(app)))
        payment = factories.payment((invoice, "10.00"))
    for amount in ("'NaN'", "0", "-1", "1e12"):
        with pytest.raises(Exception, match=r"check constraint|out of range|overflow"):
            superuser.execute(f"UPDATE payment SET amount = {amount} WHERE id = {payment.id}")


def test_the_models_and_the_migrations_say_the_same(app, database):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    context = MigrationContext.configure(database.connection(), opts={"compare_type": True})
    assert compare_metadata(context, Base.metadata) == []
    assert set(inspect(database.connection()).get_table_names()) == {*Base.metadata.tables, "alembic_version"}
