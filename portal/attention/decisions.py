"""What a person decides about an exception: try again, resolve with a reason, open again.

Nothing here commits; `Outcome.ring` is to be called after the commit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update

from portal import clock, connect, formatters
from portal.access import audit
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id, scoped
from portal.attention.buttons import ACTIONS
from portal.extensions import db
from portal.models import (
    CAME_BACK,
    Cause,
    Delivery,
    ExceptionItem,
    ExceptionState,
    Integration,
    Invoice,
    SyncKind,
    SyncTrigger,
)
from portal.reconcile import by_hand
from portal.sync import missing, reread, runs, wanted_pdfs

SHORTEST_REASON = 5
KEPT = "Autotask's date is kept."


class CannotDo(ValueError):
    """What was asked does not help here; str() says why, for a person."""


@dataclass
class Outcome:
    """What was done, in words, and the bells to ring after the commit."""

    words: str
    bells: list[Callable[[], object]] = field(default_factory=list)

    def ring(self) -> None:
        for bell in self.bells:
            bell()


def act(actor: Actor, item: ExceptionItem, name: str) -> Outcome:
    """Does what one of the item's buttons says. Raises CannotDo."""
    if item.state != ExceptionState.OPEN:
        raise CannotDo("This was closed in the meantime.")
    if name not in {action.name for action in ACTIONS.get(item.cause, ())}:
        raise CannotDo("That is not possible for this exception.")
    try:
        outcome = _DOING.get((item.cause, name)) or _DOING[item.cause]
        return outcome(actor, item)
    except (by_hand.NotRetryable, connect.NotConnected) as refusal:
        raise CannotDo(str(refusal)) from refusal


def resolve(actor: Actor, items: Sequence[ExceptionItem], reason: str) -> list[int]:
    """Closes open items because a person says so; the ids of those that were open. Raises CannotDo."""
    reason = reason.strip()
    if len(reason) < SHORTEST_REASON:
        raise CannotDo(f"Say why in at least {SHORTEST_REASON} characters.")
    closed = _closed([item.id for item in items], reason[:500], actor.true_user_id)
    if closed:
        audit.record(actor, "exceptions.resolved", "exception", None, ids=closed, reason=reason[:500])
    return closed


def _closed(ids: Sequence[int], reason: str, by: int | None) -> list[int]:
    """Those of them that were open until now."""
    statement = (
        update(ExceptionItem)
        .where(
            ExceptionItem.tenant_id == current_tenant_id(),
            ExceptionItem.id.in_(ids),
            ExceptionItem.state == ExceptionState.OPEN,
        )
        .values(state=ExceptionState.RESOLVED, resolved_at=clock.now(), resolved_by_id=by, resolution=reason)
        .returning(ExceptionItem.id)
    )
    return sorted(db.session.scalars(statement.execution_options(synchronize_session=False)))


def reopen(actor: Actor, items: Sequence[ExceptionItem]) -> int:
    """Undoes resolving; an item whose record has a newer open one stays closed. How many are open again."""
    rows = db.session.execute(
        select(ExceptionItem.cause, ExceptionItem.subject_type, ExceptionItem.subject_key).where(
            ExceptionItem.tenant_id == current_tenant_id(), ExceptionItem.state == ExceptionState.OPEN
        )
    )
    newer = {(row.cause, row.subject_type, row.subject_key) for row in rows}
    opened = []
    for item in items:
        same = (item.cause, item.subject_type, item.subject_key)
        if item.state == ExceptionState.RESOLVED and item.resolved_by_id is not None and same not in newer:
            item.state, item.resolved_at, item.resolved_by_id, item.resolution = (
                ExceptionState.OPEN, None, None, None,
            )  # fmt: skip
            newer.add(same)
            opened.append(item.id)
    if opened:
        audit.record(actor, "exceptions.reopened", "exception", None, ids=opened)
    return len(opened)


def retry_all(actor: Actor, items: Sequence[ExceptionItem]) -> Outcome:
    """Presses Retry on all that have it; the others are left alone."""
    outcome, done = Outcome(""), 0
    for item in items:
        try:
            one = act(actor, item, "retry")
        except CannotDo:
            continue
        outcome.bells += one.bells
        done += 1
    outcome.words = (
        f"{formatters.count(done)} will be tried again now." if done else "None of these can be tried again."
    )
    return outcome


