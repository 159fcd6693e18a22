"""Support may work in a partner's name where an owner agreed, for a time; staff never belong to a partner.

A visit that acts is marked in a column of its own: the release before knows the mode `view` alone.

Revision ID: 0020
Revises: 0019

"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

WEEK = "support_act_until <= support_act_given_at + interval '7 days'"


# A table at a time, each step so that it may be run again: locked together they would be a deadlock with people at work.
STEPS = (
    f"""ALTER TABLE tenant ADD COLUMN IF NOT EXISTS support_act_given_at timestamptz,
        ADD COLUMN IF NOT EXISTS support_act_given_by_id bigint,
        DROP CONSTRAINT IF EXISTS fk_tenant_support_act_given_by_id,
        ADD CONSTRAINT fk_tenant_support_act_given_by_id
            FOREIGN KEY (support_act_given_by_id) REFERENCES app_user (id),
        DROP CONSTRAINT IF EXISTS ck_tenant_act_a_week_at_most,
        ADD CONSTRAINT ck_tenant_act_a_week_at_most CHECK ({WEEK})""",
    "ALTER TABLE support_visit ADD COLUMN IF NOT EXISTS acts boolean NOT NULL DEFAULT false",
    # A key that holds in both directions: staff become nobody's member, and a member never becomes staff.
    """DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'uq_app_user_id_is_staff') THEN
        ALTER TABLE app_user ADD CONSTRAINT uq_app_user_id_is_staff UNIQUE (id, is_staff); END IF; END $$""",
    *(
        f"""ALTER TABLE {table} ADD COLUMN IF NOT EXISTS person_is_staff boolean NOT NULL DEFAULT false,
            DROP CONSTRAINT IF EXISTS ck_{table}_never_staff,
            ADD CONSTRAINT ck_{table}_never_staff CHECK (NOT person_is_staff),
            DROP CONSTRAINT IF EXISTS fk_{table}_{person}_person_is_staff,
            ADD CONSTRAINT fk_{table}_{person}_person_is_staff
                FOREIGN KEY ({person}, person_is_staff) REFERENCES app_user (id, is_staff)"""
        for table, person in (("membership", "user_id"), ("support_visit", "as_user_id"))
    ),
)


def upgrade():
    with op.get_context().autocommit_block():
        for statement in STEPS:
            op.execute(statement)


def downgrade():
    for table, person in (("membership", "user_id"), ("support_visit", "as_user_id")):
        op.drop_constraint(op.f(f"fk_{table}_{person}_person_is_staff"), table)
        op.drop_column(table, "person_is_staff")
    op.drop_constraint(op.f("uq_app_user_id_is_staff"), "app_user")
    op.drop_column("support_visit", "acts")
    op.drop_constraint(op.f("ck_tenant_act_a_week_at_most"), "tenant")
    op.drop_column("tenant", "support_act_given_by_id")
    op.drop_column("tenant", "support_act_given_at")
