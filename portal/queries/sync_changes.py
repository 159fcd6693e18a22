"""What sync runs changed, record by record, as pages and files show it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, case, func, not_, select, tuple_
from sqlalchemy.orm import Session

from portal import formatters
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import (
    LEFT,
    LINE_REMOVED,
    NOT_TAKEN_IN,
    Customer,
    Invoice,
    SyncChange,
)
from portal.queries import paging
from portal.sync import counts, record_kinds, tables

ITEMS = {kind.counted: kind.many for kind in record_kinds.ALL} | {counts.PDFS: "PDF invoices"}
SUBJECTS = {kind.subject: kind.one for kind in record_kinds.ALL} | {"pdf": "PDF of invoice"}
SUBJECT_OF = {kind.counted: kind.subject for kind in record_kinds.ALL} | {counts.PDFS: "pdf"}
# Which rows a number of a run counts; the names of the numbers themselves.
WHAT = {
    "changed": "Changed",
    "removed": "Removed",
    "failed": "Failed",
}
DAYS_AND_AMOUNTS = {"Outstanding"} | {
    column.words
    for table in (tables.INVOICE, tables.LINE)
    for column in table.columns.values()
    if column.type in (tables.DAY, tables.MONEY)
}
MEANINGS = {
    "failed": "What this sync could not take in, and why. It is tried again by itself; what stays wrong is "
    "among the exceptions.",
    "removed": "What this sync took out, because Autotask no longer has it.",
}


def told(field_name: str, value: str | None) -> str:
    """A value as pages show it: days and amounts as the partner writes them, other text as it is."""
    if value is None or value == "":
        return formatters.NOTHING
    return formatters.kept(value) if field_name in DAYS_AND_AMOUNTS else value


def of_run(run_id: int) -> Any:
    return scoped(SyncChange).where(SyncChange.run_id == run_id)


@dataclass(frozen=True)
class Changes:
    """Which records of a run are listed: those of one number, of one item or of all; or all that it tells of."""

    what: str = ""
    item: str = ""
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> dict[str, str]:
        return paging.kept(self.args, "what", "item")

    @property
    def title(self) -> str:
        """`Changed invoices`, `All records`."""
        item = ITEMS.get(self.item, "records")
        return f"{WHAT.get(self.what, 'All')} {item if self.item == counts.PDFS else item.lower()}"

    @property
    def in_words(self) -> str:
        return MEANINGS.get(
            self.what, "What this sync changed here, field by field, as Autotask had it then."
        )


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
    """The rows of one number: failures, removals, or changes of records, those that left the filters too."""
    failed, removed = SyncChange.field == NOT_TAKEN_IN, SyncChange.field == LINE_REMOVED
    missing = (SyncChange.field == LEFT[1]) & (SyncChange.new_value == "yes")
    which = {
        "failed": [failed],
        "removed": [removed],
        "changed": [not_(failed), not_(removed), not_(missing)],
    }
    mine = [SyncChange.tenant_id == current_tenant_id(), SyncChange.run_id == run_id]
    of_item = [SyncChange.subject_type == SUBJECT_OF[chosen.item]] if chosen.item else []
    return [*mine, *which.get(chosen.what, []), *of_item]


def every_change(run_id: int) -> Select[Any]:
    """All changes of a run for a file, oldest first."""
    statement: Select[Any] = of_run(run_id).order_by(SyncChange.id)
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
