"""A person who lost all second factors asks, others agree, and after a wait the factors go.

Revision ID: 0027
Revises: 0026

"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

# Asked outside every partner, as factors are.
PEOPLE = "current_setting('app.scope', true) = 'people'"
INSTANT = sa.DateTime(timezone=True)
TABLES = ("factor_reset", "factor_reset_agreement")


def upgrade():
    make_resets()
    make_agreements()
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY people ON {table} USING ({PEOPLE})")


def make_resets():
    op.create_table(
        "factor_reset",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", INSTANT, server_default=sa.func.now(), nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("user_agent", sa.Text(), server_default="", nullable=False),
        sa.Column("asked_hash", sa.LargeBinary(), nullable=False),
        sa.Column("agreed_hash", sa.LargeBinary(), nullable=True),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_factor_reset_user_id")),
        sa.CheckConstraint(
            "outcome IN ('done', 'withdrawn', 'stopped', 'run_out')",
            name=op.f("ck_factor_reset_outcome_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_factor_reset")),
        sa.UniqueConstraint("asked_hash", name=op.f("uq_factor_reset_asked_hash")),
        sa.UniqueConstraint("agreed_hash", name=op.f("uq_factor_reset_agreed_hash")),
    )
    op.create_index(op.f("ix_factor_reset_user_id"), "factor_reset", ["user_id"])
    op.create_index(
        "uq_factor_reset_open", "factor_reset", ["user_id"], unique=True, postgresql_where="ended_at IS NULL"
    )


def make_agreements():
    op.create_table(
        "factor_reset_agreement",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("reset_id", sa.BigInteger(), nullable=False),
        sa.Column("by_user_id", sa.BigInteger(), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=True),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(
            ["reset_id"], ["factor_reset.id"], name=op.f("fk_factor_reset_agreement_reset_id")
        ),
        sa.ForeignKeyConstraint(
            ["by_user_id"], ["app_user.id"], name=op.f("fk_factor_reset_agreement_by_user_id")
        ),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["tenant.id"], name=op.f("fk_factor_reset_agreement_partner_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_factor_reset_agreement")),
        sa.UniqueConstraint(
            "reset_id",
            "by_user_id",
            "partner_id",
            name=op.f("uq_factor_reset_agreement_reset_id_by_user_id_partner_id"),
        ),
    )
    op.create_index(
        "uq_factor_reset_agreement_staff",
        "factor_reset_agreement",
        ["reset_id", "by_user_id"],
        unique=True,
        postgresql_where="partner_id IS NULL",
    )


def downgrade():
    op.drop_table("factor_reset_agreement")
    op.drop_table("factor_reset")
