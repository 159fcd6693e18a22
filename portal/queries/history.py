"""What happened to a record: what people did (audit events) and what syncs changed, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import and_, or_
from sqlalchemy.orm import joinedload

from portal.access.permissions import shown
from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import AuditEvent, SyncChange

MOST = 100
WORDS = {
    "payment.recorded": "Payment recorded",
    "payment.deleted": "Payment deleted",
    "credit.applied": "Credit applied",
    "credit.removed": "Credit taken back",
    "delivery.confirmed": "Confirmed in Autotask",
    "delivery.parked": "Delivery stuck",
    "delivery.retried": "Sent again",
    "file.downloaded": "File downloaded",
}


@dataclass(frozen=True)
class Entry:
    """One line of a history, ready for the page."""

    at: datetime
    what: str
    who: str
    on_behalf: str = ""
    details: Sequence[str] = field(default_factory=list)
    run_id: int | None = None


def of_invoice(invoice_id: int, payment_ids: Sequence[int]) -> list[Entry]:
    """Events of an invoice and its payments, and what syncs changed on it."""
    subjects = [("invoice", [invoice_id]), ("payment", list(payment_ids)), ("delivery", [invoice_id])]
    return _merged(_events(subjects), _changes("invoice", invoice_id))


def of_customer(customer_id: int) -> list[Entry]:
    """Events of a customer, and what syncs changed on it."""
    return _merged(_events([("customer", [customer_id])]), _changes("customer", customer_id))


def event_words(event: str) -> str:
    """`payment.recorded` as a person says it."""
    return WORDS.get(event) or event.replace("_", " ").replace(".", " ").capitalize()


def who(event: AuditEvent) -> tuple[str, str]:
    """The person at the keyboard, and the one on whose behalf (empty when the same)."""
    person = event.true_user or event.user
    name = person.label if person else _without_person(event)
    behalf = (
        event.user.label if event.user and event.true_user and event.user.id != event.true_user.id else ""
    )
    return name, behalf


def _without_person(event: AuditEvent) -> str:
    if event.source == "api":
        return f"API key {shown(event.details)['api_key']}" if "api_key" in event.details else "The API"
    return "An operator" if event.source == "command" else "The portal"


def _events(subjects: Sequence[tuple[str, Sequence[int]]]) -> list[Entry]:
    wanted = or_(
        *(
            and_(AuditEvent.subject_type == kind, AuditEvent.subject_id.in_(ids))
            for kind, ids in subjects
            if ids
        )
    )
    rows = db.session.scalars(
        scoped(AuditEvent)
        .where(wanted)
        .options(joinedload(AuditEvent.user), joinedload(AuditEvent.true_user))
        .order_by(AuditEvent.position.desc())
        .limit(MOST)
    )
    return [_from_event(row) for row in rows]


def _from_event(row: AuditEvent) -> Entry:
    name, behalf = who(row)
    details = row.details
    words = []
    if "amount" in details:
        words.append(f"{details['amount']} {details.get('currency', '')}".strip())
    if details.get("reason"):
        words.append(f"Reason: {details['reason']}")
    return Entry(row.at, event_words(row.event), name, behalf, words)


def _changes(kind: str, subject_id: int) -> list[Entry]:
    rows = db.session.scalars(
        scoped(SyncChange)
        .where(SyncChange.subject_type == kind, SyncChange.subject_id == subject_id)
        .order_by(SyncChange.id.desc())
        .limit(MOST)
    )
    by_run: dict[tuple[int, datetime], list[str]] = {}
    for row in rows:
        field_words = row.field.replace("_", " ")
        words = f"{field_words}: {row.old_value or '–'} → {row.new_value or '–'}"
        by_run.setdefault((row.run_id, row.at), []).append(words)
    return [
        Entry(at, "Changed by a sync", "Autotask", details=words, run_id=run_id)
        for (run_id, at), words in by_run.items()
    ]


def _merged(*lists: Sequence[Entry]) -> list[Entry]:
    entries = [entry for several in lists for entry in several]
    return sorted(entries, key=lambda entry: entry.at, reverse=True)[:MOST]