def _integration() -> Integration:
    integration = connect.current()
    if integration is None or not integration.is_connected:
        raise CannotDo("Autotask is not connected now.")
    return integration


def _read_again(actor: Actor, item: ExceptionItem) -> Outcome:
    run = reread.start(actor, _integration(), item.subject_type, item.subject_key)
    if run is None:
        raise CannotDo("A sync is reading now. Try again when it has ended.")
    return Outcome("The record is read again now.", [lambda: runs.ring(run)])


def _sync_again(actor: Actor, item: ExceptionItem) -> Outcome:
    kinds = {"customer": SyncKind.CUSTOMERS, "contact": SyncKind.CUSTOMERS, "invoice": SyncKind.UNPAID}
    kind = kinds.get(item.subject_key, item.subject_key)
    if kind not in set(SyncKind):
        raise CannotDo("There is no sync to start again for this.")
    run = runs.start(_integration(), kind, SyncTrigger.RETRY, actor, retry_of_id=item.run_id)
    return Outcome("The sync starts again now.", [lambda: runs.ring(run)])


def _accept(actor: Actor, item: ExceptionItem) -> Outcome:
    marked = missing.accept(item, _integration().id)
    resolve(actor, [item], "A person confirmed that they were deleted in Autotask.")
    return Outcome(f"{formatters.count(marked)} marked as no longer in Autotask.")


def _match_again(actor: Actor, item: ExceptionItem) -> Outcome:
    run = runs.start(_integration(), SyncKind.NEW, SyncTrigger.RETRY, actor)
    return Outcome("Autotask is searched again now.", [lambda: runs.ring(run)])


def _fetch_pdf(actor: Actor, item: ExceptionItem) -> Outcome:
    invoice = db.session.get(Invoice, (current_tenant_id(), item.invoice_id)) if item.invoice_id else None
    if invoice is None:
        raise CannotDo("The invoice is not here any more.")
    if invoice.missing_since is not None:
        raise CannotDo("The invoice is no longer in Autotask, so Autotask has no PDF of it.")
    wanted_pdfs.want_one(invoice)
    run = runs.start(_integration(), SyncKind.PDFS, SyncTrigger.RETRY, actor)
    return Outcome("The PDF is fetched again now.", [lambda: runs.ring(run)])


def _delivery(item: ExceptionItem) -> Delivery:
    wanted = int(item.subject_key) if item.subject_type == "delivery" else item.invoice_id
    found = db.session.scalar(scoped(Delivery).where(Delivery.invoice_id == wanted))
    if found is None:
        raise CannotDo("There is nothing to send for this invoice any more.")
    return found


def _delivering(step: Callable[[Actor, int], Any], words: str) -> Callable[[Actor, ExceptionItem], Outcome]:
    def do(actor: Actor, item: ExceptionItem) -> Outcome:
        step(actor, _delivery(item).id)
        return Outcome(words, [by_hand.ring])

    return do


def _keep_theirs(actor: Actor, item: ExceptionItem) -> Outcome:
    """That money came back stays true, so that item is closed by the decision itself."""
    outcome = _delivering(by_hand.keep_theirs, KEPT)(actor, item)
    if item.subject_type == CAME_BACK:
        _closed([item.id], KEPT, actor.true_user_id)
    return outcome


_deliver_again = _delivering(by_hand.retry, "Autotask is told again now.")

_DOING: dict[Any, Callable[[Actor, ExceptionItem], Outcome]] = {
    Cause.BAD_RECORD: _read_again,
    Cause.CURRENCY_UNKNOWN: _read_again,
    Cause.SYNC_FAILED: _sync_again,
    (Cause.SUSPICIOUS_READ, "accept"): _accept,
    Cause.SUSPICIOUS_READ: _sync_again,
    Cause.DELIVERY_REFUSED: _deliver_again,
    Cause.DELIVERY_PARKED: _deliver_again,
    Cause.NOT_CLEARED: _deliver_again,
    Cause.UNPAID_IN_AUTOTASK: _delivering(by_hand.send_again, "The paid date is sent again now."),
    (Cause.PAID_MARK_CHANGED, "keep"): _keep_theirs,
    (Cause.PAID_MARK_CHANGED, "clear"): _delivering(by_hand.clear_theirs, "The date is cleared now."),
    Cause.MATCH_NONE: _match_again,
    Cause.MATCH_SEVERAL: _match_again,
    Cause.PDF_UNAVAILABLE: _fetch_pdf,
}
