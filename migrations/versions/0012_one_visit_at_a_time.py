"""A support person is inside one partner at a time; a kept answer of the API knows which key it was given to.

Revision ID: 0012
Revises: 0011

"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# Row-level security would hide the partners' visits from their own owner while it is forced.
END_OVERLAPPING = """
UPDATE support_visit v SET ended_at = later.next_start
FROM (
    SELECT id, tenant_id, lead(started_at) OVER (PARTITION BY staff_user_id ORDER BY started_at, id) AS next_start
    FROM support_visit
) later
WHERE v.tenant_id = later.tenant_id AND v.id = later.id AND later.next_start < least(v.ended_at, v.expires_at)
"""
ONE_AT_A_TIME = """
ALTER TABLE support_visit ADD CONSTRAINT ex_support_visit_one_at_a_time EXCLUDE USING gist (
    int8range(staff_user_id, staff_user_id, '[]') WITH &&,
    tstzrange(started_at, greatest(started_at, least(ended_at, expires_at))) WITH &&)
"""


def upgrade():
    with (
        op.get_context().autocommit_block()
    ):  # the locks of both tables at once would be a deadlock with payments
        op.execute("ALTER TABLE idempotency_key ADD COLUMN IF NOT EXISTS api_key_id bigint")
    op.execute("ALTER TABLE support_visit NO FORCE ROW LEVEL SECURITY")
    op.execute(END_OVERLAPPING)
    op.execute("ALTER TABLE support_visit FORCE ROW LEVEL SECURITY")
    op.execute(ONE_AT_A_TIME)


def downgrade():
    op.execute("ALTER TABLE idempotency_key DROP COLUMN api_key_id")
    op.execute("ALTER TABLE support_visit DROP CONSTRAINT ex_support_visit_one_at_a_time")
