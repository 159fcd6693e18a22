"""Who did what: the partner's own log, with both people of every action, and support's visits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, joinedload

from portal import clock
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import AuditEvent, SupportRequest, SupportVisit
from portal.queries import cut, event_details, event_records, event_words, history, paging
from portal.queries.text import day

KINDS = {
    "payments": ("payment", "credit"),
    "records": ("invoice", "invoices", "customer", "customers", "exceptions"),
    "autotask": ("integration", "sync_run", "delivery", "filters"),
    "people": ("user", "membership", "support_visit", "api_key", "partner", "file"),
}
KEYS = (paging.Key(AuditEvent.position),)
VISIT_KEYS, REQUEST_KEYS = (paging.Key(SupportVisit.id),), (paging.Key(SupportRequest.id),)
VISITS_SHOWN = 3


@dataclass(frozen=True)
class Filter:
    """The filter in force; days are the partner's own."""

    zone: str
    kind: str = ""
    support_only: bool = False
    first: date | None = None
    last: date | None = None
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> dict[str, str]:
        return paging.kept(self.args, "kind", "who", "from", "to")


@dataclass(frozen=True)
class Entry:
    """One event, in words."""

    event: AuditEvent
    what: event_words.Pieces
    who: str
    on_behalf: str
    details: Sequence[str]

    @property
    def sentence(self) -> str:
        return "".join(piece.text for piece in self.what)


def filter_from(args: Mapping[str, str], zone: str) -> Filter:
    """The filter of an address; what cannot be read counts as not given."""
    return Filter(
        zone=zone,
        kind=args["kind"] if args.get("kind") in KINDS else "",
        support_only=args.get("who") == "support",
        first=day(args.get("from")),
        last=day(args.get("to")),
        args=args,
    )


def page(chosen: Filter) -> paging.Page:
    """One page of Entries, newest first."""
    found = paging.fetch(_narrowed(scoped(AuditEvent), chosen).options(*PEOPLE), KEYS, chosen.args)
    return paging.Page(entries(found.rows), found.newer, found.older)


def every(chosen: Filter) -> Select[Any]:
    """All events of the filter with their people, newest first: for the download."""
    statement: Select[Any] = _narrowed(scoped(AuditEvent), chosen).options(*PEOPLE)
    return statement.order_by(AuditEvent.position.desc())


def count(chosen: Filter) -> int:
    """How many events the filter holds."""
    return db.session.scalar(_narrowed(select(func.count()).select_from(AuditEvent), chosen)) or 0


def visits() -> cut.Some:
    """Support's latest visits, with both people, and how many there were."""
    return cut.first(_visits().order_by(SupportVisit.id.desc()), VISITS_SHOWN)


def page_of_visits(args: Mapping[str, str]) -> paging.Page:
    """One page of all visits, newest first."""
    return paging.fetch(_visits(), VISIT_KEYS, args)


def running_visits() -> Sequence[SupportVisit]:
    """Who of support is inside now, with both people."""
    inside = SupportVisit.ended_at.is_(None), SupportVisit.expires_at > clock.now()
    return db.session.scalars(_visits().where(*inside).order_by(SupportVisit.id)).all()


def requests_of(visit_id: int, args: Mapping[str, str]) -> paging.Page:
    """A page of what a visit looked at, in order."""
    mine = scoped(SupportRequest).where(SupportRequest.visit_id == visit_id)
    return paging.fetch(mine, REQUEST_KEYS, args, ascending=True)


def _visits() -> Any:
    people = (joinedload(SupportVisit.staff), joinedload(SupportVisit.as_user))
    return scoped(SupportVisit).options(*people)


def entry(row: AuditEvent, records: event_records.Records) -> Entry:
    """The event as a person reads it."""
    name, behalf = history.who(row)
    return Entry(row, event_words.pieces(row, records), name, behalf, event_details.lines(row, records))


def entries(rows: Sequence[AuditEvent]) -> list[Entry]:
    """Several events, the records that they name found together."""
    return entries_in(db.session(), rows)


def entries_in(session: Session, rows: Sequence[AuditEvent]) -> list[Entry]:
    """The same, found in this session."""
    records = event_records.of(rows, session)
    return [entry(row, records) for row in rows]


PEOPLE = (joinedload(AuditEvent.user), joinedload(AuditEvent.true_user))


def _narrowed(statement: Select[Any], chosen: Filter) -> Any:
    statement = statement.where(AuditEvent.tenant_id == current_tenant_id())
    if chosen.kind:
        statement = statement.where(func.split_part(AuditEvent.event, ".", 1).in_(KINDS[chosen.kind]))
    if chosen.support_only:
        statement = statement.where(AuditEvent.visit_id.is_not(None))
    if chosen.first:
        statement = statement.where(AuditEvent.at >= _midnight(chosen.first, chosen.zone))
    if chosen.last:
        statement = statement.where(AuditEvent.at < _midnight(chosen.last + timedelta(days=1), chosen.zone))
    return statement


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
