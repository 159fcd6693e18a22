"""Files of customers and invoices: their rows as they came, what each record does, and how columns were read before.

Revision ID: 0037
Revises: 0036

"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

OWN_ROWS = "tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::bigint"
SYSTEM = "current_setting('app.scope', true) = 'system'"
KINDS = "kind IN ('customers', 'invoices')"
STATES = "'arriving', 'refused', 'staged', 'checking', 'checked', 'taking', 'taken', 'undoing', 'undone'"
RESULTS = "'created', 'changed', 'unchanged', 'refused'"
TABLES = ("import_file", "import_file_row", "import_file_record", "import_columns")


def upgrade():
    make_files()
    make_rows()
    make_records()
    make_columns()
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_rows ON {table} USING ({OWN_ROWS}) WITH CHECK ({OWN_ROWS})")
    op.execute("CREATE VIEW file_standing AS SELECT tenant_id, id, state, lease_until FROM import_file")
    op.execute(f"CREATE POLICY system_reads ON import_file FOR SELECT TO CURRENT_USER USING ({SYSTEM})")


def make_files():
    op.create_table(
        "import_file",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("kind", "name", "state")),
        sa.Column("fault", sa.Text(), server_default="", nullable=False),
        json("headings", "[]"),
        json("choice", "{}"),
        *(
            sa.Column(name, sa.Integer(), server_default="0", nullable=False)
            for name in ("rows", "records", "done", "position", "left_out", "tries")
        ),
        *(
            sa.Column(name, sa.BigInteger(), nullable=True)
            for name in ("user_id", "true_user_id", "visit_id", "run_id", "undo_run_id")
        ),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        *of_a_partner("import_file"),
        sa.CheckConstraint(KINDS, name=op.f("ck_import_file_kind_known")),
        sa.CheckConstraint(f"state IN ({STATES})", name=op.f("ck_import_file_state_known")),
        belongs_to("import_file", "run_id", "import_run"),
        belongs_to("import_file", "undo_run_id", "import_run"),
        belongs_to("import_file", "visit_id", "support_visit"),
        *(
            sa.ForeignKeyConstraint([name], ["app_user.id"], name=op.f(f"fk_import_file_{name}"))
            for name in ("user_id", "true_user_id")
        ),
    )
    op.create_index(op.f("ix_import_file_tenant_id_run_id"), "import_file", ["tenant_id", "run_id"])
    op.create_index(
        "ix_import_file_due", "import_file", ["tenant_id", "id"],
        postgresql_where=sa.text("state IN ('arriving', 'checking', 'taking', 'undoing')"),
    )  # fmt: skip


def make_rows():
    op.create_table(
        "import_file_row",
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("cells", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("fault", sa.Text(), server_default="", nullable=False),
        sa.Column("record", sa.Integer(), nullable=True),
        sa.Column("line", sa.Integer(), nullable=True),
        *of_a_partner("import_file_row"),
        belongs_to("import_file_row", "file_id", "import_file"),
    )
    op.create_index(
        op.f("ix_import_file_row_tenant_id_file_id_place"),
        "import_file_row",
        ["tenant_id", "file_id", "place"],
    )
    op.create_index(
        op.f("ix_import_file_row_tenant_id_file_id_record_line"),
        "import_file_row",
        ["tenant_id", "file_id", "record", "line"],
    )


def make_records():
    op.create_table(
        "import_file_record",
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), server_default="", nullable=False) for name in ("external_id", "label")),
        sa.Column("currency", sa.String(3), server_default="", nullable=False),
        *(sa.Column(name, sa.Numeric(18, 4), nullable=True) for name in ("amount", "amount_before")),
        sa.Column("voided", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        json("changes", "{}"),
        json("reasons", "[]"),
        sa.Column("subject_id", sa.BigInteger(), nullable=True),
        sa.Column("before", postgresql.JSONB(), nullable=True),
        *of_a_partner("import_file_record"),
        sa.CheckConstraint(f"result IN ({RESULTS})", name=op.f("ck_import_file_record_result_known")),
        *(
            sa.CheckConstraint(
                f"{name} BETWEEN -99999999999 AND 99999999999",
                name=op.f(f"ck_import_file_record_{name}_bounded"),
            )
            for name in ("amount", "amount_before")
        ),
        belongs_to("import_file_record", "file_id", "import_file"),
    )
    op.create_index(
        op.f("ix_import_file_record_tenant_id_file_id_place"),
        "import_file_record",
        ["tenant_id", "file_id", "place"],
    )
    op.create_index(
        op.f("ix_import_file_record_tenant_id_file_id_result_place"),
        "import_file_record",
        ["tenant_id", "file_id", "result", "place"],
    )


def make_columns():
    op.create_table(
        "import_columns",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("kind", "headings")),
        sa.Column("choice", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        *of_a_partner("import_columns"),
        sa.CheckConstraint(KINDS, name=op.f("ck_import_columns_kind_known")),
        sa.UniqueConstraint(
            "tenant_id", "kind", "headings", name=op.f("uq_import_columns_tenant_id_kind_headings")
        ),
    )


def json(name, usual):
    return sa.Column(name, postgresql.JSONB(), server_default=sa.text(f"'{usual}'"), nullable=False)


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
    op.execute("DROP VIEW file_standing")
    for table in reversed(TABLES):
        op.drop_table(table)
