"""What invoices and customers said before a change, so that a past month keeps its answer.

Revision ID: 0006
Revises: 0005

"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

OWN_ROWS = "tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::bigint"
KEPT = {"invoice": ("number", "amount_due"), "customer": ("name",)}


def upgrade():
    make_table("invoice", sa.Column("number", sa.Text(), nullable=False), amount_due())
    make_table("customer", sa.Column("name", sa.Text(), nullable=False))
    for table, columns in KEPT.items():
        keep_before_change(table, columns)


def amount_due():
    return sa.Column("amount_due", sa.Numeric(18, 4), nullable=False)


def make_table(subject, *columns):
    name, key = f"{subject}_past", f"{subject}_id"
    checks = [
        sa.CheckConstraint(
            f"{column.name} BETWEEN -99999999999 AND 99999999999",
            name=op.f(f"ck_{name}_{column.name}_bounded"),
        )
        for column in columns
        if isinstance(column.type, sa.Numeric)
    ]
    op.create_table(
        name,
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(key, sa.BigInteger(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        *columns,
        *checks,
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f(f"fk_{name}_tenant_id")),
        sa.ForeignKeyConstraint(
            ["tenant_id", key],
            [f"{subject}.tenant_id", f"{subject}.id"],
            name=op.f(f"fk_{name}_tenant_id_{key}"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f(f"pk_{name}")),
    )
    op.create_index(op.f(f"ix_{name}_tenant_id_{key}_until"), name, ["tenant_id", key, "until"])
    op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own_rows ON {name} USING ({OWN_ROWS}) WITH CHECK ({OWN_ROWS})")


def keep_before_change(table, columns):
    names, old = ", ".join(columns), ", ".join(f"OLD.{column}" for column in columns)
    op.execute(
        f"""CREATE FUNCTION keep_{table}_past() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO {table}_past (tenant_id, {table}_id, until, {names})
            VALUES (OLD.tenant_id, OLD.id, clock_timestamp(), {old});
            RETURN NULL;
        END $$"""
    )
    changed = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in columns)
    op.execute(
        f"""CREATE TRIGGER keep_past AFTER UPDATE OF {names} ON {table}
        FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION keep_{table}_past()"""
    )


def downgrade():
    for table in KEPT:
        op.execute(f"DROP FUNCTION keep_{table}_past() CASCADE")
        op.drop_table(f"{table}_past")
