"""The first tables, each closed to other tenants by row-level security.

Revision ID: 0001
Revises:

"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

# revision identifiers, used by Alembic.
revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TENANT_TABLES = (
    "allocation",
    "api_key",
    "api_usage",
    "audit_event",
    "call_slot",
    "contact",
    "credit_application",
    "customer",
    "delivery",
    "delivery_attempt",
    "exception_item",
    "idempotency_key",
    "integration",
    "invoice",
    "invoice_line",
    "invoice_pdf",
    "membership",
    "payment",
    "settlement",
    "stored_file",
    "support_request",
    "support_visit",
    "sync_change",
    "sync_cursor",
    "sync_run",
    "sync_schedule",
)
# Read across tenants, never written: who is due, who may come in.
SYSTEM_READ_TABLES = (
    "api_key",
    "delivery",
    "exception_item",
    "integration",
    "membership",
    "support_visit",
    "sync_run",
    "sync_schedule",
)
OWN_ROWS = "tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::bigint"


def upgrade():
    op.create_table(
        "app_user",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("is_staff", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_user")),
    )
    op.create_index("uq_app_user_email", "app_user", [sa.literal_column("lower(email)")], unique=True)
    op.create_table(
        "tenant",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("slug", sa.String(length=60), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), server_default="UTC", nullable=False),
        sa.Column("default_currency", sa.String(length=3), server_default="USD", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenant")),
        sa.UniqueConstraint("slug", name=op.f("uq_tenant_slug")),
    )
    op.create_table(
        "api_key",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.TEXT()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(["created_by_id"], ["app_user.id"], name=op.f("fk_api_key_created_by_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_api_key_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_key_token_hash")),
    )
    op.create_table(
        "idempotency_key",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=True),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_idempotency_key_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_idempotency_key")),
        sa.UniqueConstraint("tenant_id", "scope", "key", name=op.f("uq_idempotency_key_tenant_id_scope_key")),
    )
    op.create_table(
        "integration",
        sa.Column("kind", sa.Text(), server_default="autotask", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("zone_url", sa.Text(), nullable=False),
        sa.Column("zone_name", sa.Text(), server_default="", nullable=False),
        sa.Column("web_url", sa.Text(), server_default="", nullable=False),
        sa.Column("database_number", sa.BigInteger(), nullable=True),
        sa.Column("totals_mode", sa.Text(), server_default="without_tax", nullable=False),
        sa.Column("totals_source", sa.Text(), server_default="assumed", nullable=False),
        sa.Column(
            "totals_evidence",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "filters", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("currencies", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("sync_minute", sa.Integer(), nullable=False),
        sa.Column("sync_hour", sa.Integer(), nullable=False),
        sa.Column("usage_used", sa.BigInteger(), nullable=True),
        sa.Column("usage_limit", sa.BigInteger(), nullable=True),
        sa.Column("usage_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pause_reason", sa.Text(), nullable=True),
        sa.Column("reconnect_reason", sa.Text(), nullable=True),
        sa.Column("reconnect_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("probe_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "connected_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("disconnected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint("identifier IN ('number', 'id')", name=op.f("ck_integration_identifier_known")),
        sa.CheckConstraint("role IN ('primary', 'secondary')", name=op.f("ck_integration_role_known")),
        sa.CheckConstraint(
            "state IN ('connected', 'needs_reconnecting', 'disconnected')",
            name=op.f("ck_integration_state_known"),
        ),
        sa.CheckConstraint(
            "totals_mode IN ('with_tax', 'without_tax')", name=op.f("ck_integration_totals_mode_known")
        ),
        sa.CheckConstraint(
            "totals_source IN ('assumed', 'evidence', 'partner')",
            name=op.f("ck_integration_totals_source_known"),
        ),
        sa.CheckConstraint("sync_hour BETWEEN 0 AND 23", name=op.f("ck_integration_hour_of_day")),
        sa.CheckConstraint("sync_minute BETWEEN 0 AND 59", name=op.f("ck_integration_minute_of_hour")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_integration_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_integration")),
        sa.UniqueConstraint("tenant_id", "kind", name=op.f("uq_integration_tenant_id_kind")),
    )
    op.create_table(
        "login_session",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "last_used_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_login_session_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_login_session_token_hash")),
    )
    op.create_index(op.f("ix_login_session_user_id"), "login_session", ["user_id"], unique=False)
    op.create_table(
        "membership",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "role IN ('owner', 'manager', 'clerk', 'reader')", name=op.f("ck_membership_role_known")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_membership_tenant_id")),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_membership_user_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_membership")),
        sa.UniqueConstraint("tenant_id", "user_id", name=op.f("uq_membership_tenant_id_user_id")),
    )
    op.create_index(op.f("ix_membership_user_id"), "membership", ["user_id"], unique=False)
    op.create_table(
        "stored_file",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_stored_file_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_stored_file")),
        sa.UniqueConstraint("tenant_id", "key", name=op.f("uq_stored_file_tenant_id_key")),
    )
    op.create_table(
        "api_usage",
        sa.Column("integration_id", sa.BigInteger(), nullable=False),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integration.tenant_id", "integration.id"],
            name=op.f("fk_api_usage_tenant_id_integration_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_api_usage_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_api_usage")),
        sa.UniqueConstraint(
            "tenant_id", "integration_id", "minute", name=op.f("uq_api_usage_tenant_id_integration_id_minute")
        ),
    )
    op.create_table(
        "call_slot",
        sa.Column("integration_id", sa.BigInteger(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint("slot BETWEEN 1 AND 3", name=op.f("ck_call_slot_three_at_a_time")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integration.tenant_id", "integration.id"],
            name=op.f("fk_call_slot_tenant_id_integration_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_call_slot_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_call_slot")),
        sa.UniqueConstraint(
            "tenant_id",
            "integration_id",
            "endpoint",
            "slot",
            name=op.f("uq_call_slot_tenant_id_integration_id_endpoint_slot"),
        ),
    )
    op.create_table(
        "customer",
        sa.Column("integration_id", sa.BigInteger(), nullable=True),
        sa.Column("autotask_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), server_default="", nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("company_type", sa.BigInteger(), nullable=True),
        sa.Column("classification", sa.BigInteger(), nullable=True),
        sa.Column("territory_id", sa.BigInteger(), nullable=True),
        sa.Column("market_segment_id", sa.BigInteger(), nullable=True),
        sa.Column("currency_autotask_id", sa.BigInteger(), nullable=True),
        sa.Column("phone", sa.Text(), server_default="", nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("tax_exempt", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("autotask_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen_run_id", sa.BigInteger(), nullable=True),
        sa.Column("outside_filters_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("missing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integration.tenant_id", "integration.id"],
            name=op.f("fk_customer_tenant_id_integration_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_customer_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_customer")),
        sa.UniqueConstraint(
            "tenant_id",
            "integration_id",
            "autotask_id",
            name=op.f("uq_customer_tenant_id_integration_id_autotask_id"),
        ),
    )
    op.create_index(
        op.f("ix_customer_tenant_id_name_id"), "customer", ["tenant_id", "name", "id"], unique=False
    )
    op.create_table(
        "support_visit",
        sa.Column("staff_user_id", sa.BigInteger(), nullable=False),
        sa.Column("as_user_id", sa.BigInteger(), nullable=False),
        sa.Column("login_session_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ticket", sa.Text(), server_default="", nullable=False),
        sa.Column("mode", sa.Text(), server_default="view", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by_id", sa.BigInteger(), nullable=True),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "expires_at <= started_at + interval '60 minutes'", name=op.f("ck_support_visit_one_hour_at_most")
        ),
        sa.CheckConstraint("mode IN ('view')", name=op.f("ck_support_visit_mode_known")),
        sa.CheckConstraint("length(btrim(reason)) >= 10", name=op.f("ck_support_visit_reason_given")),
        sa.ForeignKeyConstraint(["as_user_id"], ["app_user.id"], name=op.f("fk_support_visit_as_user_id")),
        sa.ForeignKeyConstraint(["ended_by_id"], ["app_user.id"], name=op.f("fk_support_visit_ended_by_id")),
        sa.ForeignKeyConstraint(
            ["login_session_id"], ["login_session.id"], name=op.f("fk_support_visit_login_session_id")
        ),
        sa.ForeignKeyConstraint(
            ["staff_user_id"], ["app_user.id"], name=op.f("fk_support_visit_staff_user_id")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_support_visit_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_support_visit")),
    )
    op.create_index(
        "ix_support_visit_open",
        "support_visit",
        ["staff_user_id"],
        unique=False,
        postgresql_where="ended_at IS NULL",
    )
    op.create_table(
        "sync_cursor",
        sa.Column("integration_id", sa.BigInteger(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=True),
        sa.Column("read_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integration.tenant_id", "integration.id"],
            name=op.f("fk_sync_cursor_tenant_id_integration_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_sync_cursor_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sync_cursor")),
        sa.UniqueConstraint(
            "tenant_id",
            "integration_id",
            "resource",
            name=op.f("uq_sync_cursor_tenant_id_integration_id_resource"),
        ),
    )
    op.create_table(
        "sync_run",
        sa.Column("integration_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("forced", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("true_user_id", sa.BigInteger(), nullable=True),
        sa.Column("retry_of_id", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "filters", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("window_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("window_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "items", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column(
            "checkpoint",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("current_item", sa.Text(), nullable=True),
        sa.Column("progress_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("progress_total", sa.Integer(), nullable=True),
        sa.Column("api_calls", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error_kind", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("timings", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "kind IN ('all', 'new', 'unpaid', 'customers', 'pdfs')", name=op.f("ck_sync_run_kind_known")
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'completed', 'failed', 'cancelled')",
            name=op.f("ck_sync_run_state_known"),
        ),
        sa.CheckConstraint(
            "trigger IN ('connect', 'schedule', 'button', 'retry', 'command')",
            name=op.f("ck_sync_run_trigger_known"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integration.tenant_id", "integration.id"],
            name=op.f("fk_sync_run_tenant_id_integration_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_sync_run_tenant_id")),
        sa.ForeignKeyConstraint(["true_user_id"], ["app_user.id"], name=op.f("fk_sync_run_true_user_id")),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_sync_run_user_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sync_run")),
        sa.UniqueConstraint(
            "tenant_id",
            "integration_id",
            "kind",
            "due_at",
            name=op.f("uq_sync_run_tenant_id_integration_id_kind_due_at"),
        ),
    )
    op.create_index(
        "ix_sync_run_due",
        "sync_run",
        ["next_try_at"],
        unique=False,
        postgresql_where="state IN ('waiting', 'running')",
    )
    op.create_index(
        op.f("ix_sync_run_tenant_id_created_at_id"),
        "sync_run",
        ["tenant_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "uq_sync_run_incomplete",
        "sync_run",
        ["tenant_id", "integration_id", "kind"],
        unique=True,
        postgresql_where="state IN ('waiting', 'running')",
    )
    op.create_table(
        "sync_schedule",
        sa.Column("integration_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("next_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "kind IN ('all', 'new', 'unpaid', 'customers', 'pdfs')", name=op.f("ck_sync_schedule_kind_known")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integration.tenant_id", "integration.id"],
            name=op.f("fk_sync_schedule_tenant_id_integration_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_sync_schedule_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sync_schedule")),
        sa.UniqueConstraint(
            "tenant_id", "integration_id", "kind", name=op.f("uq_sync_schedule_tenant_id_integration_id_kind")
        ),
    )
    op.create_index("ix_sync_schedule_due", "sync_schedule", ["next_due_at"], unique=False)
    op.create_table(
        "audit_event",
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("true_user_id", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("visit_id", sa.BigInteger(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=True),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "visit_id"],
            ["support_visit.tenant_id", "support_visit.id"],
            name=op.f("fk_audit_event_tenant_id_visit_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_audit_event_tenant_id")),
        sa.ForeignKeyConstraint(["true_user_id"], ["app_user.id"], name=op.f("fk_audit_event_true_user_id")),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_audit_event_user_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_audit_event")),
        sa.UniqueConstraint("tenant_id", "position", name=op.f("uq_audit_event_tenant_id_position")),
    )
    op.create_index(
        op.f("ix_audit_event_tenant_id_subject_type_subject_id"),
        "audit_event",
        ["tenant_id", "subject_type", "subject_id"],
        unique=False,
    )
    op.create_table(
        "contact",
        sa.Column("integration_id", sa.BigInteger(), nullable=True),
        sa.Column("autotask_id", sa.BigInteger(), nullable=True),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("first_name", sa.Text(), server_default="", nullable=False),
        sa.Column("last_name", sa.Text(), server_default="", nullable=False),
        sa.Column("email", sa.Text(), server_default="", nullable=False),
        sa.Column("active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("billing", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("primary", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("user_defined", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("autotask_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen_run_id", sa.BigInteger(), nullable=True),
        sa.Column("outside_filters_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("missing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["customer.tenant_id", "customer.id"],
            name=op.f("fk_contact_tenant_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integration.tenant_id", "integration.id"],
            name=op.f("fk_contact_tenant_id_integration_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_contact_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_contact")),
        sa.UniqueConstraint(
            "tenant_id",
            "integration_id",
            "autotask_id",
            name=op.f("uq_contact_tenant_id_integration_id_autotask_id"),
        ),
    )
    op.create_index(
        op.f("ix_contact_tenant_id_customer_id"), "contact", ["tenant_id", "customer_id"], unique=False
    )
    op.create_table(
        "invoice",
        sa.Column("integration_id", sa.BigInteger(), nullable=True),
        sa.Column("autotask_id", sa.BigInteger(), nullable=True),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("autotask_number", sa.Text(), nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("total_raw", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("tax_raw", sa.Numeric(precision=20, scale=6), server_default="0", nullable=False),
        sa.Column("lines_raw", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("amount_due", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("paid_amount", sa.Numeric(precision=18, scale=4), server_default="0", nullable=False),
        sa.Column("credited_amount", sa.Numeric(precision=18, scale=4), server_default="0", nullable=False),
        sa.Column("settled_amount", sa.Numeric(precision=18, scale=4), server_default="0", nullable=False),
        sa.Column("applied_amount", sa.Numeric(precision=18, scale=4), server_default="0", nullable=False),
        sa.Column(
            "outstanding",
            sa.Numeric(precision=18, scale=4),
            sa.Computed(
                "amount_due - paid_amount - credited_amount - settled_amount + applied_amount", persisted=True
            ),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.Text(),
            sa.Computed(
                "CASE\n    WHEN is_voided THEN 'voided'\n    WHEN amount_due < 0 THEN 'credit'\n    WHEN amount_due - paid_amount - credited_amount - settled_amount + applied_amount <= 0 THEN 'paid'\n    WHEN paid_amount + credited_amount + settled_amount > 0 THEN 'part_paid'\n    ELSE 'open' END",
                persisted=True,
            ),
            nullable=False,
        ),
        sa.Column("is_voided", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("voided_on", sa.Date(), nullable=True),
        sa.Column("order_number", sa.Text(), server_default="", nullable=False),
        sa.Column("comments", sa.Text(), server_default="", nullable=False),
        sa.Column("tax_region", sa.Text(), server_default="", nullable=False),
        sa.Column("from_on", sa.Date(), nullable=True),
        sa.Column("to_on", sa.Date(), nullable=True),
        sa.Column("autotask_created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("autotask_due_on", sa.Date(), nullable=True),
        sa.Column("autotask_paid_on", sa.Date(), nullable=True),
        sa.Column("autotask_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen_run_id", sa.BigInteger(), nullable=True),
        sa.Column("lines_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("locally_changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("agreement", sa.Text(), server_default="agrees", nullable=False),
        sa.Column("outside_filters_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("missing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "agreement IN ('agrees', 'waiting', 'differs', 'outside_filters', 'missing', 'voided', 'portal_only')",
            name=op.f("ck_invoice_agreement_known"),
        ),
        sa.CheckConstraint(
            "amount_due BETWEEN -99999999999 AND 99999999999", name=op.f("ck_invoice_amount_due_bounded")
        ),
        sa.CheckConstraint(
            "applied_amount BETWEEN 0 AND 99999999999", name=op.f("ck_invoice_applied_amount_bounded")
        ),
        sa.CheckConstraint(
            "credited_amount BETWEEN 0 AND 99999999999", name=op.f("ck_invoice_credited_amount_bounded")
        ),
        sa.CheckConstraint(
            "lines_raw BETWEEN -99999999999 AND 99999999999", name=op.f("ck_invoice_lines_raw_bounded")
        ),
        sa.CheckConstraint(
            "paid_amount BETWEEN 0 AND 99999999999", name=op.f("ck_invoice_paid_amount_bounded")
        ),
        sa.CheckConstraint(
            "settled_amount BETWEEN 0 AND 99999999999", name=op.f("ck_invoice_settled_amount_bounded")
        ),
        sa.CheckConstraint(
            "tax_raw BETWEEN -99999999999 AND 99999999999", name=op.f("ck_invoice_tax_raw_bounded")
        ),
        sa.CheckConstraint(
            "total_raw BETWEEN -99999999999 AND 99999999999", name=op.f("ck_invoice_total_raw_bounded")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["customer.tenant_id", "customer.id"],
            name=op.f("fk_invoice_tenant_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integration.tenant_id", "integration.id"],
            name=op.f("fk_invoice_tenant_id_integration_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_invoice_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_invoice")),
        sa.UniqueConstraint(
            "tenant_id",
            "integration_id",
            "autotask_id",
            name=op.f("uq_invoice_tenant_id_integration_id_autotask_id"),
        ),
    )
    op.create_index("ix_invoice_number", "invoice", ["tenant_id", "number"], unique=False)
    op.create_index(
        op.f("ix_invoice_tenant_id_customer_id"), "invoice", ["tenant_id", "customer_id"], unique=False
    )
    op.create_index(
        op.f("ix_invoice_tenant_id_issued_on_id"), "invoice", ["tenant_id", "issued_on", "id"], unique=False
    )
    op.create_index(
        op.f("ix_invoice_tenant_id_status_issued_on_id"),
        "invoice",
        ["tenant_id", "status", "issued_on", "id"],
        unique=False,
    )
    op.create_table(
        "payment",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=False),
        sa.Column("reference", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("recorded_by_id", sa.BigInteger(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_by_id", sa.BigInteger(), nullable=True),
        sa.Column("deleted_reason", sa.Text(), nullable=True),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "method IN ('card', 'ach', 'check', 'wire', 'cash', 'other')",
            name=op.f("ck_payment_method_known"),
        ),
        sa.CheckConstraint(
            "paid_on BETWEEN '1990-01-01' AND '2100-12-31'", name=op.f("ck_payment_paid_on_sane")
        ),
        sa.CheckConstraint(
            "(deleted_at IS NULL) = (deleted_reason IS NULL)", name=op.f("ck_payment_deleted_with_reason")
        ),
        sa.CheckConstraint("amount BETWEEN 0.0001 AND 99999999999", name=op.f("ck_payment_amount_bounded")),
        sa.ForeignKeyConstraint(["deleted_by_id"], ["app_user.id"], name=op.f("fk_payment_deleted_by_id")),
        sa.ForeignKeyConstraint(["recorded_by_id"], ["app_user.id"], name=op.f("fk_payment_recorded_by_id")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["customer.tenant_id", "customer.id"],
            name=op.f("fk_payment_tenant_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_payment_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_payment")),
    )
    op.create_index(
        op.f("ix_payment_tenant_id_customer_id"), "payment", ["tenant_id", "customer_id"], unique=False
    )
    op.create_index(
        op.f("ix_payment_tenant_id_recorded_at_id"),
        "payment",
        ["tenant_id", "recorded_at", "id"],
        unique=False,
    )
    op.create_table(
        "support_request",
        sa.Column("visit_id", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "visit_id"],
            ["support_visit.tenant_id", "support_visit.id"],
            name=op.f("fk_support_request_tenant_id_visit_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_support_request_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_support_request")),
    )
    op.create_index(
        op.f("ix_support_request_tenant_id_visit_id"),
        "support_request",
        ["tenant_id", "visit_id"],
        unique=False,
    )
    op.create_table(
        "sync_change",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("autotask_id", sa.BigInteger(), nullable=True),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("old_value", sa.Text(), nullable=True),
        sa.Column("new_value", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"],
            ["sync_run.tenant_id", "sync_run.id"],
            name=op.f("fk_sync_change_tenant_id_run_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_sync_change_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sync_change")),
    )
    op.create_index(
        op.f("ix_sync_change_tenant_id_run_id_id"), "sync_change", ["tenant_id", "run_id", "id"], unique=False
    )
    op.create_index(
        op.f("ix_sync_change_tenant_id_subject_type_subject_id"),
        "sync_change",
        ["tenant_id", "subject_type", "subject_id"],
        unique=False,
    )
    op.create_table(
        "allocation",
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "amount BETWEEN 0.0001 AND 99999999999", name=op.f("ck_allocation_amount_bounded")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invoice_id"],
            ["invoice.tenant_id", "invoice.id"],
            name=op.f("fk_allocation_tenant_id_invoice_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "payment_id"],
            ["payment.tenant_id", "payment.id"],
            name=op.f("fk_allocation_tenant_id_payment_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_allocation_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_allocation")),
        sa.UniqueConstraint(
            "tenant_id",
            "payment_id",
            "invoice_id",
            name=op.f("uq_allocation_tenant_id_payment_id_invoice_id"),
        ),
    )
    op.create_index(
        op.f("ix_allocation_tenant_id_invoice_id"), "allocation", ["tenant_id", "invoice_id"], unique=False
    )
    op.create_table(
        "credit_application",
        sa.Column("credit_invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("applied_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("recorded_by_id", sa.BigInteger(), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_by_id", sa.BigInteger(), nullable=True),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "amount BETWEEN 0.0001 AND 99999999999", name=op.f("ck_credit_application_amount_bounded")
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by_id"], ["app_user.id"], name=op.f("fk_credit_application_recorded_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["removed_by_id"], ["app_user.id"], name=op.f("fk_credit_application_removed_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "credit_invoice_id"],
            ["invoice.tenant_id", "invoice.id"],
            name=op.f("fk_credit_application_tenant_id_credit_invoice_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invoice_id"],
            ["invoice.tenant_id", "invoice.id"],
            name=op.f("fk_credit_application_tenant_id_invoice_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_credit_application_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_credit_application")),
    )
    op.create_index(
        op.f("ix_credit_application_tenant_id_credit_invoice_id"),
        "credit_application",
        ["tenant_id", "credit_invoice_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_credit_application_tenant_id_invoice_id"),
        "credit_application",
        ["tenant_id", "invoice_id"],
        unique=False,
    )
    op.create_table(
        "delivery",
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("wish_paid_on", sa.Date(), nullable=True),
        sa.Column("wish_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("done_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("our_mark_on", sa.Date(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error_kind", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("wished_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting', 'sending', 'confirmed', 'parked')", name=op.f("ck_delivery_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invoice_id"],
            ["invoice.tenant_id", "invoice.id"],
            name=op.f("fk_delivery_tenant_id_invoice_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_delivery_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("tenant_id", "invoice_id", name=op.f("uq_delivery_tenant_id_invoice_id")),
    )
    op.create_index(
        "ix_delivery_due",
        "delivery",
        ["next_try_at"],
        unique=False,
        postgresql_where="state IN ('waiting', 'sending')",
    )
    op.create_index(op.f("ix_delivery_tenant_id_state"), "delivery", ["tenant_id", "state"], unique=False)
    op.create_table(
        "exception_item",
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_key", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column(
            "ours", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column(
            "theirs", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("times_seen", sa.Integer(), server_default="1", nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=True),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "first_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "last_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by_id", sa.BigInteger(), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "cause IN ('bad_record', 'repeated_record', 'delivery_refused', 'delivery_parked', 'not_cleared', 'unpaid_in_autotask', 'paid_mark_changed', 'paid_twice', 'overpaid', 'voided_with_payments', 'currency_changed', 'currency_unknown', 'suspicious_read', 'match_none', 'match_several', 'pdf_unavailable', 'sync_failed')",
            name=op.f("ck_exception_item_cause_known"),
        ),
        sa.CheckConstraint("state IN ('open', 'resolved')", name=op.f("ck_exception_item_state_known")),
        sa.ForeignKeyConstraint(
            ["resolved_by_id"], ["app_user.id"], name=op.f("fk_exception_item_resolved_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invoice_id"],
            ["invoice.tenant_id", "invoice.id"],
            name=op.f("fk_exception_item_tenant_id_invoice_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"],
            ["sync_run.tenant_id", "sync_run.id"],
            name=op.f("fk_exception_item_tenant_id_run_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_exception_item_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_exception_item")),
    )
    op.create_index(
        op.f("ix_exception_item_tenant_id_invoice_id"),
        "exception_item",
        ["tenant_id", "invoice_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_exception_item_tenant_id_state_last_seen_at"),
        "exception_item",
        ["tenant_id", "state", "last_seen_at"],
        unique=False,
    )
    op.create_index(
        "uq_exception_item_open",
        "exception_item",
        ["tenant_id", "cause", "subject_type", "subject_key"],
        unique=True,
        postgresql_where="state = 'open'",
    )
    op.create_table(
        "invoice_line",
        sa.Column("integration_id", sa.BigInteger(), nullable=True),
        sa.Column("autotask_id", sa.BigInteger(), nullable=True),
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("rate", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("price_raw", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("tax_raw", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("total_raw", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("item_on", sa.Date(), nullable=True),
        sa.Column("item_type", sa.BigInteger(), nullable=True),
        sa.Column("sort_order", sa.BigInteger(), nullable=True),
        sa.Column("non_billable", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("autotask_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "price_raw BETWEEN -99999999999 AND 99999999999", name=op.f("ck_invoice_line_price_raw_bounded")
        ),
        sa.CheckConstraint(
            "quantity BETWEEN -99999999999 AND 99999999999", name=op.f("ck_invoice_line_quantity_bounded")
        ),
        sa.CheckConstraint(
            "rate BETWEEN -99999999999 AND 99999999999", name=op.f("ck_invoice_line_rate_bounded")
        ),
        sa.CheckConstraint(
            "tax_raw BETWEEN -99999999999 AND 99999999999", name=op.f("ck_invoice_line_tax_raw_bounded")
        ),
        sa.CheckConstraint(
            "total_raw BETWEEN -99999999999 AND 99999999999", name=op.f("ck_invoice_line_total_raw_bounded")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integration.tenant_id", "integration.id"],
            name=op.f("fk_invoice_line_tenant_id_integration_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invoice_id"],
            ["invoice.tenant_id", "invoice.id"],
            name=op.f("fk_invoice_line_tenant_id_invoice_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_invoice_line_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_invoice_line")),
        sa.UniqueConstraint(
            "tenant_id",
            "integration_id",
            "autotask_id",
            name=op.f("uq_invoice_line_tenant_id_integration_id_autotask_id"),
        ),
    )
    op.create_index(
        op.f("ix_invoice_line_tenant_id_invoice_id"),
        "invoice_line",
        ["tenant_id", "invoice_id"],
        unique=False,
    )
    op.create_table(
        "invoice_pdf",
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("size", sa.Integer(), nullable=True),
        sa.Column("storage_key", sa.Text(), nullable=True),
        sa.Column("wanted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting', 'here', 'unavailable')", name=op.f("ck_invoice_pdf_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invoice_id"],
            ["invoice.tenant_id", "invoice.id"],
            name=op.f("fk_invoice_pdf_tenant_id_invoice_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_invoice_pdf_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_invoice_pdf")),
        sa.UniqueConstraint("tenant_id", "invoice_id", name=op.f("uq_invoice_pdf_tenant_id_invoice_id")),
    )
    op.create_index(
        "ix_invoice_pdf_waiting",
        "invoice_pdf",
        ["tenant_id", "id"],
        unique=False,
        postgresql_where="state = 'waiting'",
    )
    op.create_table(
        "settlement",
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("settled_on", sa.Date(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "amount BETWEEN 0.0001 AND 99999999999", name=op.f("ck_settlement_amount_bounded")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invoice_id"],
            ["invoice.tenant_id", "invoice.id"],
            name=op.f("fk_settlement_tenant_id_invoice_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_settlement_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_settlement")),
    )
    op.create_index(
        "uq_settlement_live",
        "settlement",
        ["tenant_id", "invoice_id"],
        unique=True,
        postgresql_where="removed_at IS NULL",
    )
    op.create_table(
        "delivery_attempt",
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("wish_version", sa.Integer(), nullable=False),
        sa.Column("wish_paid_on", sa.Date(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("wrote", sa.Text(), nullable=True),
        sa.Column("seen_before", sa.Date(), nullable=True),
        sa.Column("seen_after", sa.Date(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("calls", sa.Integer(), server_default="0", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('started', 'confirmed', 'nothing_to_do', 'retry', 'unknown', 'refused', 'overtaken')",
            name=op.f("ck_delivery_attempt_outcome_known"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "delivery_id"],
            ["delivery.tenant_id", "delivery.id"],
            name=op.f("fk_delivery_attempt_tenant_id_delivery_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_delivery_attempt_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_delivery_attempt")),
    )
    op.create_index(
        op.f("ix_delivery_attempt_tenant_id_delivery_id"),
        "delivery_attempt",
        ["tenant_id", "delivery_id"],
        unique=False,
    )
    close_to_other_tenants()
    make_audit_append_only()


def close_to_other_tenants():
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_rows ON {table} USING ({OWN_ROWS}) WITH CHECK ({OWN_ROWS})")
    for table in SYSTEM_READ_TABLES:
        op.execute(
            f"CREATE POLICY system_reads ON {table} FOR SELECT"
            " USING (current_setting('app.scope', true) = 'system')"
        )


def make_audit_append_only():
    op.execute(
        """CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'The audit log is append-only.'; END $$"""
    )
    op.execute(
        """CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_event
        FOR EACH ROW EXECUTE FUNCTION refuse_change()"""
    )


def downgrade():
    op.execute("DROP FUNCTION refuse_change() CASCADE")
    op.drop_table("delivery_attempt")
    op.drop_table("settlement")
    op.drop_table("invoice_pdf")
    op.drop_table("invoice_line")
    op.drop_table("exception_item")
    op.drop_table("delivery")
    op.drop_table("credit_application")
    op.drop_table("allocation")
    op.drop_table("sync_change")
    op.drop_table("support_request")
    op.drop_table("payment")
    op.drop_table("invoice")
    op.drop_table("contact")
    op.drop_table("audit_event")
    op.drop_table("sync_schedule")
    op.drop_table("sync_run")
    op.drop_table("sync_cursor")
    op.drop_table("support_visit")
    op.drop_table("customer")
    op.drop_table("call_slot")
    op.drop_table("api_usage")
    op.drop_table("stored_file")
    op.drop_table("membership")
    op.drop_table("login_session")
    op.drop_table("integration")
    op.drop_table("idempotency_key")
    op.drop_table("api_key")
    op.drop_table("tenant")
    op.drop_table("app_user")
