"""What pages add up is kept: triggers write the difference beside every change of an invoice or payment.

They serve the release before as well. Sums of what is already here are made by 0030.

Revision ID: 0029
Revises: 0028

"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

# Whoever records a payment writes it first and its invoices afterwards.
IN_THE_WRITERS_ORDER = "LOCK TABLE payment, invoice IN SHARE ROW EXCLUSIVE MODE"
OWN_ROWS = "tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::bigint"
LARGEST = 10**19
INVOICE = """tenant_id, currency, status, agreement, archived_at IS NOT NULL AS archived,
            CASE WHEN status IN ('open', 'part_paid') THEN due_on END AS due_on"""
OWED = "archived_at IS NULL AND status IN ('open', 'part_paid')"
LEFT = "archived_at IS NULL AND status = 'credit'"
PAYMENT = "tenant_id, currency, paid_on, deleted_at IS NOT NULL AS deleted"

# {sign} and {rows} are filled with what came and what went.
INTO_INVOICES = """
        INSERT INTO invoice_sum (tenant_id, currency, status, agreement, archived, due_on, invoices, outstanding)
        SELECT tenant_id, currency, status, agreement, archived, due_on, sum(n), sum(amount) FROM ({rows}) AS each
        GROUP BY tenant_id, currency, status, agreement, archived, due_on HAVING sum(n) <> 0 OR sum(amount) <> 0;"""
AN_INVOICE = f"SELECT {INVOICE}, {{sign}}1 AS n, {{sign}}outstanding AS amount FROM {{table}}"
INTO_CUSTOMERS = """
        INSERT INTO customer_sum (tenant_id, customer_id, currency, invoices, outstanding, credit)
        SELECT tenant_id, customer_id, currency, sum(n), sum(owed), sum(credit) FROM ({rows}) AS each
        GROUP BY tenant_id, customer_id, currency HAVING sum(n) <> 0 OR sum(owed) <> 0 OR sum(credit) <> 0;"""
A_CUSTOMERS = f"""SELECT tenant_id, customer_id, currency, CASE WHEN {OWED} THEN {{sign}}1 ELSE 0 END AS n,
            CASE WHEN {OWED} THEN {{sign}}outstanding ELSE 0 END AS owed,
            CASE WHEN {LEFT} THEN {{sign}}outstanding ELSE 0 END AS credit FROM {{table}}"""
INTO_PAYMENTS = """
        INSERT INTO payment_sum (tenant_id, currency, paid_on, deleted, payments, amount)
        SELECT tenant_id, currency, paid_on, deleted, sum(n), sum(total) FROM ({rows}) AS each
        GROUP BY tenant_id, currency, paid_on, deleted HAVING sum(n) <> 0 OR sum(total) <> 0;"""
A_PAYMENT = f"SELECT {PAYMENT}, {{sign}}1 AS n, {{sign}}amount AS total FROM {{table}}"
WORK = {
    "invoice": ((INTO_INVOICES, AN_INVOICE), (INTO_CUSTOMERS, A_CUSTOMERS)),
    "payment": ((INTO_PAYMENTS, A_PAYMENT),),
}
CHANGES = {"INSERT": ("new_rows",), "DELETE": ("old_rows",), "UPDATE": ("new_rows", "old_rows")}
SIGNS = {"new_rows": "", "old_rows": "-"}
TABLES = {"new_rows": "NEW TABLE AS new_rows", "old_rows": "OLD TABLE AS old_rows"}

# Whoever writes invoices writes here at once, through the triggers: also before the release command lets its role in.
LET_IN = """
    DO $$ DECLARE role name; BEGIN
        FOR role IN SELECT DISTINCT grantee FROM information_schema.role_table_grants
            WHERE table_schema = 'public' AND table_name = 'invoice' AND privilege_type = 'INSERT' AND grantee <> 'PUBLIC'
        LOOP
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO %I', role);
        END LOOP;
    END $$"""


def upgrade():
    op.execute(IN_THE_WRITERS_ORDER)
    table("invoice_sum", [
        text("currency", 3), text("status"), text("agreement"), flag("archived"), sa.Column("due_on", sa.Date()),
        number("invoices"),
    ], ["outstanding"])  # fmt: skip
    table(
        "customer_sum",
        [number("customer_id"), text("currency", 3), number("invoices")],
        ["outstanding", "credit"],
    )
    days = [
        text("currency", 3),
        sa.Column("paid_on", sa.Date(), nullable=False),
        flag("deleted"),
        number("payments"),
    ]
    table("payment_sum", days, ["amount"])
    for of in WORK:
        for change in CHANGES:
            keep(of, change)


def table(name, columns, amounts):
    op.create_table(
        name,
        *columns,
        *(sa.Column(amount, sa.Numeric(24, 4), nullable=False) for amount in amounts),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        *(
            sa.CheckConstraint(
                f"{amount} BETWEEN -{LARGEST} AND {LARGEST}", name=op.f(f"ck_{name}_{amount}_bounded")
            )
            for amount in amounts
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f(f"fk_{name}_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f(f"pk_{name}")),
    )
    if name == "customer_sum":
        op.create_index(f"ix_{name}_tenant_id_customer_id", name, ["tenant_id", "customer_id"])
    op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own_rows ON {name} USING ({OWN_ROWS}) WITH CHECK ({OWN_ROWS})")
    op.execute(LET_IN.replace("{name}", name))


def text(name, length=None):
    return sa.Column(name, sa.String(length=length) if length else sa.Text(), nullable=False)


def flag(name):
    return sa.Column(name, sa.Boolean(), nullable=False)


def number(name):
    return sa.Column(name, sa.BigInteger(), nullable=False)


def keep(of, change):
    """One function and trigger for each kind of change: a trigger names only the rows that its change has."""
    statements = ""
    for into, each in WORK[of]:
        parts = [each.format(sign=SIGNS[rows], table=rows) for rows in CHANGES[change]]
        statements += into.format(rows=" UNION ALL ".join(parts))
    name = f"keep_{of}_sums_{change.lower()}"
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {statements} RETURN NULL; END $$"
    )
    named = " ".join(TABLES[rows] for rows in CHANGES[change])
    op.execute(
        f"CREATE TRIGGER keep_sums_{change.lower()} AFTER {change} ON {of} REFERENCING {named}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    )


def downgrade():
    op.execute(IN_THE_WRITERS_ORDER)
    for of in WORK:
        for change in CHANGES:
            op.execute(f"DROP TRIGGER keep_sums_{change.lower()} ON {of}")
            op.execute(f"DROP FUNCTION keep_{of}_sums_{change.lower()}()")
    for name in ("invoice_sum", "customer_sum", "payment_sum"):
        op.drop_table(name)
