"""Mails are rows first: an outbox, and apart from it the single-use links that some of them carry, encrypted.

A mail belongs to a partner, or to a person outside every partner. The system's scope finds what is due and shows
staff how mails fared; it never sees a link.

Revision ID: 0015
Revises: 0014

"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TENANT = "NULLIF(current_setting('app.tenant_id', true), '')"
OWN = f"""CASE WHEN {TENANT} IS NOT NULL THEN tenant_id = {TENANT}::bigint
    ELSE current_setting('app.scope', true) = 'people' AND of_person END"""
SYSTEM = "current_setting('app.scope', true) = 'system'"


def upgrade():
    make_mail()
    make_secret()
    for table in ("mail", "mail_secret"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_rows ON {table} USING ({OWN}) WITH CHECK ({OWN})")
    op.execute(f"CREATE POLICY system_reads ON mail FOR SELECT USING ({SYSTEM})")


def make_mail():
    now = sa.text("now()")
    op.create_table(
        "mail",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "of_person", sa.Boolean(), sa.Computed("tenant_id IS NULL", persisted=True), nullable=False
        ),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("to_address", sa.Text(), nullable=False),
        sa.Column("words", sa.dialects.postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.Text(), server_default="", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting', 'sent', 'refused', 'given_up', 'expired', 'kept')",
            name=op.f("ck_mail_state_known"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_mail_tenant_id")),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_mail_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail")),
        sa.UniqueConstraint("cause", name=op.f("uq_mail_cause")),
        sa.UniqueConstraint("message_id", name=op.f("uq_mail_message_id")),
    )
    op.create_index("ix_mail_due", "mail", ["due_at"], postgresql_where=sa.text("state = 'waiting'"))
    op.create_index(op.f("ix_mail_tenant_id_user_id"), "mail", ["tenant_id", "user_id"])
    op.create_index(op.f("ix_mail_user_id"), "mail", ["user_id"])


def make_secret():
    op.create_table(
        "mail_secret",
        sa.Column("mail_id", sa.BigInteger(), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "of_person", sa.Boolean(), sa.Computed("tenant_id IS NULL", persisted=True), nullable=False
        ),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mail_id"], ["mail.id"], name=op.f("fk_mail_secret_mail_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_mail_secret_tenant_id")),
        sa.PrimaryKeyConstraint("mail_id", name=op.f("pk_mail_secret")),
    )


def downgrade():
    op.drop_table("mail_secret")
    op.drop_table("mail")
