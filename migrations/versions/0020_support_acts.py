"""Support may work in a partner's name where an owner agreed, for a time; staff never belong to a partner.

A visit that acts is marked in a column of its own: the release before knows the mode `view` alone.

Revision ID: 0020
Revises: 0019

"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

WEEK = "support_act_until <= support_act_given_at + interval '7 days'"


def upgrade():
    op.add_column("tenant", sa.Column("support_act_given_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("tenant", sa.Column("support_act_given_by_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_tenant_support_act_given_by_id"),
        "tenant",
        "app_user",
        ["support_act_given_by_id"],
        ["id"],
    )
    op.create_check_constraint(op.f("ck_tenant_act_a_week_at_most"), "tenant", WEEK)
    op.add_column(
        "support_visit", sa.Column("acts", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    keep_staff_out()


def keep_staff_out():
    """A key that holds in both directions: staff become nobody's member, and a member never becomes staff."""
    op.create_unique_constraint(op.f("uq_app_user_id_is_staff"), "app_user", ["id", "is_staff"])
    for table, person in (("membership", "user_id"), ("support_visit", "as_user_id")):
        op.add_column(
            table, sa.Column("person_is_staff", sa.Boolean(), server_default=sa.text("false"), nullable=False)
        )
        op.create_check_constraint(op.f(f"ck_{table}_never_staff"), table, "NOT person_is_staff")
        op.create_foreign_key(
            op.f(f"fk_{table}_{person}_person_is_staff"),
            table,
            "app_user",
            [person, "person_is_staff"],
            ["id", "is_staff"],
        )


def downgrade():
    for table, person in (("membership", "user_id"), ("support_visit", "as_user_id")):
        op.drop_constraint(op.f(f"fk_{table}_{person}_person_is_staff"), table)
        op.drop_column(table, "person_is_staff")
    op.drop_constraint(op.f("uq_app_user_id_is_staff"), "app_user")
    op.drop_column("support_visit", "acts")
    op.drop_constraint(op.f("ck_tenant_act_a_week_at_most"), "tenant")
    op.drop_column("tenant", "support_act_given_by_id")
    op.drop_column("tenant", "support_act_given_at")
