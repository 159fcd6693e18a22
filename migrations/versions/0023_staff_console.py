"""Staff administrators, a log of staff's own doings, and the budget where the list of partners can see it.

Revision ID: 0023
Revises: 0022

"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

PEOPLE = "current_setting('app.scope', true) = 'people'"
KEPT = ("kind", "state", "probe_at")
BUDGET = ("usage_used", "usage_limit", "usage_read_at", "paused_until")


def upgrade():
    make_administrators()
    make_staff_event()
    show_the_budget()


def make_administrators():
    """Who has been staff for longest looks after the others."""
    with op.get_context().autocommit_block():  # no other table's lock is held while people wait to come in
        op.execute(
            """ALTER TABLE app_user ADD COLUMN IF NOT EXISTS staff_admin boolean NOT NULL DEFAULT false,
                DROP CONSTRAINT IF EXISTS ck_app_user_administrators_are_staff,
                ADD CONSTRAINT ck_app_user_administrators_are_staff CHECK (is_staff OR NOT staff_admin)"""
        )
    op.execute("SELECT set_config('app.scope', 'people', true)")
    op.execute(
        "UPDATE app_user SET staff_admin = true WHERE id ="
        " (SELECT min(id) FROM app_user WHERE is_staff AND disabled_at IS NULL)"
    )
    op.execute("SELECT set_config('app.scope', '', true)")


def make_staff_event():
    op.create_table(
        "staff_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("partner_id", sa.BigInteger(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("signed_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_staff_event_user_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["tenant.id"], name=op.f("fk_staff_event_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_event")),
        sa.UniqueConstraint("position", name=op.f("uq_staff_event_position")),
    )
    op.execute("ALTER TABLE staff_event ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE staff_event FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY people ON staff_event USING ({PEOPLE})")
    for name, when, each in (
        ("append_only", "UPDATE OR DELETE", "ROW"),
        ("never_emptied", "TRUNCATE", "STATEMENT"),
    ):
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {when} ON staff_event FOR EACH {each} EXECUTE FUNCTION refuse_change()"
        )


def show_the_budget():
    for name in BUDGET:
        kind = sa.DateTime(timezone=True) if name.endswith(("_at", "_until")) else sa.BigInteger()
        op.add_column("integration_status", sa.Column(name, kind, nullable=True))
    keep_status(KEPT + BUDGET)
    columns = ", ".join(BUDGET)
    connection, scope = op.get_bind(), sa.text("SELECT set_config('app.tenant_id', :id, true)")
    for tenant_id in connection.scalars(sa.text("SELECT id FROM tenant")).all():
        connection.execute(scope, {"id": str(tenant_id)})
        connection.execute(
            sa.text(
                f"UPDATE integration_status s SET ({columns}) = (SELECT {columns} FROM integration i"
                " WHERE i.tenant_id = s.tenant_id AND i.id = s.integration_id)"
            )
        )
    connection.execute(scope, {"id": ""})


def keep_status(names):
    """The trigger that copies what the system's scope may see of an integration."""
    columns = ", ".join(names)
    values = ", ".join(f"NEW.{name}" for name in names)
    changed = ", ".join(f"{name} = EXCLUDED.{name}" for name in names)
    op.execute("DROP TRIGGER keep_status ON integration")
    op.execute(
        f"""CREATE OR REPLACE FUNCTION keep_integration_status() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO integration_status (tenant_id, integration_id, {columns})
            VALUES (NEW.tenant_id, NEW.id, {values})
            ON CONFLICT (tenant_id, integration_id) DO UPDATE SET {changed};
            RETURN NULL;
        END $$"""
    )
    op.execute(
        f"""CREATE TRIGGER keep_status AFTER INSERT OR UPDATE OF {columns} ON integration
        FOR EACH ROW EXECUTE FUNCTION keep_integration_status()"""
    )


def downgrade():
    keep_status(KEPT)
    for name in BUDGET:
        op.drop_column("integration_status", name)
    op.drop_table("staff_event")
    op.drop_constraint(op.f("ck_app_user_administrators_are_staff"), "app_user")
    op.drop_column("app_user", "staff_admin")
