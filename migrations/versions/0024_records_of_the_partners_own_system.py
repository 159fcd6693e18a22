"""Customers and invoices come in from the partner's own system, under that one's names, and each batch is a row.

Revision ID: 0024
Revises: 0023

"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

OWN_ROWS = "tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::bigint"
NAMED = ("customer", "invoice")
RESULTS = "'created', 'changed', 'unchanged', 'refused'"


def upgrade():
    """What commits step by step comes first: cut short, all of it may be run again."""
    name_what_comes_from_elsewhere()
    make_runs()
    make_rows()
    for table in ("import_run", "import_row"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_rows ON {table} USING ({OWN_ROWS}) WITH CHECK ({OWN_ROWS})")


def name_what_comes_from_elsewhere():
    """A table at a time: locked together they would be a deadlock with payments. No row has a name yet."""
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE customer ADD COLUMN IF NOT EXISTS external_id text")
        op.execute(
            "ALTER TABLE invoice ADD COLUMN IF NOT EXISTS external_id text,"
            " ADD COLUMN IF NOT EXISTS voided_by_source boolean NOT NULL DEFAULT false"
        )
        op.execute("SET lock_timeout = '60s'")
        for table in NAMED:
            name = f"uq_{table}_external_id"
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
            op.create_index(
                name, table, ["tenant_id", "external_id"], unique=True, postgresql_concurrently=True,
                postgresql_where=sa.text("external_id IS NOT NULL"),
            )  # fmt: skip
        op.execute("SET lock_timeout = '800ms'")


def make_runs():
    op.create_table(
        "import_run",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("api_key_id", sa.BigInteger(), nullable=True),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("true_user_id", sa.BigInteger(), nullable=True),
        sa.Column("results", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        *of_a_partner("import_run"),
        sa.CheckConstraint("kind IN ('customers', 'invoices')", name=op.f("ck_import_run_kind_known")),
        belongs_to("import_run", "api_key_id", "api_key"),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_import_run_user_id")),
        sa.ForeignKeyConstraint(["true_user_id"], ["app_user.id"], name=op.f("fk_import_run_true_user_id")),
    )
    op.create_index(
        op.f("ix_import_run_tenant_id_created_at_id"), "import_run", ["tenant_id", "created_at", "id"]
    )


def make_rows():
    op.create_table(
        "import_row",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=True),
        sa.Column("label", sa.Text(), server_default="", nullable=False),
        sa.Column("changes", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("reasons", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        *of_a_partner("import_row"),
        sa.CheckConstraint(f"result IN ({RESULTS})", name=op.f("ck_import_row_result_known")),
        belongs_to("import_row", "run_id", "import_run"),
    )
    op.create_index(
        op.f("ix_import_row_tenant_id_run_id_place"), "import_row", ["tenant_id", "run_id", "place"]
    )
    op.create_index(op.f("ix_import_row_tenant_id_subject_id"), "import_row", ["tenant_id", "subject_id"])


def of_a_partner(table):
    return (
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f(f"fk_{table}_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f(f"pk_{table}")),
    )


def belongs_to(table, column, other):
    return sa.ForeignKeyConstraint(
        ["tenant_id", column],
        [f"{other}.tenant_id", f"{other}.id"],
        name=op.f(f"fk_{table}_tenant_id_{column}"),
    )


def downgrade():
    for table in NAMED:
        op.drop_index(f"uq_{table}_external_id", table_name=table)
    op.drop_table("import_row")
    op.drop_table("import_run")
    op.drop_column("invoice", "voided_by_source")
    for table in NAMED:
        op.drop_column(table, "external_id")
