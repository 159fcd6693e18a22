"""The words of invoices and payments that are here already, in batches, while everybody goes on writing.

Each batch holds its rows, so that none gets a word that it no longer has; what has words is left alone.

Revision ID: 0033
Revises: 0032

"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

BATCH = 2000
OF = {
    "invoice": "SELECT words_of(r.number) AS word UNION SELECT words_of(r.autotask_number)",
    "payment": "SELECT words_of(r.reference) AS word",
}


def upgrade():
    with op.get_context().autocommit_block():
        connection, scope = op.get_bind(), sa.text("SELECT set_config('app.tenant_id', :id, false)")
        for tenant_id in connection.scalars(sa.text("SELECT id FROM tenant ORDER BY id")).all():
            connection.execute(scope, {"id": str(tenant_id)})
            for of, words in OF.items():
                fill(connection, of, words, tenant_id)
        connection.execute(scope, {"id": ""})


def fill(connection, of, words, tenant_id):
    last = 0
    while last is not None:
        last = connection.scalar(
            sa.text(f"""WITH batch AS (
                SELECT r.* FROM {of} r WHERE r.tenant_id = :tenant AND r.id > :last ORDER BY r.id LIMIT {BATCH} FOR SHARE
            ), made AS (
                INSERT INTO {of}_word (tenant_id, {of}_id, word) SELECT r.tenant_id, r.id, w.word
                FROM batch r, LATERAL ({words}) w
                WHERE NOT EXISTS (SELECT FROM {of}_word k WHERE k.tenant_id = r.tenant_id AND k.{of}_id = r.id)
            ) SELECT max(id) FROM batch"""),
            {"tenant": tenant_id, "last": last},
        )


def downgrade():
    pass
