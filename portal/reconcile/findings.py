"""What a delivery tells a person: exceptions that open with its failure and close when it is confirmed."""

from portal import attention
from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import Cause, Delivery, DeliveryState, ExceptionItem, ExceptionState, Invoice
from portal.reconcile import attempts
from portal.reconcile.clearing import NOT_CLEARED
from portal.reconcile.decide import CONFLICTS, Reading
from portal.reconcile.work import Work


def open_item(delivery: Delivery, invoice: Invoice, *, final: bool) -> None:
    """The exception of a parked delivery. `final`: Autotask refused it for good."""
    kind = delivery.error_kind or ""
    if kind in CONFLICTS:
        return
    cause = Cause.NOT_CLEARED if kind == NOT_CLEARED else Cause.DELIVERY_PARKED
    _open(
        Cause.DELIVERY_REFUSED if final and kind != NOT_CLEARED else cause,
        invoice,
        delivery.error or "",
        ours={"paid_on": attempts.shown(delivery.wish_paid_on), "attempts": delivery.attempts},
        theirs={"paid_on": attempts.shown(invoice.autotask_paid_on)},
    )


def close(delivery: Delivery, invoice: Invoice) -> None:
    """Once confirmed, all of them close by themselves."""
    if delivery.state != DeliveryState.CONFIRMED:
        return
    still_open = (
        scoped(ExceptionItem)
        .with_only_columns(ExceptionItem.cause)
        .where(
            ExceptionItem.subject_type == "delivery",
            ExceptionItem.subject_key == str(invoice.id),
            ExceptionItem.state == ExceptionState.OPEN,
        )
    )
    for cause in db.session.scalars(still_open).all():
        attention.close_items(Cause(cause), "delivery", [str(invoice.id)])


def tell_moved(work: Work, invoice: Invoice) -> None:
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
    cause: Cause, invoice: Invoice, detail: str, *, ours: dict[str, object], theirs: dict[str, object]
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
