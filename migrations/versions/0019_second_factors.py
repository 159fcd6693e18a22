"""People have second factors, prove them in a login, and see what happened to their login.

Revision ID: 0019
Revises: 0018

"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

# Who is it, and may they come in? Asked outside every partner; inside one, factors do not exist.
PEOPLE = "current_setting('app.scope', true) = 'people'"
OF_PEOPLE = ("factor", "recovery_code", "spent_proof", "security_event")
INSTANT = sa.DateTime(timezone=True)


def upgrade():
    widen_what_is_there()
    make_factors()
    make_security_events()
    for table in OF_PEOPLE:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY people ON {table} USING ({PEOPLE})")


# A table at a time: two that are locked together would be a deadlock with who is just coming in.
WIDER = (
    """ALTER TABLE app_user ADD COLUMN IF NOT EXISTS second_factor_at timestamptz,
        ADD COLUMN IF NOT EXISTS refused_codes timestamptz[] NOT NULL DEFAULT '{}'""",
    """ALTER TABLE login_session ADD COLUMN IF NOT EXISTS proved_at timestamptz,
        ADD COLUMN IF NOT EXISTS factor_at timestamptz,
        ADD COLUMN IF NOT EXISTS user_agent text NOT NULL DEFAULT '',
        ADD COLUMN IF NOT EXISTS address text NOT NULL DEFAULT ''""",
    "ALTER TABLE tenant ADD COLUMN IF NOT EXISTS second_factor_for_all boolean NOT NULL DEFAULT false",
)


def widen_what_is_there():
    with op.get_context().autocommit_block():
        for statement in WIDER:
            op.execute(statement)


def make_factors():
    op.create_table(
        "factor",
        identity(),
        of_person("factor"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("credential_id", sa.LargeBinary(), nullable=True),
        sa.Column("public_key", sa.LargeBinary(), nullable=True),
        sa.Column("sign_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.func.now(), nullable=False),
        sa.Column("last_used_at", INSTANT, nullable=True),
        sa.CheckConstraint("kind IN ('totp', 'passkey')", name=op.f("ck_factor_kind_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_factor")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_factor_credential_id")),
    )
    op.create_index(op.f("ix_factor_user_id"), "factor", ["user_id"])
    op.create_table(
        "recovery_code",
        identity(),
        of_person("recovery_code"),
        sa.Column("beginning", sa.Text(), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.func.now(), nullable=False),
        sa.Column("used_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
        sa.UniqueConstraint("user_id", "beginning", name=op.f("uq_recovery_code_user_id_beginning")),
    )
    op.create_table(
        "spent_proof",
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.Column("spent_at", INSTANT, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("mark", name=op.f("pk_spent_proof")),
    )


def make_security_events():
    op.create_table(
        "security_event",
        identity(),
        of_person("security_event"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, server_default=sa.func.now(), nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("user_agent", sa.Text(), server_default="", nullable=False),
        sa.Column("details", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=True),
        sa.Column("answered_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_event")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_security_event_token_hash")),
    )
    op.create_index(op.f("ix_security_event_user_id_at"), "security_event", ["user_id", "at"])


def identity():
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def of_person(table):
    return sa.Column(
        "user_id",
        sa.BigInteger(),
        sa.ForeignKey("app_user.id", name=op.f(f"fk_{table}_user_id")),
        nullable=False,
    )


def downgrade():
    for table in OF_PEOPLE:
        op.drop_table(table)
    op.drop_column("tenant", "second_factor_for_all")
    for name in ("address", "user_agent", "factor_at", "proved_at"):
        op.drop_column("login_session", name)
    for name in ("refused_codes", "second_factor_at"):
        op.drop_column("app_user", name)
