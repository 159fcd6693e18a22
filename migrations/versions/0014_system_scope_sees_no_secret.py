"""What looks across partners sees no secret and no hash; people and logins stand behind policies as well.

The system's scope reads a table of its own with the state of each integration, kept by a trigger. An API key is shown to
who presents its hash. People of other partners do not exist inside a partner's scope.

The release before reads whole rows of `integration` and `api_key` in the system's scope. Where it may still run, that
stays open for some days and then closes by itself (docs/migrations.md).

Revision ID: 0014
Revises: 0013

"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

OWN_ROWS = "tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::bigint"
SYSTEM = "current_setting('app.scope', true) = 'system'"
PEOPLE = "current_setting('app.scope', true) = 'people'"
IN_A_PARTNER = "NULLIF(current_setting('app.tenant_id', true), '') IS NOT NULL"
ROLLBACKS = timedelta(days=7)
HELD_SECRETS = ("integration", "api_key")


def upgrade():
    make_status()
    fill_status()
    show_keys_to_who_has_them()
    hide_people_of_others()
    close_to_the_system()


def make_status():
    op.create_table(
        "integration_status",
        sa.Column("integration_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("probe_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_integration_status_tenant_id")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integration.tenant_id", "integration.id"],
            name=op.f("fk_integration_status_tenant_id_integration_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_integration_status")),
        sa.UniqueConstraint(
            "tenant_id", "integration_id", name=op.f("uq_integration_status_tenant_id_integration_id")
        ),
    )
    op.execute("ALTER TABLE integration_status ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE integration_status FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own_rows ON integration_status USING ({OWN_ROWS}) WITH CHECK ({OWN_ROWS})")
    op.execute(f"CREATE POLICY system_reads ON integration_status FOR SELECT USING ({SYSTEM})")
    op.execute(
        """CREATE FUNCTION keep_integration_status() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO integration_status (tenant_id, integration_id, kind, state, probe_at)
            VALUES (NEW.tenant_id, NEW.id, NEW.kind, NEW.state, NEW.probe_at)
            ON CONFLICT (tenant_id, integration_id) DO UPDATE
            SET kind = EXCLUDED.kind, state = EXCLUDED.state, probe_at = EXCLUDED.probe_at;
            RETURN NULL;
        END $$"""
    )
    op.execute(
        """CREATE TRIGGER keep_status AFTER INSERT OR UPDATE OF kind, state, probe_at ON integration
        FOR EACH ROW EXECUTE FUNCTION keep_integration_status()"""
    )


def fill_status():
    each_partner(
        "INSERT INTO integration_status (tenant_id, integration_id, kind, state, probe_at)"
        " SELECT tenant_id, id, kind, state, probe_at FROM integration"
    )


def each_partner(statement):
    connection, scope = op.get_bind(), sa.text("SELECT set_config('app.tenant_id', :id, true)")
    for tenant_id in connection.scalars(sa.text("SELECT id FROM tenant")).all():
        connection.execute(scope, {"id": str(tenant_id)})
        connection.execute(sa.text(statement))
    connection.execute(scope, {"id": ""})


def show_keys_to_who_has_them():
    op.execute(
        """CREATE POLICY presented ON api_key FOR SELECT
        USING (token_hash = decode(current_setting('app.key_hash', true), 'hex'))"""
    )


def hide_people_of_others():
    """Inside a partner: its own people, and support. Outside all: who is it, and may they come in?"""
    op.execute(
        f"""CREATE POLICY people ON app_user USING (CASE WHEN {IN_A_PARTNER}
            THEN is_staff OR id IN (SELECT user_id FROM membership) ELSE {PEOPLE} END)"""
    )
    op.execute(
        f"""CREATE POLICY people ON login_session USING (CASE WHEN {IN_A_PARTNER}
            THEN user_id IN (SELECT user_id FROM membership)
                OR id IN (SELECT login_session_id FROM support_visit)
            ELSE {PEOPLE} END)"""
    )
    for table in ("app_user", "login_session"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def close_to_the_system():
    """At once where nobody is, after some days where the release before may run or come back."""
    in_use = op.get_bind().scalar(sa.text("SELECT EXISTS (SELECT FROM tenant)"))
    until = datetime.now(UTC) + ROLLBACKS
    for table in HELD_SECRETS:
        op.execute(f"DROP POLICY system_reads ON {table}")
    if in_use:
        open_to_the_release_before(f"now() < '{until.isoformat()}'::timestamptz")


def open_to_the_release_before(still):
    for table in HELD_SECRETS:
        op.execute(f"CREATE POLICY release_before ON {table} FOR SELECT USING ({SYSTEM} AND {still})")
    nowhere = f"current_setting('app.scope', true) = '' AND NOT ({IN_A_PARTNER})"
    for table in ("app_user", "login_session"):
        op.execute(f"CREATE POLICY release_before ON {table} USING ({nowhere} AND {still})")


def downgrade():
    for table in ("app_user", "login_session"):
        op.execute(f"DROP POLICY people ON {table}")
        op.execute(f"DROP POLICY IF EXISTS release_before ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    op.execute("DROP POLICY presented ON api_key")
    for table in HELD_SECRETS:
        op.execute(f"DROP POLICY IF EXISTS release_before ON {table}")
        op.execute(f"CREATE POLICY system_reads ON {table} FOR SELECT USING ({SYSTEM})")
    op.execute("DROP FUNCTION keep_integration_status() CASCADE")
    op.drop_table("integration_status")
