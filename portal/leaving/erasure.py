"""What is not needed for the books of a partner that has left is erased, in steps that can be broken off and run again.

Books must be kept for years, here and by the partner: what stays is said in STAYS, and by the command.
"""

import secrets
from collections.abc import Callable

from sqlalchemy import select, text, update

from portal import connect, storage
from portal.access import passwords, staff_log
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id, people_scope, system_scope, tenant_scope
from portal.extensions import db, rows_written
from portal.models import Membership, Tenant

BATCH = 500
STAYS = (
    (
        "Invoices with their lines and PDFs, payments, allocations, credits, settlements and what Autotask was told: they are "
        "the books."
    ),
    "The names of customers on those invoices, without their addresses and telephone numbers.",
    "The partner's own name and settings, without its logo.",
    "The visits of support: who of staff was inside, as whom, when and for which reason.",
    "The audit logs, which cannot be changed: who did what, with the e-mail addresses that stood in an event.",
    "Backups that were made before: delete them when their time is over.",
)
# In the order of their keys: who names another goes first.
EMPTIED = (
    "webhook_message", "event", "webhook_secret", "webhook_endpoint",
    "import_file_row", "import_file_record", "import_file", "import_columns", "import_row", "import_run", "support_request", "exception_item", "sync_change", "sync_run", "sync_schedule", "sync_cursor", "read_range",
    "api_usage", "call_slot", "contact", "customer_past", "notice_choice", "notice", "invitation", "idempotency_key",
    "mail_secret", "mail",
)  # fmt: skip
KEYS = {"mail_secret": "mail_id"}
CLEARED = (
    "UPDATE customer SET phone = '', address = '' WHERE tenant_id = :partner AND (phone <> '' OR address <> '')",
    (
        "UPDATE integration SET username = '', email = '', secret = '', state = 'disconnected' WHERE tenant_id = :partner"
        " AND (username <> '' OR email <> '' OR secret <> '')"
    ),
    (
        "UPDATE api_key SET name = 'erased', revoked_at = coalesce(revoked_at, now()) WHERE tenant_id = :partner"
        " AND name <> 'erased'"
    ),
)
PEOPLE = text(
    "SELECT user_id FROM membership WHERE tenant_id = :partner"
    " UNION SELECT user_id FROM past_member WHERE tenant_id = :partner"
)
# In the order of their keys, too. Of a request, whoever agreed to it goes first.
OF_A_PERSON = ("factor_reset", "factor", "recovery_code", "security_event", "login_link", "login_session")
AGREEMENTS = "DELETE FROM factor_reset_agreement WHERE reset_id IN (SELECT id FROM factor_reset WHERE user_id = :person)"


class CannotErase(ValueError):
    """Nothing was erased; the message says why, and what to do."""


def erase(actor: Actor, tenant: Tenant, tell: Callable[[str, int], None]) -> None:
    """`tell` hears of each table and how many rows went. Commits step by step. Raises CannotErase, StorageFailed.

    Staff's log has its begin and its end: what is broken off leaves a trace.
    """
    with tenant_scope(tenant.id):
        _refuse(tenant)
        people = list(db.session.scalars(PEOPLE, {"partner": tenant.id}))
        db.session.commit()
    staff_log.record(actor, "partner.erasing", partner_id=tenant.id)
    db.session.commit()
    for user_id in people:
        _let_go(tenant.id, user_id)
    tell("app_user", len(people))
    with tenant_scope(tenant.id):
        for table in EMPTIED:
            tell(table, _empty(table))
        for statement in CLEARED:
            changed = rows_written(text(statement), {"partner": tenant.id})
            db.session.commit()
            tell(statement.split()[1], changed)
        tell("logo", _take_logo_away())
    staff_log.record(actor, "partner.erased", partner_id=tenant.id)
    db.session.commit()


def _refuse(tenant: Tenant) -> None:
    if tenant.disabled_at is None:
        raise CannotErase(
            f"{tenant.slug} is open. Disable it first: flask partners disable {tenant.slug} --reason …."
        )
    if owed := connect.owed_deliveries():
        raise CannotErase(
            f"Autotask is owed {owed} deliveries of {tenant.slug}. Enable it and let them go out, or close them by hand; "
            "after erasing nobody can any more."
        )


def _empty(table: str) -> int:
    """Batch by batch, oldest first."""
    key, gone = KEYS.get(table, "id"), 0
    statement = text(
        f"DELETE FROM {table} WHERE tenant_id = :partner AND {key} IN"
        f" (SELECT {key} FROM {table} WHERE tenant_id = :partner ORDER BY {key} LIMIT {BATCH})"
    )
    while written := rows_written(statement, {"partner": current_tenant_id()}):
        db.session.commit()
        gone += written
    db.session.commit()
    return gone


def _take_logo_away() -> int:
    """The file first: broken off between the two, the next run finds it by its key."""
    here = Tenant.id == current_tenant_id()
    key = db.session.scalar(select(Tenant.logo_key).where(here))
    db.session.commit()  # the storage may take longer than a transaction may idle
    if key:
        storage.remove(current_tenant_id(), key)
        db.session.execute(update(Tenant).where(here).values(logo_key=""))
        db.session.commit()
    return int(bool(key))


def _let_go(tenant_id: int, user_id: int) -> None:
    """Who belongs to no other partner cannot log in any more and keeps no name; then the membership goes."""
    with system_scope():
        elsewhere = db.session.scalar(
            select(Membership.id)
            .where(Membership.user_id == user_id, Membership.tenant_id != tenant_id)
            .limit(1)
        )
        db.session.rollback()
    if elsewhere is None:
        with people_scope():
            _forget(user_id)
            db.session.commit()
    with tenant_scope(tenant_id):
        for table in ("membership", "past_member"):
            gone = text(f"DELETE FROM {table} WHERE tenant_id = :partner AND user_id = :person")
            db.session.execute(gone, {"partner": tenant_id, "person": user_id})
        db.session.commit()


def _forget(user_id: int) -> None:
    of = {"person": user_id}
    db.session.execute(text(AGREEMENTS), of)
    for table in OF_A_PERSON:
        db.session.execute(text(f"DELETE FROM {table} WHERE user_id = :person"), of)
    db.session.execute(text("DELETE FROM mail WHERE user_id = :person AND tenant_id IS NULL"), of)
    db.session.execute(
        text(
            "UPDATE app_user SET name = '', email = 'erased-' || id || '@erased.invalid', password_hash = :nobody_knows,"
            " second_factor_at = NULL, refused_codes = '{}', disabled_at = coalesce(disabled_at, now()) WHERE id = :person"
        ),
        of | {"nobody_knows": passwords.hashed_code(secrets.token_urlsafe(32))},
    )
