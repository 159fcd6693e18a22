"""What a delivery tells a person: exceptions that open with its failure and close when it is confirmed."""

from collections.abc import Sequence

from sqlalchemy import select

from portal import attention
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import Cause, ExceptionItem, ExceptionState
from portal.reconcile import attempts
from portal.reconcile.clearing import NOT_CLEARED
from portal.reconcile.decide import CONFLICTS, Reading
from portal.reconcile.delivery_row import Row
from portal.reconcile.mirror import Mirrored
from portal.reconcile.work import Work


def open_item(row: Row, invoice: Mirrored, *, final: bool) -> None:
    """The exception of a parked delivery. `final`: Autotask refused it for good."""
    kind = row.error_kind or ""
    if kind in CONFLICTS:
        return
    cause = Cause.NOT_CLEARED if kind == NOT_CLEARED else Cause.DELIVERY_PARKED
    _open(
        Cause.DELIVERY_REFUSED if final and kind != NOT_CLEARED else cause,
        invoice,
        row.error or "",
        ours={"paid_on": attempts.shown(row.wish_paid_on)},
        theirs={"paid_on": attempts.shown(invoice.autotask_paid_on)},
    )


def close(invoice_ids: Sequence[int]) -> None:
    """Of deliveries that are confirmed all of them close by themselves."""
    if not invoice_ids:
        return
    still_open = select(ExceptionItem.cause, ExceptionItem.subject_key).where(
        ExceptionItem.tenant_id == current_tenant_id(),
        ExceptionItem.subject_type == "delivery",
        ExceptionItem.subject_key.in_([str(invoice_id) for invoice_id in invoice_ids]),
        ExceptionItem.state == ExceptionState.OPEN,
    )
    for cause, key in db.session.execute(still_open).all():
        attention.close_items(Cause(cause), "delivery", [key])


def tell_moved(work: Work, invoice: Mirrored) -> None:
    """A field that the portal never changes differs after our write."""
    if work.read is None or work.read_back is None or not _moved(work.read, work.read_back):
        return
    _open(
        Cause.DELIVERY_REFUSED,
        invoice,
        "While its paid date was being changed, the invoice's number or web-service date changed too. "
        "The portal does not write these. Check the invoice in Autotask.",
        ours={"number": work.read.number, "web_service_date": work.read.web_service_date},
        theirs={"number": work.read_back.number, "web_service_date": work.read_back.web_service_date},
    )


def _moved(before: Reading, after: Reading) -> bool:
    return (before.number, before.web_service_date) != (after.number, after.web_service_date)


def _open(
    cause: Cause, invoice: Mirrored, detail: str, *, ours: dict[str, object], theirs: dict[str, object]
) -> None:
    attention.open_item(
        cause,
        "delivery",
        str(invoice.id),
        label=f"Invoice {invoice.number}",
        detail=detail,
        ours=ours,
        theirs=theirs,
        invoice_id=invoice.id,
    )
