"""Support came in, told as the visit begins; and what it opened and changed, once it is over, whichever way it ended."""

from datetime import datetime

from sqlalchemy import func, select, text

from portal import clock, formatters
from portal.access.tenancy import current_tenant_id, find_or_404, scoped, system_scope, tenant_scope
from portal.extensions import db
from portal.models import (
    AuditEvent,
    MailKind,
    Notice,
    NoticeKind,
    SupportRequest,
    SupportVisit,
    Tenant,
    VisitMode,
)
from portal.notices import telling
from portal.notices.telling import Words
from portal.queries import event_records, event_words, page_names

TO_TELL = """
    SELECT v.tenant_id, v.id FROM support_visit v
    LEFT JOIN notice_standing n ON n.tenant_id = v.tenant_id AND n.kind = 'support' AND n.cause = 'visit/' || v.id
    WHERE v.started_at > now() - interval '1 day' AND (n.id IS NULL OR (n.ended_at IS NULL
        AND (v.ended_at IS NOT NULL OR v.expires_at <= now())))
    ORDER BY v.id"""
MODES = {
    VisitMode.VIEW: "They can look at everything and change nothing.",
    VisitMode.ACT: "They can work in this person's name, as you agreed.",
}
HOW = {VisitMode.VIEW: "to look", VisitMode.ACT: "to act"}
MOST_PAGES = 20
# Written for every visit; they are no changes.
NOT_A_CHANGE = ("support_visit.started", "support_visit.stopped", "support_visit.ended", "export.sent")


def to_tell() -> list[tuple[int, int]]:
    """(tenant id, visit id) of visits whose beginning or end nobody was told."""
    with system_scope():
        found = [(row.tenant_id, row.id) for row in db.session.execute(text(TO_TELL))]
        db.session.commit()
    return found


def tell_now(visit: SupportVisit) -> None:
    """In the transaction that began or ended it, in any scope. The caller commits."""
    db.session.flush()
    with tenant_scope(visit.tenant_id):
        partner = db.session.get_one(Tenant, visit.tenant_id)
        with formatters.written_for(partner):
            tell(visit.id, partner)


def tell(visit_id: int, partner: Tenant) -> None:
    """Inside the partner. The caller commits; safe to run twice."""
    visit = find_or_404(SupportVisit, visit_id)
    db.session.refresh(visit)
    cause, path = f"visit/{visit.id}", _path(visit, partner)
    telling.tell(NoticeKind.SUPPORT, cause, _began(visit, path), at=visit.started_at)
    if visit.ended_at is None and visit.expires_at > clock.now():
        return
    notice = db.session.scalars(
        scoped(Notice).where(Notice.kind == NoticeKind.SUPPORT, Notice.cause == cause)
    ).one()
    telling.end(notice, _ended(visit, path), at=_left_at(visit))


def _path(visit: SupportVisit, partner: Tenant) -> str:
    return telling.page("activity.visit", partner_slug=partner.slug, visit_id=visit.id)


def _began(visit: SupportVisit, path: str) -> Words:
    values = {
        "staff": visit.staff.label,
        "reason": visit.reason,
        "ticket": visit.ticket,
        "person": visit.as_user.label,
        "mode": MODES[visit.mode],
        "at": visit.started_at,
        "until": visit.expires_at,
    }
    at, who = formatters.clock_time(visit.started_at), f"{visit.staff.label}, as {visit.as_user.label}"
    said = f"Support came in {HOW[visit.mode]} at {at}: {who}. Why: {visit.reason}"
    return Words(said, path, MailKind.SUPPORT_STARTED, values)


def _left_at(visit: SupportVisit) -> datetime:
    return min(visit.ended_at or visit.expires_at, visit.expires_at)


def _ended(visit: SupportVisit, path: str) -> Words:
    opened, changed = _opened(visit), _changed(visit)
    did = f"{formatters.plural(len(opened), 'page')} opened, {_changes_in_words(changed)}"
    values = {
        "staff": visit.staff.label,
        "at": visit.started_at,
        "person": visit.as_user.label,
        "ended": _left_at(visit),
        "opened": [*opened[:MOST_PAGES], *_more(opened)] or ["nothing"],
        "changed": [*changed[:MOST_PAGES], *_more(changed)] or ["nothing"],
    }
    said = f"Support left at {formatters.clock_time(_left_at(visit))}: {visit.staff.label}. {did}."
    return Words(said, path, MailKind.SUPPORT_ENDED, values)


def _changes_in_words(changed: list[str]) -> str:
    if len(changed) == 1:
        return f"one change: {changed[0]}"
    return f"{formatters.plural(len(changed), 'change')} made" if changed else "nothing changed"


def _opened(visit: SupportVisit) -> list[str]:
    """The different pages, in the order in which they were first asked for, without what follows a question mark."""
    path = func.split_part(SupportRequest.path, "?", 1)
    query = (
        select(path)
        .where(
            SupportRequest.tenant_id == current_tenant_id(),
            SupportRequest.visit_id == visit.id,
            SupportRequest.method == "GET",
        )
        .group_by(path)
        .order_by(func.min(SupportRequest.id))
    )
    return [f"{page_names.name('GET', one)} ({one})" for one in db.session.scalars(query)]


def _changed(visit: SupportVisit) -> list[str]:
    """What Activity says of it, in the order in which it was done."""
    query = scoped(AuditEvent).where(AuditEvent.visit_id == visit.id, AuditEvent.event.not_in(NOT_A_CHANGE))
    events = db.session.scalars(query.order_by(AuditEvent.position)).all()
    records = event_records.of(events, db.session())
    return ["".join(piece.text for piece in event_words.pieces(event, records)) for event in events]


def _more(found: list[str]) -> list[str]:
    return [f"and {len(found) - MOST_PAGES:,} more"] if len(found) > MOST_PAGES else []
