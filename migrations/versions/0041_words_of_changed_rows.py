"""Which numbers and references changed is told by what is new among the new rows, however many rows change at once.

Both were joined by a plan that a session keeps from its first, single row: each new row was compared with each old one.

Revision ID: 0041
Revises: 0040

"""

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

OF = {
    "invoice": (
        "number, autotask_number",
        "SELECT words_of(r.number) AS word UNION SELECT words_of(r.autotask_number)",
    ),
    "payment": ("reference", "SELECT words_of(r.reference) AS word"),
}
DIFFERS = {
    "invoice": "(n.number, n.autotask_number) IS DISTINCT FROM (o.number, o.autotask_number)",
    "payment": "n.reference <> o.reference",
}


def upgrade():
    for of, (columns, _) in OF.items():
        of_rows = f"SELECT tenant_id, id, {columns} FROM"
        replace(of, f"({of_rows} new_rows EXCEPT {of_rows} old_rows) r")


def downgrade():
    for of, differs in DIFFERS.items():
        both = f"new_rows n JOIN old_rows o ON o.tenant_id = n.tenant_id AND o.id = n.id AND {differs}"
        replace(of, f"(SELECT n.* FROM {both}) r")


def replace(of, changed):
    words = f"{of}_word"
    op.execute(f"""
        CREATE OR REPLACE FUNCTION keep_{words}s_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            DELETE FROM {words} w USING {changed} WHERE w.tenant_id = r.tenant_id AND w.{of}_id = r.id;
            INSERT INTO {words} (tenant_id, {of}_id, word)
            SELECT r.tenant_id, r.id, w.word FROM {changed}, LATERAL ({OF[of][1]}) w;
            RETURN NULL;
        END $$""")
