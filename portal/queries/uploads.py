"""Uploaded files as pages show them: what taking them in will do or did, in counts and money."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, func, or_, select

from portal import formatters
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import (
    FileState,
    ImportFile,
    ImportFileRecord,
    ImportFileRow,
    ImportKind,
    ImportResult,
    User,
)
from portal.payments import written_days
from portal.queries import import_words, imports, paging
from portal.queries.text import cleaned, containing
from portal.uploads import staging, written
from portal.uploads.choice import from_kept

WORKING = {
    FileState.ARRIVING: "Reading the file",
    FileState.CHECKING: "Looking at the records",
    FileState.TAKING: "Taking them in",
    FileState.UNDOING: "Undoing",
}
IN_HAND = (
    FileState.ARRIVING,
    FileState.REFUSED,
    FileState.STAGED,
    FileState.CHECKING,
    FileState.CHECKED,
    FileState.TAKING,
)
STATES = {
    FileState.ARRIVING: "Being read",
    FileState.REFUSED: "Cannot be read",
    FileState.STAGED: "Its columns are to be chosen",
    FileState.CHECKING: "Being looked at",
    FileState.CHECKED: "To be taken in",
    FileState.TAKING: "Being taken in",
}


@dataclass(frozen=True)
class Tally:
    """How many records of a file have one result; `sums` are (currency, amount, amount before)."""

    result: str
    word: str
    count: int
    sums: Sequence[tuple[str, Decimal, Decimal | None]] = ()


@dataclass(frozen=True)
class Shown:
    """A file with what its records do."""

    file: ImportFile
    tallies: Sequence[Tally] = ()
    asked_by: str = ""

    def number(self, result: ImportResult) -> int:
        return next((tally.count for tally in self.tallies if tally.result == result), 0)

    @property
    def new(self) -> int:
        return self.number(ImportResult.CREATED)

    @property
    def changed(self) -> int:
        return self.number(ImportResult.CHANGED)

    @property
    def refused(self) -> int:
        return self.number(ImportResult.REFUSED)

    @property
    def takes(self) -> int:
        return self.new + self.changed

    @property
    def kind(self) -> str:
        return imports.KINDS[ImportKind(self.file.kind)]

    @property
    def noun(self) -> str:
        return "customer" if self.file.kind == ImportKind.CUSTOMERS else "invoice"

    @property
    def working(self) -> str:
        return WORKING.get(FileState(self.file.state), "")

    @property
    def total(self) -> int:
        """How many records the step that is worked on has."""
        return self.file.records if self.file.state == FileState.CHECKING else self.takes

    @property
    def is_arriving(self) -> bool:
        return self.file.state == FileState.ARRIVING

    @property
    def is_refused(self) -> bool:
        """As a whole: it could not be read."""
        return self.file.state == FileState.REFUSED

    @property
    def is_staged(self) -> bool:
        return self.file.state == FileState.STAGED

    @property
    def is_checked(self) -> bool:
        return self.file.state == FileState.CHECKED

    @property
    def is_taken(self) -> bool:
        return self.file.state == FileState.TAKEN

    @property
    def can_undo(self) -> bool:
        return self.is_taken and bool(self.takes)

    @property
    def is_undone(self) -> bool:
        return self.file.state == FileState.UNDONE

    @property
    def state(self) -> str:
        return STATES.get(FileState(self.file.state), "")


def shown(file: ImportFile) -> Shown:
    rows = db.session.execute(
        select(
            ImportFileRecord.result,
            ImportFileRecord.currency,
            func.count().label("number"),
            func.sum(ImportFileRecord.amount).label("amount"),
            func.sum(ImportFileRecord.amount_before).label("before"),
        )
        .where(ImportFileRecord.tenant_id == file.tenant_id, ImportFileRecord.file_id == file.id)
        .group_by(ImportFileRecord.result, ImportFileRecord.currency)
        .order_by(ImportFileRecord.currency)
    ).all()
    tallies = []
    for result, word in imports.RESULTS.items():
        some = [row for row in rows if row.result == result]
        sums = [
            (row.currency, row.amount, row.before if result == ImportResult.CHANGED else None)
            for row in some
            if row.amount is not None and row.currency
        ]
        tallies.append(Tally(result.value, word, sum(row.number for row in some), sums))
    name = select(User.name).where(User.id == file.user_id)
    return Shown(file, tallies, (db.session.scalar(name) or "") if file.user_id else "")


def in_hand() -> list[Shown]:
    """Files that are not taken in yet, newest first; there are at most staging.MOST_IN_HAND."""
    statement = scoped(ImportFile).where(ImportFile.state.in_(IN_HAND)).order_by(ImportFile.id.desc())
    return [Shown(row) for row in db.session.scalars(statement)]


@dataclass(frozen=True)
class Record(imports.Told):
    """A record of a file, told as a record of an import is."""

    @property
    def label(self) -> str:
        return self.row.label or self.row.external_id or f"Row {self.row.place}"

    @property
    def lines(self) -> Sequence[tuple[str, str, str]]:
        """As of an import; of what is new and of what stays, how much money it is."""
        amount = getattr(self.row, "amount", None)
        if super().lines or amount is None:
            return super().lines
        if getattr(self.row, "voided", False):
            return [(import_words.field("voided"), "", import_words.value("voided", "yes"))]
        currency = getattr(self.row, "currency", "")
        return [(import_words.field("total"), "", formatters.money(amount, currency))]


@dataclass(frozen=True)
class Filter:
    result: str = ""
    words: str = ""
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> dict[str, str]:
        return paging.kept(self.args, "q", "result")


def filter_from(args: Mapping[str, str]) -> Filter:
    """The filter of an address; an unknown word counts as not given."""
    return Filter(
        args["result"] if args.get("result") in set(ImportResult) else "", cleaned(args.get("q")), args
    )


def records(file: ImportFile, chosen: Filter) -> paging.Page:
    """The records of a file as they stand there."""
    statement = select(ImportFileRecord).where(
        ImportFileRecord.tenant_id == file.tenant_id, ImportFileRecord.file_id == file.id
    )
    if chosen.result:
        statement = statement.where(ImportFileRecord.result == chosen.result)
    if chosen.words:
        pattern = containing(chosen.words)
        statement = statement.where(
            or_(ImportFileRecord.label.ilike(pattern), ImportFileRecord.external_id.ilike(pattern))
        )
    keys = (paging.Key(ImportFileRecord.place),)
    found = paging.fetch(statement, keys, chosen.args, ascending=True)
    rows = [Record(row, *imports.PAGES[ImportKind(file.kind)]) for row in found.rows]
    return paging.Page(rows, found.newer, found.older)


def day_to_look_at(file: ImportFile) -> tuple[str, Any, str] | None:
    """A date of the file that another order would read otherwise: as written, as read, and the order in words."""
    choice = from_kept(file.choice)
    for cells in staging.sample(file) if choice.has("issued_on") else ():
        words = choice.cell("issued_on", cells)
        day = written.day(words, choice.order)
        if day is not None and not written_days.is_plain(written.without_midnight(words)):
            return words, day, choice.order.words
    return None


def of_run(run_id: int) -> Shown | None:
    """The file that was taken in or undone by this import."""
    either = or_(ImportFile.run_id == run_id, ImportFile.undo_run_id == run_id)
    file = db.session.scalar(scoped(ImportFile).where(either).limit(1))
    return shown(file) if file else None


def refused_rows(file: ImportFile) -> Select[Any]:
    """(place, cells, reasons) of every row of every record that is refused, in the order of the file."""
    same = (
        (ImportFileRecord.tenant_id == ImportFileRow.tenant_id)
        & (ImportFileRecord.file_id == ImportFileRow.file_id)
        & (ImportFileRecord.place == ImportFileRow.record)
    )
    return (
        select(ImportFileRow.place, ImportFileRow.cells, ImportFileRecord.reasons)
        .join(ImportFileRecord, same)
        .where(
            ImportFileRow.tenant_id == current_tenant_id(),
            ImportFileRow.file_id == file.id,
            ImportFileRecord.result == ImportResult.REFUSED,
        )
        .order_by(ImportFileRow.place)
    )


def why(reasons: Sequence[Sequence[str]]) -> str:
    """All that speaks against a record, in one cell."""
    return " ".join(
        f"{import_words.field(name)}: {import_words.sentence(reason)}"
        if name
        else import_words.sentence(reason)
        for name, reason in reasons
    )
