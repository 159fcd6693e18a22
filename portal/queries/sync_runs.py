"""Sync runs as pages show them: the list, one run with its counts, changes and people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, case, func, not_, or_, select, tuple_
from sqlalchemy.orm import Session, joinedload

from portal import clock
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import (
    LEFT,
    LINE_REMOVED,
    NOT_TAKEN_IN,
    Customer,
    ExceptionItem,
    ExceptionState,
    Invoice,
    RunState,
    SyncChange,
    SyncKind,
    SyncRun,
    SyncTrigger,
    User,
)
from portal.queries import paging
from portal.queries.text import cleaned, containing
from portal.sync import counts, record_kinds, runs

KINDS = runs.KINDS
TRIGGERS = {
    SyncTrigger.CONNECT: "After connecting",
    SyncTrigger.SCHEDULE: "By the schedule",
    SyncTrigger.BUTTON: "By a button",
    SyncTrigger.RETRY: "Retry",
    SyncTrigger.COMMAND: "By an operator",
}
ITEMS = {kind.counted: kind.many for kind in record_kinds.ALL} | {counts.PDFS: "PDF invoices"}
SUBJECTS = {kind.subject: kind.one for kind in record_kinds.ALL} | {"pdf": "PDF of invoice"}
SUBJECT_OF = {kind.counted: kind.subject for kind in record_kinds.ALL} | {counts.PDFS: "pdf"}
# Which rows a number of a run counts; the names of the numbers themselves.
WHAT = {
    "changed": "Changed",
    "removed": "Removed",
    "failed": "Failed",
}
CHANGES_SHOWN = 200
LEAST_FOR_ESTIMATE = 5.0
KEYS = (paging.Key(SyncRun.id),)


@dataclass(frozen=True)
class Filter:
    kind: str = ""
    state: str = ""
    words: str = ""
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> dict[str, str]:
        return paging.kept(self.args, "q", "kind", "state")


@dataclass(frozen=True)
class Row:
    """What a person reads of one item's counts."""

    item: str
    words: str
    numbers: Mapping[str, int]
    because: Mapping[str, int]


@dataclass(frozen=True)
class Detail:
    """One run with all that its page shows."""

    run: SyncRun
    rows: Sequence[Row]
    changes: Sequence[SyncChange]
    changed_fields: int
    exceptions: Sequence[ExceptionItem]
    now: datetime

    @property
    def took(self) -> timedelta | None:
        if self.run.started_at is None:
            return None
        return (self.run.finished_at or self.now) - self.run.started_at

    @property
    def left(self) -> timedelta | None:
        """How long it will still take, told from what is done, once enough is."""
        done, total, took = self.run.progress_done, self.run.progress_total, self.took
        if not total or not done or took is None or took.total_seconds() < LEAST_FOR_ESTIMATE:
            return None
        return took * max(total - done, 0) / done

    @property
    def sums(self) -> Mapping[str, int]:
        return {name: sum(row.numbers.get(name, 0) for row in self.rows) for name in counts.NUMBERS}


def filter_from(args: Mapping[str, str]) -> Filter:
    """The filter of an address; unknown words count as not given."""
    return Filter(
        kind=args["kind"] if args.get("kind") in set(SyncKind) else "",
        state=args["state"] if args.get("state") in set(RunState) else "",
        words=cleaned(args.get("q")),
        args=args,
    )


def page(chosen: Filter) -> paging.Page:
    """Runs, newest first. Words look into who started it, what it changed, and why it failed."""
    statement = (
        select(SyncRun).where(SyncRun.tenant_id == current_tenant_id()).options(joinedload(SyncRun.user))
    )
    if chosen.kind:
        statement = statement.where(SyncRun.kind == chosen.kind)
    if chosen.state:
        statement = statement.where(SyncRun.state == chosen.state)
    if chosen.words:
        statement = statement.where(_mentions(chosen.words))
    return paging.fetch(statement, KEYS, chosen.args)


def _mentions(words: str) -> Any:
    pattern = containing(words)
    changed = select(SyncChange.run_id).where(
        SyncChange.tenant_id == current_tenant_id(),
        or_(SyncChange.label.ilike(pattern), SyncChange.field.ilike(pattern)),
    )
    by = select(User.id).where(or_(User.name.ilike(pattern), User.email.ilike(pattern)))
    found: list[Any] = [SyncRun.error.ilike(pattern), SyncRun.user_id.in_(by), SyncRun.id.in_(changed)]
    if words.isdigit() and len(words) < 19:
        found.append(SyncRun.id == int(words))
    return or_(*found)


def detail(run: SyncRun) -> Detail:
    """All that one run's page shows."""
    newest = _changes(run.id).order_by(SyncChange.id.desc()).limit(CHANGES_SHOWN)
    changes = list(db.session.scalars(newest))
    return Detail(
        run=run,
        rows=rows_of(run),
        changes=with_names(db.session(), changes),
        changed_fields=_count_changes(run.id),
        exceptions=_exceptions(run.id),
        now=clock.now(),
    )


