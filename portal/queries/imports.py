"""Batches that came in from a partner's own system, and the records of one, as pages show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import aliased

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import ApiKey, ImportFile, ImportKind, ImportResult, ImportRow, ImportRun, User
from portal.queries import import_words, paging
from portal.queries.text import cleaned, containing

KINDS = {ImportKind.CUSTOMERS: "Customers", ImportKind.INVOICES: "Invoices"}
RESULTS = {
    ImportResult.CREATED: "New",
    ImportResult.CHANGED: "Changed",
    ImportResult.UNCHANGED: "Unchanged",
    ImportResult.REFUSED: "Refused",
}
SUBJECTS = {"customer": ImportKind.CUSTOMERS, "invoice": ImportKind.INVOICES}
# The results of which each record is kept.
LISTED = {result: word for result, word in RESULTS.items() if result != ImportResult.UNCHANGED}
PAGES = {
    ImportKind.CUSTOMERS: ("customers.show", "customer_id"),
    ImportKind.INVOICES: ("invoices.show", "invoice_id"),
}


@dataclass(frozen=True)
class Batch:
    """One batch with who sent it."""

    run: ImportRun
    sender: str

    @property
    def counts(self) -> Sequence[tuple[str, str, int]]:
        """(result, its word, how many) for each result that a batch can have."""
        return [
            (result.value, word, self.run.results.get(result.value, 0)) for result, word in RESULTS.items()
        ]

    @property
    def kind(self) -> str:
        return KINDS[ImportKind(self.run.kind)]

    @property
    def title(self) -> str:
        return f"{self.kind} import {self.run.id}"


@dataclass(frozen=True)
class Told:
    """One record of a batch: what it was, and what changed or spoke against it."""

    row: ImportRow
    endpoint: str
    argument: str

    @property
    def result(self) -> str:
        return RESULTS[ImportResult(self.row.result)]

    @property
    def lines(self) -> Sequence[tuple[str, str, str]]:
        """(field, before, after) of what changed; (field, "", the reason) of what was refused."""
        words = import_words
        changed = [
            (words.field(name), words.value(name, old), words.value(name, new))
            for name, (old, new) in words.in_order(self.row.changes)
        ]
        return changed + [
            (words.field(name), "", words.sentence(reason)) for name, reason in self.row.reasons
        ]

    @property
    def outcome(self) -> str:
        """What the last of each of the lines is."""
        return "Why" if self.row.reasons else "Now"

    @property
    def label(self) -> str:
        return self.row.label or self.row.external_id or f"Row {self.row.place + 1}"

    @property
    def other_name(self) -> str:
        """What its own system calls it, where that is not its label."""
        return self.row.external_id if self.row.label and self.row.label != self.row.external_id else ""


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
    return Filter(args["result"] if args.get("result") in set(LISTED) else "", cleaned(args.get("q")), args)


def page(args: Mapping[str, str]) -> paging.Page:
    """Batches, newest first."""
    found = paging.fetch(_batches(), (paging.Key(ImportRun.id),), args)
    return paging.Page([_batch(row) for row in found.rows], found.newer, found.older)


def batch(run_id: int) -> Batch | None:
    """One batch with who sent it; None for one that is not here."""
    found = paging.fetch(_batches().where(ImportRun.id == run_id), (paging.Key(ImportRun.id),), {})
    return _batch(found.rows[0]) if found.rows else None


def records(run: ImportRun, chosen: Filter) -> paging.Page:
    """The records of a batch that were new, changed or refused, in the order in which they were sent."""
    statement = select(ImportRow).where(ImportRow.tenant_id == run.tenant_id, ImportRow.run_id == run.id)
    if chosen.result:
        statement = statement.where(ImportRow.result == chosen.result)
    if chosen.words:
        pattern = containing(chosen.words)
        statement = statement.where(or_(ImportRow.label.ilike(pattern), ImportRow.external_id.ilike(pattern)))
    found = paging.fetch(statement, (paging.Key(ImportRow.place),), chosen.args, ascending=True)
    rows = [Told(row, *PAGES[ImportKind(run.kind)]) for row in found.rows]
    return paging.Page(rows, found.newer, found.older)


def of_record(kind: str, subject_id: int) -> Select[Any, Any]:
    """The rows of batches that made or changed this customer or invoice, with their batches."""
    return (
        select(ImportRow, ImportRun)
        .join(ImportRun, (ImportRun.tenant_id == ImportRow.tenant_id) & (ImportRun.id == ImportRow.run_id))
        .where(
            ImportRow.tenant_id == current_tenant_id(),
            ImportRow.subject_id == subject_id,
            ImportRun.kind == SUBJECTS[kind],
        )
    )


def told(row_ids: Sequence[int]) -> list[tuple[Batch, Told]]:
    """These rows of batches, each with its batch."""
    of_rows = (
        _batches()
        .add_columns(ImportRow)
        .join(ImportRow, (ImportRow.tenant_id == ImportRun.tenant_id) & (ImportRow.run_id == ImportRun.id))
    )
    found = db.session.execute(of_rows.where(ImportRow.id.in_(row_ids)))
    return [(_batch(rest), Told(row, *PAGES[ImportKind(rest[0].kind)])) for *rest, row in found]


def _batches() -> Any:
    person = aliased(User)
    return (
        select(
            ImportRun,
            ApiKey.name.label("key_name"),
            person.name.label("person_name"),
            ImportFile.name.label("file_name"),
            (ImportFile.undo_run_id == ImportRun.id).label("is_undone"),
        )
        .outerjoin(ApiKey, (ApiKey.tenant_id == ImportRun.tenant_id) & (ApiKey.id == ImportRun.api_key_id))
        .outerjoin(person, person.id == ImportRun.user_id)
        .outerjoin(
            ImportFile,
            (ImportFile.tenant_id == ImportRun.tenant_id)
            & or_(ImportFile.run_id == ImportRun.id, ImportFile.undo_run_id == ImportRun.id),
        )
        .where(ImportRun.tenant_id == current_tenant_id())
    )


def _batch(row: Any) -> Batch:
    run, key_name, person_name, file_name, is_undone = row
    sender = f"API key {key_name}" if key_name else person_name or "–"
    if file_name:
        sender = f"{sender}, undoing {file_name}" if is_undone else f"{sender}, from {file_name}"
    return Batch(run, sender)
