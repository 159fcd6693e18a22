"""Invoices of the partner's own system. None of it goes to Autotask but that they are paid (rule 3.8). The caller commits."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from portal import clock, connect, ledger
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.imports import customers, invoice_rules, lines, outcome
from portal.imports.given import GivenInvoice, GivenLine
from portal.imports.invoice_rules import Known
from portal.imports.outcome import Outcome, Refusal
from portal.models import Agreement, Customer, Invoice, Tenant

Called = Callable[[Sequence[str]], Mapping[str, Customer]]
OF_THE_INVOICE = ("number", "issued_on", "due_on", "currency", "order_number", "comments")
# Columns as the API calls them; the others follow from these.
TOLD = {name: name for name in OF_THE_INVOICE} | {
    "customer_id": "customer", "total_raw": "net", "tax_raw": "tax", "amount_due": "total", "is_voided": "voided",
}  # fmt: skip


def take(given: Sequence[GivenInvoice], called: Called = customers.named) -> list[Outcome]:
    """Makes and changes invoices so that each is as it is given; an outcome for each, in their order.

    What follows from them (status, agreement, exceptions, wishes) is derived before it returns; the caller commits,
    then rings the bell of deliveries. `called` finds their customers by what the invoices call them.
    """
    found = look(given, called)
    db.session.flush()
    outcomes = outcome.made(Invoice, found)
    _finish(given, outcomes)
    return outcomes


def look(given: Sequence[GivenInvoice], called: Called = customers.named) -> list[Outcome | dict[str, Any]]:
    """What taking them would do, with the columns of those to add; nothing is written until the session is flushed."""
    customers.lock()
    known = _known(given, called)
    stand = lines.of([row.id for row in known.invoices.values()])
    against = invoice_rules.of_all(given, known)
    return [_decide(one, why, known, stand) for one, why in zip(given, against, strict=True)]


def _known(given: Sequence[GivenInvoice], called: Called) -> Known:
    ids = {one.external_id for one in given}
    here = select(Invoice.id).where(Invoice.tenant_id == current_tenant_id(), Invoice.external_id.in_(ids))
    ledger.lock_invoices(db.session.scalars(here).all())
    rows = db.session.scalars(
        scoped(Invoice)
        .where(Invoice.external_id.in_(ids))
        .options(joinedload(Invoice.customer))
        .execution_options(populate_existing=True)
    )
    return Known(
        invoices={str(row.external_id): row for row in rows},
        customers=called([one.customer for one in given]),
        claimed=_claimed(given),
        held=_held(given),
        integration=connect.current(),
        twice=outcome.repeated(one.external_id for one in given),
    )


def _claimed(given: Sequence[GivenInvoice]) -> dict[str, str]:
    """Who of these has each number: whoever is given first."""
    found: dict[str, str] = {}
    for one in given:
        if not one.voided:
            found.setdefault(one.number, one.external_id)
    return found


def _held(given: Sequence[GivenInvoice]) -> dict[str, str]:
    """Who has one of their numbers here and does not come in with them."""
    coming = {one.external_id for one in given}
    pairs = select(Invoice.number, Invoice.external_id).where(
        Invoice.tenant_id == current_tenant_id(),
        Invoice.number.in_([one.number for one in given]),
        Invoice.external_id.is_not(None),
        Invoice.external_id.not_in(coming),
        Invoice.is_voided.is_(False),
    )
    return {number: str(external_id) for number, external_id in db.session.execute(pairs)}


def _decide(
    given: GivenInvoice,
    refusals: Sequence[Refusal],
    known: Known,
    stand: Mapping[int, Sequence[GivenLine]],
) -> Outcome | dict[str, Any]:
    """The outcome, or the columns of a row to add."""
    if refusals:
        return outcome.refused(given.external_id, refusals)
    row, customer = known.invoices.get(given.external_id), known.customers[given.customer]
    values = _values(given, row, customer.id)
    if row is None:
        named = {"tenant_id": current_tenant_id(), "external_id": given.external_id}
        return {**named, **values, "agreement": Agreement.PORTAL_ONLY}
    found = outcome.compared(row, {name: values[name] for name in TOLD})
    changes = {TOLD[name]: pair for name, pair in found.items()}
    if "customer" in changes:
        changes["customer"] = (row.customer.name, customer.name)
    told = lines.change(stand.get(row.id, ()), given.lines)
    for name, value in values.items():
        setattr(row, name, value)
    return outcome.taken(given.external_id, row.id, row.number, changes | ({"lines": told} if told else {}))


def _values(given: GivenInvoice, row: Invoice | None, customer_id: int) -> dict[str, Any]:
    """The columns of an invoice. One that Autotask voided stays so."""
    voided_there = row is not None and row.is_voided and not row.voided_by_source
    voided = given.voided or voided_there
    return {name: getattr(given, name) for name in OF_THE_INVOICE} | {
        "customer_id": customer_id,
        "total_raw": given.net,
        "tax_raw": given.tax,
        "amount_due": invoice_rules.amount_due(given),
        "is_voided": voided,
        "voided_by_source": given.voided and not voided_there,
        "voided_on": _voided_on(row) if voided else None,
    }


def _voided_on(row: Invoice | None) -> date:
    """The day it was voided: today, in the partner's zone, where it was not yet."""
    if row is not None and row.voided_on is not None:
        return row.voided_on
    return clock.today(db.session.get_one(Tenant, current_tenant_id()).time_zone)


def _finish(given: Sequence[GivenInvoice], outcomes: Sequence[Outcome]) -> None:
    """The lines of those that are new or have others now, and what follows from all that changed."""
    wanted = {
        one.row_id: record.lines
        for record, one in zip(given, outcomes, strict=True)
        if one.row_id and ((one.is_created and record.lines) or "lines" in one.changes)
    }
    if wanted:
        lines.replace(wanted)
    ledger.restate([one.row_id for one in outcomes if one.row_id and (one.is_created or one.changes)])
