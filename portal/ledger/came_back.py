"""Money that came back of an invoice that was closed elsewhere: nobody asks for it again unless a person looks.

The item is about the part of the payment (`subject_type` payment), and closes by itself once the invoice is open again
or covered by other money.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from portal import attention
from portal.access.tenancy import current_tenant_id, scoped
from portal.attention.items import CLOSED_BY_ITSELF
from portal.extensions import db
from portal.formatters import day, money, written_for
from portal.models import (
    CAME_BACK,
    Cause,
    ClosedAs,
    Happened,
    Invoice,
    Payment,
    PaymentEvent,
    PaymentEventPart,
    Tenant,
)
from portal.money import plain

CLOSED_AS = text("""
    SELECT i.id, CASE WHEN i.is_voided THEN 'voided' WHEN i.missing_since IS NOT NULL THEN 'missing'
        WHEN i.archived_at IS NOT NULL THEN 'archived'
        WHEN i.autotask_paid_on IS NOT NULL AND i.autotask_paid_on IS DISTINCT FROM d.our_mark_on
            THEN 'paid_there' END AS closed_as
    FROM invoice i LEFT JOIN delivery d ON d.tenant_id = i.tenant_id AND d.invoice_id = i.id
    WHERE i.tenant_id = :tenant_id AND i.id = ANY(:ids)""").bindparams(
    bindparam("ids", type_=ARRAY(BigInteger))
)

IS_OVER = """(NOT i.is_voided AND i.settled_amount = 0 AND i.outstanding <= 0
            OR CASE x.closed_as WHEN 'voided' THEN NOT i.is_voided WHEN 'missing' THEN i.missing_since IS NULL
                WHEN 'archived' THEN i.archived_at IS NULL ELSE i.settled_amount = 0 END)"""
UNCOVERED = text(
    """
    SELECT x.id FROM payment_event_part x JOIN invoice i ON i.tenant_id = x.tenant_id AND i.id = x.invoice_id
    WHERE x.tenant_id = :tenant_id AND x.id = ANY(:ids) AND NOT IS_OVER""".replace("IS_OVER", IS_OVER)
).bindparams(bindparam("ids", type_=ARRAY(BigInteger)))

CLOSE = text(
    """
    UPDATE exception_item e SET state = 'resolved', resolved_at = now(), resolution = :sentence
    FROM payment_event_part x JOIN invoice i ON i.tenant_id = x.tenant_id AND i.id = x.invoice_id
    WHERE e.tenant_id = :tenant_id AND e.invoice_id = ANY(:ids) AND e.state = 'open' AND e.subject_type = 'payment'
        AND x.tenant_id = e.tenant_id AND x.id = CAST(e.subject_key AS bigint)
        AND IS_OVER""".replace("IS_OVER", IS_OVER)
).bindparams(bindparam("ids", type_=ARRAY(BigInteger)))

HOW = {
    Happened.FAILED: "failed",
    Happened.REFUNDED: "was refunded",
    Happened.CHARGED_BACK: "was charged back",
}
WHY = {
    ClosedAs.PAID_THERE: "Autotask's own people have marked the invoice as paid on {paid_there}, so it stays closed and nobody "
    "asks for this money. Keep it as settled in Autotask, or clear the date there.",
    ClosedAs.VOIDED: "The invoice was voided before, so nobody asks for this money again. If another invoice replaced it, see "
    "that that one is paid.",
    ClosedAs.ARCHIVED: "The invoice is archived, so nobody asks for this money. Take it out of the archive if it is owed.",
    ClosedAs.MISSING: "The invoice is no longer in Autotask, so nobody there asks for this money. Ask the customer for it, or "
    "say here why not.",
}


def closed_as(invoice_ids: Sequence[int]) -> Mapping[int, str | None]:
    """How each of these was closed elsewhere; None for those that are not."""
    rows = db.session.execute(CLOSED_AS, {"tenant_id": current_tenant_id(), "ids": list(invoice_ids)})
    return {row.id: row.closed_as for row in rows}


def open_items(payment: Payment, event: PaymentEvent) -> None:
    """An item for each invoice that was closed elsewhere when this came back of it, and is not covered by other money.

    Giving back what was paid for a voided invoice is what was asked for. The invoices are restated before.
    """
    parts = _uncovered([part for part in event.parts if part.closed_as and not _is_meant(event, part)])
    if not parts:
        return
    found = scoped(Invoice).where(Invoice.id.in_([part.invoice_id for part in parts]))
    invoices = {row.id: row for row in db.session.scalars(found)}
    with written_for(db.session.get_one(Tenant, current_tenant_id())):
        for part in parts:
            _open(payment, event, part, invoices[part.invoice_id])


def close(invoice_ids: Sequence[int]) -> None:
    """Closes what has no meaning any more."""
    values: dict[str, Any] = {"tenant_id": current_tenant_id(), "ids": list(invoice_ids)}
    db.session.execute(CLOSE, values | {"sentence": CLOSED_BY_ITSELF})


def _uncovered(parts: Sequence[PaymentEventPart]) -> list[PaymentEventPart]:
    """Those whose items would not be closed at once."""
    if not parts:
        return []
    values = {"tenant_id": current_tenant_id(), "ids": [part.id for part in parts]}
    ids = set(db.session.scalars(UNCOVERED, values))
    return [part for part in parts if part.id in ids]


def _is_meant(event: PaymentEvent, part: PaymentEventPart) -> bool:
    return part.closed_as == ClosedAs.VOIDED and event.kind == Happened.REFUNDED


def _open(payment: Payment, event: PaymentEvent, part: PaymentEventPart, invoice: Invoice) -> None:
    amount, closed = money(part.amount, payment.currency), ClosedAs(part.closed_as or "")
    happened = f"{amount} of a payment of {day(payment.paid_on)} {HOW[Happened(event.kind)]} on {day(event.happened_on)}. "
    attention.open_item(
        # Words that the release before knows, with the buttons that help.
        Cause.PAID_MARK_CHANGED if closed == ClosedAs.PAID_THERE else Cause.PAID_TWICE,
        CAME_BACK,
        str(part.id),
        label=f"Invoice {invoice.number}",
        detail=happened + WHY[closed].format(paid_there=day(invoice.autotask_paid_on)),
        ours={"came_back": plain(part.amount, payment.currency), "on": event.happened_on.isoformat()},
        theirs={
            "paid_on": invoice.autotask_paid_on.isoformat() if invoice.autotask_paid_on else None,
            "voided": invoice.is_voided,
        },
        invoice_id=invoice.id,
    )
