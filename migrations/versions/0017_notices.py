"""Notices: what a partner's people were told, once a cause, and of what each of them wants a mail.

Revision ID: 0017
Revises: 0016

"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

OWN_ROWS = "tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::bigint"
SYSTEM = "current_setting('app.scope', true) = 'system'"
STANDING = "ended_at IS NULL AND kind IN ('needs_reconnecting', 'sync_late', 'payments_stuck')"
INSTANT = sa.DateTime(timezone=True)


def upgrade():
    make_notice()
    make_choice()
    for table in ("notice", "notice_choice"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_rows ON {table} USING ({OWN_ROWS}) WITH CHECK ({OWN_ROWS})")
    op.execute(f"CREATE POLICY system_reads ON notice FOR SELECT USING ({SYSTEM})")


def make_notice():
    now = sa.text("now()")
    op.create_table(
        "notice",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("ended_words", sa.Text(), nullable=True),
        sa.Column("created_at", INSTANT, server_default=now, nullable=False),
        sa.Column("changed_at", INSTANT, server_default=now, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_notice_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_notice")),
        sa.UniqueConstraint("tenant_id", "kind", "cause", name=op.f("uq_notice_tenant_id_kind_cause")),
    )
    op.create_index(
        "uq_notice_standing", "notice", ["tenant_id", "kind"], unique=True, postgresql_where=sa.text(STANDING)
    )
    op.create_index(op.f("ix_notice_tenant_id_changed_at"), "notice", ["tenant_id", "changed_at"])


def make_choice():
    op.create_table(
        "notice_choice",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("no_mail", postgresql.ARRAY(sa.TEXT()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("seen_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_notice_choice_tenant_id")),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_notice_choice_user_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_notice_choice")),
        sa.UniqueConstraint("tenant_id", "user_id", name=op.f("uq_notice_choice_tenant_id_user_id")),
    )


def downgrade():
    op.drop_table("notice_choice")
    op.drop_table("notice")
