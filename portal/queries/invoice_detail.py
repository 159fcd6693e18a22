"""All that a page shows about one invoice."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import aliased, contains_eager, undefer
from werkzeug.exceptions import NotFound

from portal import connect
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import (
    Agreement,
    Delivery,
    ExceptionItem,
    ExceptionState,
    Integration,
    Invoice,
    InvoicePdf,
    InvoiceStatus,
)
from portal.queries import arrivals, both_sides, cut, history, invoice_lists, line_sums, payments

AGREEMENTS: dict[str, str] = {
    Agreement.AGREES: "Autotask agrees.",
    Agreement.DIFFERS: "Autotask says something else.",
    Agreement.MISSING: "It is no longer in Autotask.",
    Agreement.OUTSIDE_FILTERS: "It lies outside the filters and is no longer updated.",
    Agreement.PORTAL_ONLY: "It exists only here.",
}


@dataclass(frozen=True)
class Detail:
    invoice: Invoice
    integration: Integration | None
    delivery: Delivery | None
    lines: cut.Some
    journeys: cut.Some
    credits: cut.Some
    exceptions: Sequence[ExceptionItem]
    pdf: InvoicePdf | None
    history: cut.Some
    has_usable_credit: bool
    source: Integration | None = None

    @property
    def both_sides(self) -> both_sides.Sides:
        return both_sides.Sides(self.invoice, self.integration, self.delivery)

    @property
    def is_matched_later(self) -> bool:
        """The next sync looks for its counterpart in Autotask (rule 6)."""
        invoice = self.invoice
        open_here = invoice.autotask_id is None and invoice.archived_at is None and invoice.amount_due > 0
        return open_here and connect.matches_invoices(self.source)

    @property
    def sum_in_words(self) -> str:
        """Why the lines do not add up to the amount due; empty when they do."""
        every = invoice_lists.billed(self.invoice.id) if self.lines.is_cut else self.lines.rows
        return line_sums.in_words(self.invoice, every)

    @property
    def latest(self) -> arrivals.Journey | None:
        """The payment that was recorded or deleted last."""
        return invoice_lists.latest(self.journeys)

    @property
    def agreement_in_words(self) -> str:
        """What Autotask says, as the end of a headline; empty where the headline says it already."""
        if self.invoice.agreement == Agreement.PORTAL_ONLY and self.is_matched_later:
            return "It exists only here, until its counterpart in Autotask is found."
        if self.invoice.is_voided and self.invoice.agreement == Agreement.DIFFERS:
            return "What is recorded against it here needs a decision."
        if self.is_held_back:
            return "Autotask is told once the money on its way has arrived."
        return AGREEMENTS.get(self.invoice.said_there, "")

    @property
    def is_held_back(self) -> bool:
        """Paid here by money that Autotask hears of later."""
        wished = self.delivery is not None and self.delivery.wish_paid_on is not None
        invoice = self.invoice
        return (
            invoice.agreement == Agreement.AGREES
            and invoice.is_paid
            and bool(invoice.pending_amount)
            and not wished
        )

    @property
    def pdf_is_waiting(self) -> bool:
        return self.pdf is not None and self.pdf.is_waiting

    @property
    def is_on_the_way(self) -> bool:
        return self.delivery is not None and self.delivery.state in arrivals.ON_THE_WAY


def find(invoice_id: int) -> Detail:
    """Everything about one invoice, in a fixed number of queries. Raises NotFound."""
    row = _with_what_belongs_to_it(invoice_id) if 0 < invoice_id < 2**63 else None
    if row is None:
        raise NotFound
    invoice, delivery, integration, pdf, credit_left = row
    journeys = invoice_lists.first_journeys(invoice.id)
    paying = payments.ids_of_invoice(invoice.id) if journeys.is_cut else [one.payment.id for one in journeys]
    return Detail(
        invoice=invoice,
        integration=integration,
        delivery=delivery,
        lines=invoice_lists.first_lines(invoice.id),
        journeys=journeys,
        credits=invoice_lists.first_credits(invoice.id),
        exceptions=_exceptions(invoice.id),
        pdf=pdf,
        history=history.latest(_about(invoice.id, paying, delivery)),
        has_usable_credit=invoice.is_payable and credit_left,
        source=connect.current() if invoice.autotask_id is None else None,
    )


def of(invoice: Invoice) -> Detail:
    return find(invoice.id)


def _with_what_belongs_to_it(invoice_id: int) -> Any:
    """The invoice with its customer, its delivery, integration and PDF, and whether a credit could be applied to it."""
    credit = aliased(Invoice)
    credit_left = (
        select(credit.id)
        .where(
            credit.tenant_id == Invoice.tenant_id,
            credit.customer_id == Invoice.customer_id,
            credit.currency == Invoice.currency,
            credit.status == InvoiceStatus.CREDIT,
            credit.archived_at.is_(None),
            credit.outstanding < 0,
        )
        .exists()
    )
    statement = (
        select(Invoice, Delivery, Integration, InvoicePdf, credit_left)
        .join(Invoice.customer)
        .outerjoin(Delivery, (Delivery.tenant_id == Invoice.tenant_id) & (Delivery.invoice_id == Invoice.id))
        .outerjoin(
            Integration,
            (Integration.tenant_id == Invoice.tenant_id) & (Integration.id == Invoice.integration_id),
        )
        .outerjoin(
            InvoicePdf, (InvoicePdf.tenant_id == Invoice.tenant_id) & (InvoicePdf.invoice_id == Invoice.id)
        )
        .where(Invoice.tenant_id == current_tenant_id(), Invoice.id == invoice_id)
        .options(contains_eager(Invoice.customer), undefer(Invoice.last_read_at))
    )
    return db.session.execute(statement).one_or_none()


def history_of(invoice_id: int) -> history.About:
    """The invoice with all its payments, deleted ones included."""
    return _about(invoice_id, payments.ids_of_invoice(invoice_id), delivery_of(invoice_id))


def _about(invoice_id: int, payment_ids: Sequence[int], delivery: Delivery | None) -> history.About:
    return history.of_invoice(invoice_id, payment_ids, [delivery.id] if delivery else [])


def delivery_of(invoice_id: int) -> Delivery | None:
    """What Autotask is to be told about this invoice."""
    return db.session.scalar(scoped(Delivery).where(Delivery.invoice_id == invoice_id))


def integration_of(invoice: Invoice) -> Integration | None:
    """Where the invoice came from; None for one made here."""
    if invoice.integration_id is None:
        return None
    return db.session.get(Integration, (invoice.tenant_id, invoice.integration_id))


def _exceptions(invoice_id: int) -> Sequence[ExceptionItem]:
    return db.session.scalars(
        scoped(ExceptionItem)
        .where(ExceptionItem.invoice_id == invoice_id, ExceptionItem.state == ExceptionState.OPEN)
        .order_by(ExceptionItem.id)
    ).all()
