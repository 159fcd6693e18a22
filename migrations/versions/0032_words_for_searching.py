"""Searches find invoices and payments by how the words of their numbers and references begin.

ILIKE may leak rows of others, so no index answers it behind row-level security, pg_trgm's neither; comparing may not.

Revision ID: 0032
Revises: 0031

"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

# Whoever records a payment writes it first and its invoices afterwards.
IN_THE_WRITERS_ORDER = "LOCK TABLE payment, invoice IN SHARE ROW EXCLUSIVE MODE"
OWN_ROWS = "tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::bigint"
# All of it, from the first digit on, the last part, and from the second word on.
WORDS = """
    CREATE FUNCTION words_of(written text) RETURNS SETOF text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT DISTINCT left(word, 60) FROM (SELECT lower(btrim(written)) AS whole) AS folded, LATERAL (VALUES
            (whole), (substring(whole FROM '[0-9].*$')), (substring(whole FROM '[^-./#[:space:]]+$')),
            (substring(whole FROM '[[:space:]]([^[:space:]].*)$'))
        ) AS each(word) WHERE word <> ''
    $$"""
NUMBERS = "SELECT words_of(r.number) AS word UNION SELECT words_of(r.autotask_number)"
REFERENCES = "SELECT words_of(r.reference) AS word"
OF = {
    "invoice": (NUMBERS, "(n.number, n.autotask_number) IS DISTINCT FROM (o.number, o.autotask_number)"),
    "payment": (REFERENCES, "n.reference <> o.reference"),
}

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
    op.execute(WORDS)
    for of, (words, differs) in OF.items():
        table(of)
        into = f"INSERT INTO {of}_word (tenant_id, {of}_id, word) SELECT r.tenant_id, r.id, w.word FROM"
        trigger(of, "insert", "NEW TABLE AS new_rows", f"{into} new_rows r, LATERAL ({words}) w;")
        gone = f"DELETE FROM {of}_word w USING {{rows}} WHERE w.tenant_id = o.tenant_id AND w.{of}_id = o.id;"
        trigger(of, "delete", "OLD TABLE AS old_rows", gone.format(rows="old_rows o"))
        both = f"new_rows n JOIN old_rows o ON o.tenant_id = n.tenant_id AND o.id = n.id AND {differs}"
        changed = f"{gone.format(rows=both)} {into} (SELECT n.* FROM {both}) r, LATERAL ({words}) w;"
        trigger(of, "update", "NEW TABLE AS new_rows OLD TABLE AS old_rows", changed)


def table(of):
    name = f"{of}_word"
    op.create_table(
        name,
        sa.Column(f"{of}_id", sa.BigInteger(), nullable=False),
        sa.Column("word", sa.Text(collation="C"), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f(f"fk_{name}_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f(f"pk_{name}")),
    )
    op.create_index(f"ix_{name}_tenant_id_word_{of}_id", name, ["tenant_id", "word", f"{of}_id"])
    op.create_index(f"ix_{name}_tenant_id_{of}_id", name, ["tenant_id", f"{of}_id"])
    op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own_rows ON {name} USING ({OWN_ROWS}) WITH CHECK ({OWN_ROWS})")
    op.execute(LET_IN.replace("{name}", name))


def trigger(of, change, rows, statements):
    name = f"keep_{of}_words_{change}"
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {statements} RETURN NULL; END $$"
    )
    op.execute(
        f"CREATE TRIGGER keep_words_{change} AFTER {change.upper()} ON {of} REFERENCING {rows}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    )


def downgrade():
    op.execute(IN_THE_WRITERS_ORDER)
    for of in OF:
        for change in ("insert", "delete", "update"):
            op.execute(f"DROP TRIGGER keep_words_{change} ON {of}")
            op.execute(f"DROP FUNCTION keep_{of}_words_{change}()")
        op.drop_table(f"{of}_word")
    op.execute("DROP FUNCTION words_of(text)")
