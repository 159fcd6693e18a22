"""The steps of a file by parts: each part is one transaction with how far it came, so that another worker can go on."""

import json
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from sqlalchemy import func, insert, select, text

from portal.access import audit
from portal.access.actor import Actor, Source
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import (
    FileState,
    ImportFile,
    ImportFileRecord,
    ImportFileRow,
    ImportKind,
    ImportResult,
    ImportRun,
)
from portal.uploads import judging
from portal.uploads.judging import Judged

RECORDS_AT_ONCE, ROWS_AT_ONCE = 1000, 4000
NOT_TAKEN = (
    "An error on our side kept this record from being taken in. Upload it once more, or write to support."
)

# A number that stands on two invoices of a file, neither of which is voided: which is meant is for a person to say.
TWICE = text("""
    SELECT label FROM import_file_record
    WHERE tenant_id = :tenant_id AND file_id = :file_id AND NOT voided AND label <> ''
    GROUP BY label HAVING count(*) > 1""")
REFUSE_TWICE = text("""
    UPDATE import_file_record SET result = 'refused', changes = '{}', reasons = jsonb_build_array(
        jsonb_build_array('number', 'Another invoice of this file has the number ' || label || ' too.'))
    WHERE tenant_id = :tenant_id AND file_id = :file_id AND label = ANY(:labels) AND NOT voided
        AND result <> 'refused'""")
KEEP = text("""
    UPDATE import_file_record r SET result = v.result, label = v.label, subject_id = v.subject_id,
        changes = v.changes, reasons = v.reasons, before = v.before
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v (id bigint, result text, label text, subject_id bigint,
        changes jsonb, reasons jsonb, before jsonb)
    WHERE r.tenant_id = :tenant_id AND r.id = v.id""")
PASS_OVER = text("""
    UPDATE import_file_record SET result = 'refused', changes = '{}', subject_id = NULL, before = NULL,
        reasons = jsonb_build_array(jsonb_build_array('', CAST(:reason AS text)))
    WHERE tenant_id = :tenant_id AND id = (SELECT id FROM import_file_record
        WHERE tenant_id = :tenant_id AND file_id = :file_id AND result IN ('created', 'changed')
            AND place > :position
        ORDER BY place LIMIT 1)
    RETURNING place""")
TELL = text("""
    INSERT INTO import_row (tenant_id, run_id, place, result, external_id, subject_id, label, changes, reasons)
    SELECT tenant_id, :run_id, place - 1, result, external_id, subject_id, label, changes, reasons
    FROM import_file_record WHERE tenant_id = :tenant_id AND file_id = :file_id AND result <> 'unchanged'
    ORDER BY place""")


def check(file: ImportFile, places: Sequence[int]) -> list[dict[str, Any]]:
    """What the records at these places would do, as rows to keep once all else was rolled back."""
    judged = judging.judge(file, places, take=False) if places else []
    of = {"tenant_id": file.tenant_id, "file_id": file.id}
    return [{**of, **_record(one)} for one in judged]


def keep_checked(file: ImportFile, rows: Sequence[dict[str, Any]], places: int, last: int) -> None:
    """The records of a part; `places` were looked at, up to `last`."""
    if rows:
        db.session.execute(insert(ImportFileRecord), rows)
    file.position, file.done = last, file.done + places
    file.left_out += places - len(rows)


def end_check(file: ImportFile) -> None:
    of = {"tenant_id": file.tenant_id, "file_id": file.id}
    if file.kind == ImportKind.INVOICES and (labels := list(db.session.scalars(TWICE, of))):
        db.session.execute(REFUSE_TWICE, {**of, "labels": labels})
    file.state = FileState.CHECKED


def take(file: ImportFile) -> bool:
    """Takes the next records in that were new or changed when they were looked at; False when all are in."""
    rows = db.session.execute(
        select(ImportFileRecord.id, ImportFileRecord.place, ImportFileRecord.rows)
        .where(
            ImportFileRecord.tenant_id == file.tenant_id,
            ImportFileRecord.file_id == file.id,
            ImportFileRecord.result.in_((ImportResult.CREATED, ImportResult.CHANGED)),
            ImportFileRecord.place > file.position,
        )
        .order_by(ImportFileRecord.place)
        .limit(at_once(file))
    ).all()
    rows = rows[: _so_many([row.rows for row in rows])]
    if not rows:
        _end_taking(file)
        return False
    ids = {row.place: row.id for row in rows}
    judged = judging.judge(file, list(ids), take=True)
    kept = [{"id": ids[one.draft.place], **_outcome(one)} for one in judged]
    db.session.execute(KEEP, {"tenant_id": file.tenant_id, "rows": json.dumps(kept)})
    file.position, file.done = rows[-1].place, file.done + len(rows)
    return True


