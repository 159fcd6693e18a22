"""Heartbeats of processes, what checks found minute by minute, alarms, and what was counted. Of no partner: they name none.

Revision ID: 0026
Revises: 0025

"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

INSTANT, NOW = sa.DateTime(timezone=True), sa.text("now()")


def upgrade():
    op.create_table(
        "heartbeat",
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("beat_at", INSTANT, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("process", "host", name=op.f("pk_heartbeat")),
    )
    op.create_table(
        "health_reading",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('ok', 'look', 'wrong', 'unknown')", name=op.f("ck_health_reading_state_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_health_reading")),
    )
    op.create_index(op.f("ix_health_reading_at"), "health_reading", ["at"])
    op.create_table(
        "alarm",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("mend", sa.Text(), nullable=False),
        sa.Column("begun_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm")),
    )
    op.create_index(
        "uq_alarm_open", "alarm", ["name"], unique=True, postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_index(op.f("ix_alarm_begun_at"), "alarm", ["begun_at"])
    op.create_table(
        "metric_count",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "labels", name=op.f("pk_metric_count")),
    )


def downgrade():
    op.drop_table("metric_count")
    op.drop_table("alarm")
    op.drop_table("health_reading")
    op.drop_table("heartbeat")
