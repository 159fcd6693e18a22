"""The database as the second wall between partners: held over every table."""

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from portal.access.tenancy import NoTenant, scoped, system_scope, tenant_scope
from portal.extensions import db
from portal.models import Base, Customer, Integration, Invoice
from tests import factories

SHARED = {"tenant", "app_user", "login_session", "upkeep"}
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
        text("SELECT tablename FROM pg_policies WHERE cmd <> 'SELECT' AND qual LIKE '%app.scope%'")
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
        assert len(db.session.scalars(db.select(Integration)).all()) == 1
        assert db.session.execute(text("UPDATE integration SET email = 'x'")).rowcount == 0
        assert db.session.scalars(db.select(Customer)).all() == []
        db.session.rollback()


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
