"""What stands in the database agrees with itself: schedules, secrets, audit logs, sums. Read partner by partner."""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import select, text

from portal import clock
from portal.access import audit_chain, staff_log
from portal.access.tenancy import current_tenant_id, system_scope, tenant_scope
from portal.extensions import db
from portal.formatters import plural
from portal.ledger import kept_sums
from portal.models import SCHEDULED, Tenant, Upkeep
from portal.operating import sealed
from portal.operating.check import Finding, ok, worth_a_look, wrong

# Regular duties by name, and how often each is done.
DUTIES = {
    "schedules": timedelta(hours=1),
    "sums": timedelta(minutes=10),
    "retention": timedelta(days=1),
    "dropped files": timedelta(hours=1),
}
# Integrations whose schedule was begun and is not whole; one without any waits for its filters.
TORN = text("""
    SELECT count(*) FROM (
        SELECT s.tenant_id FROM sync_schedule s
        JOIN integration_status i ON i.tenant_id = s.tenant_id AND i.integration_id = s.integration_id
        WHERE i.state = 'connected' GROUP BY s.tenant_id, s.integration_id
        HAVING count(*) < :whole) torn""")
# What an invoice's row says of its money, against the rows that it follows from.
MISFITS = text("""
    WITH paid AS (
        SELECT a.invoice_id AS id, sum(a.amount) AS amount,
            coalesce(sum(a.amount) FILTER (WHERE p.pending), 0) AS pending FROM allocation a
        JOIN payment p ON p.tenant_id = a.tenant_id AND p.id = a.payment_id AND p.deleted_at IS NULL
        WHERE a.tenant_id = :partner GROUP BY a.invoice_id
    ), credited AS (
        SELECT invoice_id AS id, sum(amount) AS amount FROM credit_application
        WHERE tenant_id = :partner AND removed_at IS NULL GROUP BY invoice_id
    ), applied AS (
        SELECT credit_invoice_id AS id, sum(amount) AS amount FROM credit_application
        WHERE tenant_id = :partner AND removed_at IS NULL GROUP BY credit_invoice_id
    ), settled AS (
        SELECT invoice_id AS id, sum(amount) AS amount FROM settlement
        WHERE tenant_id = :partner AND removed_at IS NULL GROUP BY invoice_id
    )
    SELECT count(*) FROM invoice i
    LEFT JOIN paid USING (id) LEFT JOIN credited USING (id) LEFT JOIN applied USING (id) LEFT JOIN settled USING (id)
    WHERE i.tenant_id = :partner AND (i.paid_amount, i.pending_amount, i.credited_amount, i.applied_amount, i.settled_amount)
        IS DISTINCT FROM (coalesce(paid.amount, 0), coalesce(paid.pending, 0), coalesce(credited.amount, 0), coalesce(applied.amount, 0),
            coalesce(settled.amount, 0))""")
SPLIT_WRONGLY = text("""
    SELECT count(*) FROM payment p WHERE p.tenant_id = :partner AND (p.amount <> (
        SELECT coalesce(sum(a.amount), 0) FROM allocation a
        WHERE a.tenant_id = p.tenant_id AND a.payment_id = p.id)
        OR p.refunded_amount <> (SELECT coalesce(sum(e.amount), 0) FROM payment_event e
            WHERE e.tenant_id = p.tenant_id AND e.payment_id = p.id AND e.kind <> 'settled' AND NOT e.ends))""")
CALL_FOR_HELP = "Do not mend rows by hand: back up (flask backup FILE), keep the logs, and tell whoever maintains the portal."


def schedules() -> Finding:
    with system_scope():
        torn = db.session.scalar(TORN, {"whole": len(SCHEDULED)}) or 0
    if torn:
        return wrong(
            f"The schedules of {plural(torn, 'integration')} are not whole: some syncs are never due.",
            "A running poller completes them within the hour.",
            torn,
        )
    return ok("Every connected integration that has a schedule has all of it.")


def duties() -> Finding:
    done = {row.name: row.done_at for row in db.session.scalars(select(Upkeep))}
    late = [name for name, every in DUTIES.items() if name in done and done[name] < clock.now() - 2 * every]
    missing = [name for name in DUTIES if name not in done]
    if late:
        return wrong(
            f"Not done for more than twice their time: {', '.join(late)}.",
            "The poller does them: look at its log for upkeep and poller.failed.",
        )
    if missing:
        return worth_a_look(
            f"Never done so far: {', '.join(missing)}.", "A running poller does them within a minute."
        )
    return ok("Regular duties are done in their time.")


def secrets() -> Finding:
    found = sealed.figures()
    if found.lost:
        return wrong(
            f"{plural(found.lost, 'stored secret')} cannot be decrypted with ENCRYPTION_KEYS.",
            "Add the key that is missing to the end of ENCRYPTION_KEYS. If it is lost: partners connect Autotask again, "
            "people set up their second factor again.",
            found.lost,
        )
    if found.older:
        return worth_a_look(
            f"{plural(found.older, 'stored secret')} are sealed by an older key.",
            "Run flask keys seal-anew.",
            found.older,
        )
    return ok(f"{plural(found.newest, 'stored secret')}: all open, all by the first key.", found.newest)


def audit() -> Finding:
    """Every partner's chain and the staff's."""
    broken = _of_partners(lambda: audit_chain.verdict().broken_at is not None)
    staff = staff_log.verdict()
    if staff.broken_at is not None:
        return wrong(f"The log of staff does not fit at event {staff.broken_at}.", CALL_FOR_HELP)
    if broken:
        return wrong(
            f"The audit log does not fit of: {', '.join(broken)}.",
            f"flask partners verify-audit SLUG says where. {CALL_FOR_HELP}",
            len(broken),
        )
    if staff.unsigned:
        return worth_a_look(
            f"The log of staff fits; {staff_log.not_signed(staff.unsigned)}.",
            "Nothing while the release before still runs beside this one.",
            staff.unsigned,
        )
    return ok("Every audit log fits its chain and its signed head, the staff's too.")


def sums() -> Finding:
    def misfits() -> bool:
        values = {"partner": current_tenant_id()}
        return any(db.session.scalar(query, values) for query in (MISFITS, SPLIT_WRONGLY))

    broken = _of_partners(misfits)
    if broken:
        return wrong(
            f"What invoices say is paid is not the sum of their payments, credits and settlements at: {', '.join(broken)}.",
            CALL_FOR_HELP,
            len(broken),
        )
    if unkept := _of_partners(lambda: bool(kept_sums.differences())):
        return wrong(
            f"What lists and home add up is not the sum of their rows at: {', '.join(unkept)}.",
            "flask partners mend-sums SLUG puts it right, while everybody goes on writing; then tell whoever maintains "
            "the portal.",
            len(unkept),
        )
    return ok(
        "What invoices say is paid is the sum of their payments, credits and settlements, at every partner."
    )


def _of_partners(holds: Callable[[], bool]) -> list[str]:
    """The slugs of partners where it holds."""
    partners = db.session.execute(select(Tenant.id, Tenant.slug).order_by(Tenant.slug)).all()
    found = []
    for row in partners:
        with tenant_scope(row.id):
            if holds():
                found.append(row.slug)
            db.session.rollback()
    return found
