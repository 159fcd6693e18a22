"""Taking in one record, or a batch with its row. The caller commits, then rings the bell of deliveries."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert

from portal.access import audit
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.imports import customers, invoices
from portal.imports.outcome import Outcome
from portal.models import ImportKind, ImportResult, ImportRow, ImportRun

MOST_IN_A_BATCH = 500


@dataclass(frozen=True)
class Kind:
    """How one kind of record is taken, and what the audit log calls its one subject."""

    take: Callable[[Any], list[Outcome]]
    subject: str
    made: str
    changed: str


KINDS = {
    ImportKind.CUSTOMERS: Kind(customers.take, "customer", "customer.created", "customer.changed"),
    ImportKind.INVOICES: Kind(invoices.take, "invoice", "invoice.created", "invoice.changed"),
}


def put(actor: Actor, kind: ImportKind, given: Any) -> Outcome:
    """One record as it is given."""
    of = KINDS[kind]
    (outcome,) = of.take([given])
    if outcome.is_created:
        audit.record(
            actor, of.made, of.subject, outcome.row_id, name=outcome.label, external_id=outcome.external_id
        )
    elif outcome.changes:
        before = {name: old for name, (old, _) in outcome.changes.items()}
        after = {name: new for name, (_, new) in outcome.changes.items()}
        audit.record(actor, of.changed, of.subject, outcome.row_id, before=before, after=after)
    return outcome


def put_batch(
    actor: Actor,
    kind: ImportKind,
    given: Sequence[Any],
    refused: Sequence[Outcome | None],
    api_key_id: int | None,
) -> tuple[ImportRun, list[Outcome]]:
    """A batch's row, and an outcome for each of its records.

    `refused` has a place for each record of the batch: the outcome of one that could not even be read, or None for
    the next of `given`. What is refused stops nothing else.
    """
    taken = iter(KINDS[kind].take(given))
    outcomes = [outcome or next(taken) for outcome in refused]
    results = dict(Counter(outcome.result.value for outcome in outcomes))
    run = ImportRun(
        tenant_id=current_tenant_id(),
        kind=kind,
        api_key_id=api_key_id,
        user_id=actor.user_id,
        true_user_id=actor.true_user_id,
        results=results,
    )
    db.session.add(run)
    db.session.flush()
    rows = [
        _row(run, place, outcome)
        for place, outcome in enumerate(outcomes)
        if outcome.result != ImportResult.UNCHANGED
    ]
    if rows:
        db.session.execute(insert(ImportRow), rows)
    audit.record(actor, "import.done", "import", run.id, kind=kind, **results)
    return run, outcomes


def _row(run: ImportRun, place: int, outcome: Outcome) -> dict[str, Any]:
    return {
        "tenant_id": run.tenant_id,
        "run_id": run.id,
        "place": place,
        "result": outcome.result,
        "external_id": outcome.external_id,
        "subject_id": outcome.row_id,
        "label": outcome.label,
        "changes": {name: list(pair) for name, pair in outcome.changes.items()},
        "reasons": [[one.field, one.sentence] for one in outcome.refusals],
    }
