"""What looks across partners sees how runs, exceptions and notices stand, and nothing of what they say.

Three views hold the columns that it asks for. Only their owner may read the tables behind them in the system's scope,
so a role that serves and owns nothing sees the views alone. The release before reads the tables: where it may still
run, that stays open for some days and then closes by itself (docs/migrations.md).

Revision ID: 0025
Revises: 0024

"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

SYSTEM = "current_setting('app.scope', true) = 'system'"
ROLLBACKS = timedelta(days=7)
# By view: the table behind it and the columns that are asked for.
STANDING = {
    "run_standing": (
        "sync_run", "tenant_id, id, integration_id, kind, state, created_at, finished_at, next_try_at, lease_until"
    ),
    "exception_standing": ("exception_item", "tenant_id, id, state"),
    "notice_standing": ("notice", "tenant_id, id, kind, cause, created_at, ended_at"),
}  # fmt: skip


def upgrade():
    in_use = op.get_bind().scalar(sa.text("SELECT EXISTS (SELECT FROM tenant)"))
    until = datetime.now(UTC) + ROLLBACKS
    for view, (table, columns) in STANDING.items():
        op.execute(f"CREATE VIEW {view} AS SELECT {columns} FROM {table}")
        op.execute(f"DROP POLICY system_reads ON {table}")
        op.execute(f"CREATE POLICY system_reads ON {table} FOR SELECT TO CURRENT_USER USING ({SYSTEM})")
        if in_use:
            still = f"{SYSTEM} AND now() < '{until.isoformat()}'::timestamptz"
            op.execute(f"CREATE POLICY release_before ON {table} FOR SELECT USING ({still})")


def downgrade():
    for view, (table, _) in STANDING.items():
        op.execute(f"DROP VIEW {view}")
        op.execute(f"DROP POLICY IF EXISTS release_before ON {table}")
        op.execute(f"DROP POLICY system_reads ON {table}")
        op.execute(f"CREATE POLICY system_reads ON {table} FOR SELECT USING ({SYSTEM})")
