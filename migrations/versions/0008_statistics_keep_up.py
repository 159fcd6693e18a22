"""A first sync keeps PostgreSQL's statistics up with the tables it fills.

Plans made for empty tables would otherwise stay until autovacuum comes by, a minute or more later.

Revision ID: 0008
Revises: 0007

"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade():
    # Only a table's owner may analyze it, and the app need not be the owner.
    op.execute(
        """CREATE FUNCTION keep_statistics(grown text, by_rows bigint) RETURNS boolean
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
        BEGIN
            IF grown NOT IN ('customer', 'contact', 'invoice', 'invoice_line') OR by_rows <= (
                SELECT reltuples FROM pg_class WHERE oid = ('public.' || quote_ident(grown))::regclass
            ) THEN
                RETURN false;
            END IF;
            EXECUTE format('ANALYZE (SKIP_LOCKED) public.%I', grown);
            IF grown = 'invoice' THEN
                ANALYZE (SKIP_LOCKED) public.settlement;
            END IF;
            RETURN true;
        END $$"""
    )


def downgrade():
    op.execute("DROP FUNCTION keep_statistics(text, bigint)")