def at_once(file: ImportFile) -> int:
    """How many records a part has: one, once something failed, so that nothing else fails with it."""
    return 1 if file.tries else RECORDS_AT_ONCE


def pass_over(file: ImportFile) -> None:
    """Refuses the next record, which cannot be taken in."""
    values = {
        "tenant_id": file.tenant_id,
        "file_id": file.id,
        "position": file.position,
        "reason": NOT_TAKEN,
    }
    place = db.session.scalar(PASS_OVER, values)
    if place is not None:
        file.position, file.done = place, file.done + 1


def _end_taking(file: ImportFile) -> None:
    """What a run's row says of all records, once all are in."""
    of = {"tenant_id": file.tenant_id, "file_id": file.id}
    db.session.execute(TELL, {**of, "run_id": file.run_id})
    counts = select(ImportFileRecord.result, func.count()).where(
        ImportFileRecord.tenant_id == file.tenant_id, ImportFileRecord.file_id == file.id
    )
    results = {row[0]: row[1] for row in db.session.execute(counts.group_by(ImportFileRecord.result))}
    run = db.session.get_one(ImportRun, (file.tenant_id, file.run_id))
    run.results = results
    file.state = FileState.TAKEN
    actor = actor_of(file)
    audit.record(actor, "import.done", "import", run.id, kind=file.kind, file=file.name, **results)


def actor_of(file: ImportFile) -> Actor:
    """Who asked for the step that is worked on."""
    return Actor(Source.WEB, file.user_id, file.true_user_id, file.visit_id)


def next_places(file: ImportFile) -> list[int]:
    """The first rows of the records to look at next."""
    rows = db.session.execute(
        select(ImportFileRow.record, func.count().label("rows"))
        .where(
            ImportFileRow.tenant_id == current_tenant_id(),
            ImportFileRow.file_id == file.id,
            ImportFileRow.record > file.position,
        )
        .group_by(ImportFileRow.record)
        .order_by(ImportFileRow.record)
        .limit(RECORDS_AT_ONCE)
    ).all()
    return [int(row.record or 0) for row in rows[: _so_many([row.rows for row in rows])]]


def _so_many(rows: Sequence[int]) -> int:
    """How many of these records one part has: of many rows each, fewer."""
    held = [total <= ROWS_AT_ONCE for total in accumulate(min(one, judging.MOST_LINES) for one in rows)]
    return max(held.count(True), 1)


def _record(one: Judged) -> dict[str, Any]:
    label = one.outcome.label or one.draft.label
    return {
        "place": one.draft.place, "rows": one.draft.rows, "result": one.outcome.result,
        "external_id": one.outcome.external_id[:500], "label": label[:500],
        "currency": one.given.currency if one.given else "", "amount": one.amount,
        "amount_before": one.amount_before, "voided": bool(one.draft.sent.get("voided")),
        "changes": _pairs(one), "reasons": _reasons(one), "subject_id": one.outcome.row_id,
    }  # fmt: skip


def _outcome(one: Judged) -> dict[str, Any]:
    taken = one.outcome.result in (ImportResult.CREATED, ImportResult.CHANGED)
    return {
        "result": one.outcome.result, "label": (one.outcome.label or one.draft.label)[:500],
        "subject_id": one.outcome.row_id, "changes": _pairs(one), "reasons": _reasons(one),
        "before": one.before if taken and not one.outcome.is_created else None,
    }  # fmt: skip


def _pairs(one: Judged) -> dict[str, list[str]]:
    return {name: list(pair) for name, pair in one.outcome.changes.items()}


def _reasons(one: Judged) -> list[list[str]]:
    return [[reason.field, reason.sentence] for reason in one.outcome.refusals]
