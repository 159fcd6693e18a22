"""What happened to a record: what people did (audit events), and what syncs and imports changed, newest first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, literal, or_, select, tuple_, union_all
from sqlalchemy.orm import joinedload

from portal import formatters
from portal.access.permissions import shown
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import AuditEvent, ImportResult, ImportRow, ImportRun, SyncChange
from portal.queries import cut, imports, paging, sync_changes

MOST = 100
EVENT, CHANGE, IMPORT = 0, 1, 2
WORDS = {
    "payment.recorded": "Payment recorded",
    "payment.deleted": "Payment deleted",
    "payment.settled": "Payment arrived",
    "payment.failed": "Payment failed",
    "payment.refunded": "Payment refunded",
    "payment.charged_back": "Payment charged back",
    "credit.applied": "Credit applied",
    "credit.removed": "Credit taken back",
    "delivery.confirmed": "Confirmed in Autotask",
    "delivery.parked": "Delivery stuck",
    "delivery.retried": "Sent again",
    "invoice.matched": "Matched by hand to one in Autotask",
    "invoice.match_taken_back": "Match by hand taken back",
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
    import_id: int | None = None


@dataclass(frozen=True)
class About:
    """Whose history: the record that syncs change, and all that people's events can be about."""

    kind: str
    subject_id: int
    subjects: Sequence[tuple[str, Sequence[int]]]


def of_invoice(invoice_id: int, payment_ids: Sequence[int], delivery_ids: Sequence[int]) -> About:
    """An invoice with its payments and its delivery."""
    subjects = [("invoice", [invoice_id]), ("payment", payment_ids), ("delivery", delivery_ids)]
    return About("invoice", invoice_id, subjects)


def of_customer(customer_id: int) -> About:
    return About("customer", customer_id, [("customer", [customer_id])])


def latest(about: About) -> cut.Some:
    """The newest Entries, and how many there are."""
    lines = _lines(about)
    found = cut.first(select(lines).order_by(lines.c.at.desc(), lines.c.kind.desc(), lines.c.id.desc()), MOST)
    return cut.Some(_entries(about, found.rows), found.total)


def page(about: About, args: Mapping[str, str]) -> paging.Page:
    """One page of all Entries, newest first."""
    lines = _lines(about)
    keys = (paging.Key(lines.c.at, paging.as_instant), paging.Key(lines.c.kind), paging.Key(lines.c.id))
    found = paging.fetch(select(lines), keys, args)
    return paging.Page(_entries(about, found.rows), found.newer, found.older)


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


def _lines(about: About) -> Any:
    """One row for each line of the history: an event, or all that one sync or import changed at one moment."""
    wanted = or_(
        *(
            and_(AuditEvent.subject_type == kind, AuditEvent.subject_id.in_(ids))
            for kind, ids in about.subjects
            if ids
        )
    )
    events = select(
        AuditEvent.at.label("at"),
        literal(EVENT).label("kind"),
        AuditEvent.position.label("id"),
        literal(0).label("run_id"),
    ).where(AuditEvent.tenant_id == current_tenant_id(), wanted)
    changes = (
        select(SyncChange.at, literal(CHANGE), func.max(SyncChange.id), SyncChange.run_id)
        .where(*_changed(about))
        .group_by(SyncChange.run_id, SyncChange.at)
    )
    brought = imports.of_record(about.kind, about.subject_id).with_only_columns(
        ImportRun.created_at, literal(IMPORT), ImportRow.id, ImportRow.run_id
    )
    return union_all(events, changes, brought).subquery("line")


def _changed(about: About) -> list[Any]:
    return [
        SyncChange.tenant_id == current_tenant_id(),
        SyncChange.subject_type == about.kind,
        SyncChange.subject_id == about.subject_id,
    ]


def _entries(about: About, lines: Sequence[Any]) -> list[Entry]:
    changes = _changes(about, [(line.run_id, line.at) for line in lines if line.kind == CHANGE])
    found = {
        EVENT: _events([line.id for line in lines if line.kind == EVENT]),
        IMPORT: _imported([line.id for line in lines if line.kind == IMPORT]),
    }
    return [
        changes[line.run_id, line.at] if line.kind == CHANGE else found[line.kind][line.id] for line in lines
    ]


def _imported(row_ids: Sequence[int]) -> dict[int, Entry]:
    return {
        one.row.id: Entry(
            batch.run.created_at,
            "Made by an import" if one.row.result == ImportResult.CREATED else "Changed by an import",
            batch.sender,
            details=[f"{name}: {old} → {new}" for name, old, new in one.lines],
            import_id=batch.run.id,
        )
        for batch, one in (imports.told(row_ids) if row_ids else [])
    }


def _events(positions: Sequence[int]) -> dict[int, Entry]:
    if not positions:
        return {}
    rows = db.session.scalars(
        scoped(AuditEvent)
        .where(AuditEvent.position.in_(positions))
        .options(joinedload(AuditEvent.user), joinedload(AuditEvent.true_user))
    )
    return {row.position: _from_event(row) for row in rows}


def _from_event(row: AuditEvent) -> Entry:
    name, behalf = who(row)
    details = row.details
    words = []
    if "amount" in details:
        words.append(f"{formatters.kept(details['amount'])} {details.get('currency', '')}".strip())
    if details.get("reason"):
        words.append(f"Reason: {details['reason']}")
    return Entry(row.at, event_words(row.event), name, behalf, words)


def _changes(about: About, moments: Sequence[tuple[int, datetime]]) -> dict[tuple[int, datetime], Entry]:
    if not moments:
        return {}
    rows = db.session.scalars(
        select(SyncChange)
        .where(*_changed(about), tuple_(SyncChange.run_id, SyncChange.at).in_(moments))
        .order_by(SyncChange.id)
    )
    told: dict[tuple[int, datetime], list[str]] = {}
    for row in rows:
        field_words = row.field.replace("_", " ")
        before, after = (sync_changes.told(row.field, value) for value in (row.old_value, row.new_value))
        words = f"{field_words}: {before} → {after}"
        told.setdefault((row.run_id, row.at), []).append(words)
    return {
        (run_id, at): Entry(at, "Changed by a sync", "Autotask", details=words, run_id=run_id)
        for (run_id, at), words in told.items()
    }
