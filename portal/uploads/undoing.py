"""Undoing a file: what it made goes again or is voided, what it changed goes back, and what changed since stays.

Not while anything of it was paid.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select

from portal import attention, formatters
from portal.access import audit
from portal.extensions import db
from portal.imports import customers, invoices, kept_records
from portal.imports.outcome import Outcome
from portal.models import (
    Cause,
    Customer,
    FileState,
    ImportFile,
    ImportKind,
    ImportResult,
    ImportRow,
    ImportRun,
    Invoice,
)
from portal.uploads import steps, undoing_sql

GONE = {"removed": ["no", "yes"]}
NOT_UNDONE = (
    "An error on our side kept this record from being undone. Change it by hand, or write to support."
)
STAYS = "It was changed since, or is in use: it stays as it is."


class CannotUndo(ValueError):
    """Nothing is undone; str() says why, and what to do first."""


@dataclass(frozen=True)
class Consequence:
    """How many records will go, be voided, go back, and stay as they are."""

    counts: Mapping[str, int] = field(default_factory=dict)

    def __getattr__(self, name: str) -> int:
        return self.counts.get(name, 0)


def refuse(file: ImportFile) -> None:
    """Raises CannotUndo while anything of the file was paid, or another file is being taken in."""
    if db.session.scalar(undoing_sql.OTHERS, undoing_sql.of(file)) is not None:
        raise CannotUndo(
            "Another file is being taken in. Undo this one when that is done: until then it cannot be told what was "
            "changed since. Nothing was undone."
        )
    if db.session.scalar(undoing_sql.ANY, undoing_sql.of(file)) is None:
        raise CannotUndo(
            "What records were before is kept for 30 days after the upload, so this file cannot be undone any more."
        )
    if file.kind != ImportKind.INVOICES:
        return
    paid = db.session.execute(undoing_sql.PAID, undoing_sql.of(file)).all()
    if paid:
        number = sum(row.number for row in paid)
        sums = " and ".join(formatters.money(Decimal(row.amount), row.currency) for row in paid)
        raise CannotUndo(
            f"{formatters.plural(number, 'invoice')} of this file {'is' if number == 1 else 'are'} paid, credited or "
            f"settled: {sums}. Delete those payments or take back the credits first; nothing was undone."
        )


def consequence(file: ImportFile) -> Consequence:
    rows = db.session.execute(undoing_sql.CONSEQUENCE[ImportKind(file.kind)], undoing_sql.of(file))
    return Consequence({row[0]: row[1] for row in rows})


def undo(file: ImportFile) -> bool:
    """Undoes the next records; False when all are done."""
    kind = ImportKind(file.kind)
    values = {**undoing_sql.of(file), "position": file.position, "most": steps.at_once(file)}
    customers.lock()
    if kind == ImportKind.INVOICES:
        db.session.execute(undoing_sql.LOCK, values)
    rows = db.session.execute(undoing_sql.NEXT[kind], values).all()
    if not rows:
        _end(file)
        return False
    told = _of_what(file, kind, rows)
    db.session.execute(insert(ImportRow), [_row(file, row, *told[row.id]) for row in rows])
    file.position, file.done = rows[-1].place, file.done + len(rows)
    return True


def pass_over(file: ImportFile) -> None:
    """Leaves the next record as it is, which cannot be undone."""
    values = {**undoing_sql.of(file), "position": file.position, "most": 1}
    for row in db.session.execute(undoing_sql.NEXT[ImportKind(file.kind)], values).all():
        told = _row(file, row, ImportResult.REFUSED, row.subject_id, {}, [["", NOT_UNDONE]])
        db.session.execute(insert(ImportRow), [told])
        file.position, file.done = row.place, file.done + 1


Told = tuple[ImportResult, int | None, Mapping[str, Any], Sequence[Any]]


def _of_what(file: ImportFile, kind: ImportKind, rows: Sequence[Any]) -> dict[int, Told]:
    """What became of each: its result, the record it still is, what changed, and why it stayed."""
    told: dict[int, Told] = {}
    by = {what: [row for row in rows if row.what == what] for what in ("remove", "void", "back", "stay")}
    _remove(file, kind, [row.subject_id for row in by["remove"]])
    for row in by["remove"]:
        told[row.id] = (ImportResult.CHANGED, None, GONE, [])
    for row in by["stay"]:
        told[row.id] = (ImportResult.REFUSED, row.subject_id, {}, [["", STAYS]])
    restored = [*by["void"], *by["back"]]
    for row, done in zip(restored, _restored(kind, by["void"], by["back"]), strict=True):
        changes = {name: list(pair) for name, pair in done.changes.items()}
        reasons = [[one.field, one.sentence] for one in done.refusals]
        told[row.id] = (done.result, row.subject_id, changes, reasons)
    return told


def _restored(kind: ImportKind, voided: Sequence[Any], back: Sequence[Any]) -> list[Outcome]:
    """By the rules by which they came in."""
    if kind == ImportKind.CUSTOMERS:
        return customers.take([kept_records.given_customer(row.before) for row in back]) if back else []
    now = kept_records.invoices(Invoice.id.in_([row.subject_id for row in voided])) if voided else {}
    given = [kept_records.given_invoice(now[row.subject_id], voided=True) for row in voided]
    given += [kept_records.given_invoice(row.before) for row in back]
    found = invoices.take(given, _by_id) if given else []
    for cause in (Cause.MATCH_NONE, Cause.MATCH_SEVERAL) if voided else ():
        attention.close_items(cause, "invoice", [f"portal-{row.subject_id}" for row in voided])
    return found


def _by_id(names: Sequence[str]) -> dict[str, Customer]:
    ids = {int(name) for name in names}
    rows = db.session.scalars(
        select(Customer).where(Customer.tenant_id == steps.current_tenant_id(), Customer.id.in_(ids))
    )
    return {str(row.id): row for row in rows}


def _remove(file: ImportFile, kind: ImportKind, ids: Sequence[int]) -> None:
    for statement in undoing_sql.REMOVE[kind] if ids else ():
        db.session.execute(statement, {"tenant_id": file.tenant_id, "ids": list(ids)})


def _end(file: ImportFile) -> None:
    file.state = FileState.UNDONE
    results = {row[0]: row[1] for row in db.session.execute(undoing_sql.COUNT, undoing_sql.of(file))}
    run = db.session.get_one(ImportRun, (file.tenant_id, file.undo_run_id))
    run.results = results
    audit.record(
        steps.actor_of(file), "import.undone", "import", run.id, kind=file.kind, file=file.name, **results
    )


def _row(
    file: ImportFile,
    row: Any,
    result: ImportResult,
    subject_id: int | None,
    changes: Mapping[str, Any],
    reasons: Sequence[Any],
) -> dict[str, Any]:
    return {
        "tenant_id": file.tenant_id, "run_id": file.undo_run_id, "place": row.place - 1, "result": result,
        "external_id": row.external_id, "subject_id": subject_id, "label": row.label, "changes": changes,
        "reasons": reasons,
    }  # fmt: skip
