"""A person says which of Autotask's invoices is the counterpart of one here, and takes it back (rule 6).

The caller commits, then rings. Nothing is read or written at Autotask yet: the sync that is started reads its side, and a
delivery reads before it writes.
"""

from typing import Any

from portal import attention, clock, connect, ledger
from portal.access import audit
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id
from portal.connect import sync_minutes
from portal.extensions import db
from portal.models import (
    Cause,
    ExceptionItem,
    ExceptionState,
    Integration,
    IntegrationRole,
    Invoice,
    SyncKind,
    SyncRun,
    SyncTrigger,
)
from portal.sync import candidates, runs

MATCHES = (Cause.MATCH_NONE, Cause.MATCH_SEVERAL)


class CannotMatch(ValueError):
    """Nothing was matched; str() says why, and what to do."""


def join(actor: Actor, item: ExceptionItem, autotask_id: int) -> SyncRun:
    """The invoice of the exception is this one in Autotask; the run that reads Autotask's side. Raises CannotMatch."""
    integration, candidate = _secondary(), _candidate(item, autotask_id)
    assert item.invoice_id is not None
    ledger.lock_invoices([item.invoice_id])
    invoice = db.session.get(Invoice, (current_tenant_id(), item.invoice_id), populate_existing=True)
    _refuse(integration, invoice, candidate)
    assert invoice is not None
    invoice.integration_id, invoice.autotask_id = integration.id, autotask_id
    invoice.autotask_number, invoice.autotask_read_at = candidate.get("number"), None
    invoice.matched_by_hand_at = clock.now()
    for cause in MATCHES:
        attention.close_items(cause, "invoice", [item.subject_key], "A person matched it by hand.")
    ledger.restate([invoice.id])
    audit.record(
        actor, "invoice.matched", "invoice", invoice.id, autotask_id=autotask_id, number=invoice.number
    )
    return runs.start(integration, SyncKind.UNPAID, SyncTrigger.RETRY, actor)


def take_back(actor: Actor, invoice: Invoice) -> SyncRun | None:
    """Both are apart once nothing of ours stands in Autotask; the run that looks anew if that is so at once.

    Until then a delivery clears the paid date there, `ledger.restate` ends the match, and a run is due. Raises CannotMatch.
    """
    integration = _secondary()
    ledger.lock_invoices([invoice.id])
    db.session.refresh(invoice)
    if invoice.matched_by_hand_at is None or invoice.match_ends_at is not None:
        raise CannotMatch("This match was taken back in the meantime, or was not made by hand.")
    there, number = invoice.autotask_id, invoice.autotask_number
    invoice.match_ends_at = clock.now()
    audit.record(
        actor,
        "invoice.match_taken_back",
        "invoice",
        invoice.id,
        autotask_id=there,
        number=number or invoice.number,
    )
    ledger.restate([invoice.id])
    db.session.refresh(invoice)
    if invoice.autotask_id is not None:
        return None
    sync_minutes.put_off(integration, SyncKind.NEW)
    return runs.start(integration, SyncKind.NEW, SyncTrigger.RETRY, actor)


def _secondary() -> Integration:
    integration = connect.current()
    if integration is None or not integration.is_connected:
        raise CannotMatch("Autotask is not connected now. Connect it first; nothing was changed.")
    if integration.role != IntegrationRole.SECONDARY:
        raise CannotMatch(
            "Autotask is primary here: its invoices come in from there, and nothing is matched."
        )
    return integration


def _candidate(item: ExceptionItem, autotask_id: int) -> dict[str, Any]:
    if item.state != ExceptionState.OPEN or item.cause not in MATCHES or item.invoice_id is None:
        raise CannotMatch("This was closed in the meantime. Nothing was matched.")
    for candidate in item.theirs.get("candidates") or []:
        if candidate.get("autotask_id") == autotask_id:
            return dict(candidate)
    raise CannotMatch(
        "This is none of the invoices that were found in Autotask. Press Match again, then choose."
    )


def _refuse(integration: Integration, invoice: Invoice | None, candidate: dict[str, Any]) -> None:
    if invoice is None or invoice.autotask_id is not None or invoice.is_voided or invoice.archived_at:
        raise CannotMatch("The invoice is matched, voided or archived in the meantime. Nothing was matched.")
    if candidate.get("currency") != invoice.currency:
        raise CannotMatch(
            "The two are in different currencies, and nothing is converted. Correct one of them."
        )
    if candidates.is_taken(integration.id, candidate):
        raise CannotMatch(
            "That invoice in Autotask belongs to another one here already. Nothing was matched."
        )
