"""People are invited by links that work once, may be removed, and a partner has settings of its own.

A person who was removed stays readable by name where they did something: `past_member` keeps that they were here,
so that the release before, which knows only memberships, lets them in no more.

Revision ID: 0018
Revises: 0017

"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

OWN_ROWS = "tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::bigint"
PEOPLE = "current_setting('app.scope', true) = 'people'"
IN_A_PARTNER = "NULLIF(current_setting('app.tenant_id', true), '') IS NOT NULL"
PRESENTED = "token_hash = decode(current_setting('app.key_hash', true), 'hex')"
NEW_OF_TENANT = (
    "logo_key text NOT NULL DEFAULT ''",
    "date_format text NOT NULL DEFAULT 'day_month_year'",
    "number_format text NOT NULL DEFAULT 'comma_point'",
    "support_access text NOT NULL DEFAULT 'view'",
    "support_act_until timestamptz",
    "disabled_at timestamptz",
    "disabled_reason text NOT NULL DEFAULT ''",
)


def upgrade():
    for column in NEW_OF_TENANT:
        op.execute(f"ALTER TABLE tenant ADD COLUMN {column}")
    make_invitation()
    make_login_link()
    make_past_member()


def instant(name, *, required=False, filled=False):
    filler = sa.text("now()") if filled else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=filler, nullable=not required)


def make_invitation():
    op.create_table(
        "invitation",
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("made_by_id", sa.BigInteger(), nullable=True),
        instant("created_at", required=True, filled=True),
        instant("sent_at", required=True, filled=True),
        instant("expires_at", required=True),
        instant("used_at"),
        instant("revoked_at"),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "role IN ('owner', 'manager', 'clerk', 'reader')", name=op.f("ck_invitation_role_known")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_invitation_tenant_id")),
        sa.ForeignKeyConstraint(["made_by_id"], ["app_user.id"], name=op.f("fk_invitation_made_by_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitation_token_hash")),
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_invitation_waiting ON invitation (tenant_id, lower(email))"
        " WHERE used_at IS NULL AND revoked_at IS NULL"
    )
    own_rows_only("invitation")
    op.execute(f"CREATE POLICY presented ON invitation FOR SELECT USING ({PRESENTED})")


def make_login_link():
    op.create_table(
        "login_link",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("pair", sa.Text(), server_default="", nullable=False),
        instant("created_at", required=True, filled=True),
        instant("expires_at", required=True),
        instant("used_at"),
        instant("revoked_at"),
        sa.CheckConstraint(
            "purpose IN ('password_reset', 'email_old', 'email_new')",
            name=op.f("ck_login_link_purpose_known"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_login_link_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_link")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_login_link_token_hash")),
    )
    op.create_index(op.f("ix_login_link_user_id"), "login_link", ["user_id"])
    wall("login_link")
    op.execute(f"CREATE POLICY people ON login_link USING (NOT ({IN_A_PARTNER}) AND {PEOPLE})")


def make_past_member():
    op.create_table(
        "past_member",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        instant("removed_at", required=True, filled=True),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_past_member_tenant_id")),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_past_member_user_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_past_member")),
        sa.UniqueConstraint("tenant_id", "user_id", name=op.f("uq_past_member_tenant_id_user_id")),
    )
    own_rows_only("past_member")
    op.execute(
        "CREATE POLICY past_people ON app_user FOR SELECT"
        f" USING ({IN_A_PARTNER} AND id IN (SELECT user_id FROM past_member))"
    )


def wall(table):
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def own_rows_only(table):
    wall(table)
    op.execute(f"CREATE POLICY own_rows ON {table} USING ({OWN_ROWS}) WITH CHECK ({OWN_ROWS})")


def downgrade():
    op.execute("DROP POLICY past_people ON app_user")
    for table in ("past_member", "login_link", "invitation"):
        op.drop_table(table)
    for column in NEW_OF_TENANT:
        op.execute(f"ALTER TABLE tenant DROP COLUMN {column.split()[0]}")