def rows_of(run: SyncRun) -> list[Row]:
    """Items in their order; those that the run has not looked at are left out."""
    found = []
    for item, words in ITEMS.items():
        held = run.items.get(item, {})
        numbers = {name: held.get(name, 0) for name in (*counts.NUMBERS, "removed")}
        if any(numbers.values()):
            found.append(Row(item, words, numbers, held.get("skipped_because", {})))
    return found


def detail_sums(run: SyncRun) -> Mapping[str, int]:
    """The run's numbers over all items, for a list."""
    return {name: sum(held.get(name, 0) for held in run.items.values()) for name in counts.NUMBERS}


def _changes(run_id: int) -> Any:
    return scoped(SyncChange).where(SyncChange.run_id == run_id)


def _count_changes(run_id: int) -> int:
    query = select(func.count()).select_from(SyncChange)
    return (
        db.session.scalar(
            query.where(SyncChange.tenant_id == current_tenant_id(), SyncChange.run_id == run_id)
        )
        or 0
    )


@dataclass(frozen=True)
class Changes:
    """Which records of a run are listed: those of one number, of one item or of all; or all that it tells of."""

    what: str = ""
    item: str = ""
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> dict[str, str]:
        return paging.kept(self.args, "what", "item")


@dataclass(frozen=True)
class Record:
    """One record of a run with all its fields that the run tells of."""

    fields: Sequence[SyncChange]

    @property
    def first(self) -> SyncChange:
        return self.fields[0]


def changes_from(args: Mapping[str, str]) -> Changes:
    """What an address asks for; unknown words count as not given."""
    what, item = args.get("what", ""), args.get("item", "")
    return Changes(what if what in WHAT else "", item if item in ITEMS else "", args)


def records(run_id: int, chosen: Changes) -> paging.Page:
    """One page of Records: as many over all pages as the number says that leads here."""
    own = case((SyncChange.subject_id == 0, SyncChange.id), else_=0)  # what is not here is told row by row
    names = (SyncChange.subject_type, SyncChange.subject_id, own.label("own"))
    groups = (
        select(*names, func.max(SyncChange.id).label("last"))
        .where(*_told(run_id, chosen))
        .group_by(*names)
        .subquery()
    )
    found = paging.fetch(select(groups), (paging.Key(groups.c.last),), chosen.args)
    wanted = [(row.subject_type, row.subject_id, row.own) for row in found.rows]
    rows = db.session.scalars(
        select(SyncChange)
        .where(
            *_told(run_id, chosen), tuple_(SyncChange.subject_type, SyncChange.subject_id, own).in_(wanted)
        )
        .order_by(SyncChange.id)
    ).all()
    fields: dict[tuple[str, int, int], list[SyncChange]] = {key: [] for key in wanted}
    for row in with_names(db.session(), rows):
        fields[row.subject_type, row.subject_id, 0 if row.subject_id else row.id].append(row)
    return paging.Page([Record(fields[key]) for key in wanted], found.newer, found.older)


def _told(run_id: int, chosen: Changes) -> list[Any]:
    """The rows of one number: failures, removals, or changes of records that stay."""
    failed, removed = SyncChange.field == NOT_TAKEN_IN, SyncChange.field == LINE_REMOVED
    left = SyncChange.field.in_(LEFT) & (SyncChange.new_value == "yes")
    which = {"failed": [failed], "removed": [removed], "changed": [not_(failed), not_(removed), not_(left)]}
    mine = [SyncChange.tenant_id == current_tenant_id(), SyncChange.run_id == run_id]
    of_item = [SyncChange.subject_type == SUBJECT_OF[chosen.item]] if chosen.item else []
    return [*mine, *which.get(chosen.what, []), *of_item]


def every_change(run_id: int) -> Select[Any]:
    """All changes of a run for a file, oldest first."""
    statement: Select[Any] = _changes(run_id).order_by(SyncChange.id)
    return statement


def with_names(session: Session, changes: Sequence[SyncChange]) -> Sequence[SyncChange]:
    """Customers of moved invoices and contacts, and invoices of moved lines, by name instead of by id."""
    for field_name, model, column in (
        ("Customer", Customer, Customer.name),
        ("Invoice", Invoice, Invoice.number),
    ):
        moved = [change for change in changes if change.field == field_name]
        ids = {int(value) for change in moved for value in (change.old_value, change.new_value) if value}
        if not ids:
            continue
        mine = (model.tenant_id == changes[0].tenant_id, model.id.in_(ids))
        names = dict(session.execute(select(model.id, column).where(*mine)).all())
        for change in moved:
            session.expunge(change)
            change.old_value = names.get(int(change.old_value or 0))
            change.new_value = names.get(int(change.new_value or 0))
    return changes


def _exceptions(run_id: int) -> list[ExceptionItem]:
    return list(
        db.session.scalars(
            scoped(ExceptionItem)
            .where(ExceptionItem.run_id == run_id, ExceptionItem.state == ExceptionState.OPEN)
            .order_by(ExceptionItem.id.desc())
            .limit(50)
        )
    )
