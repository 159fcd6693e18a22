"""A partner's books with something of everything, for looking at pages."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from flask import Flask

from portal import attention, clock, ledger
from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import (
    Cause,
    Contact,
    Customer,
    Delivery,
    DeliveryAttempt,
    Invoice,
    InvoicePdf,
    SyncChange,
    SyncRun,
    SyncSchedule,
)
from tests import factories

NAMES = (
    "Adatum Dental Group", "Contoso Logistics and Warehousing", "Fabrikam Legal", "Lakeside Clinics",
    "Tailspin Toys", "Woodgrove Bank", "Proseware Engineering", "Litware Insurance", "Northwind Bakery",
    "Graphic Design Institute", "Humongous Insurance and Reinsurance of the Eastern Seaboard", "Wingtip",
)  # fmt: skip
SLUG = "harbour"


def open_books(app: Flask) -> dict[str, int]:
    """Fills the partner `harbour`; ids of rows worth opening, by what they show."""
    with app.app_context():
        partner = factories.tenant(slug=SLUG, name="Harbour Technology", time_zone="America/New_York")
        factories.member(partner, email="dana@harbour.example", name="Dana Whitfield")
        with factories.inside(partner):
            ids = _fill(app)
            ids["partner"] = partner.id
            return ids


def _fill(app: Flask) -> dict[str, int]:
    today = clock.today("America/New_York")
    source_id = factories.integration(app).id
    run = _run(partner_id := _tenant_id(), source_id)
    ids = {"run": run}
    invoices = [_customer(source_id, number, name, today) for number, name in enumerate(NAMES)]
    ids["customer"] = _row(Invoice, invoices[0][0]).customer_id
    ids |= _payments(invoices, today)
    _contacts(ids["customer"])
    db.session.add(SyncChange(tenant_id=partner_id, run_id=run, subject_type="invoice", subject_id=ids["paid"],
                              label="INV-1041", field="Due date", old_value="2026-11-01", new_value="2026-11-15"))  # fmt: skip
    db.session.add(
        InvoicePdf(
            tenant_id=partner_id, invoice_id=ids["paid"], state="here", name="INV-1041.pdf", size=118_000
        )
    )
    db.session.commit()
    return ids


def _customer(source_id: int, number: int, name: str, today: date) -> list[int]:
    from portal.models import Integration

    source = _row(Integration, source_id)
    customer_id = factories.customer(
        source, name=name, phone="+1 207 555 0142", address="12 Harbour Street\nPortland, ME 04101",
        autotask_read_at=clock.now(),
    ).id  # fmt: skip
    made = []
    for n in range(4):
        amount = Decimal("412.50") * (number + 1) + 37 * n
        issued = today - timedelta(days=18 * n + number)
        due = issued + timedelta(days=30)
        made.append(
            factories.invoice(
                _row(Customer, customer_id), amount, number=f"INV-{1040 + number * 4 + n}", issued_on=issued,
                due_on=due, autotask_due_on=due, autotask_read_at=clock.now() - timedelta(minutes=12),
            ).id
        )  # fmt: skip
    if number % 5 == 0:
        made.append(
            factories.invoice(
                _row(Customer, customer_id), "-120.00", number=f"CR-{number + 11}", issued_on=today
            ).id
        )
    return made


def _payments(invoices: list[list[int]], today: date) -> dict[str, int]:
    first, second, third, fourth = invoices[:4]
    paid = _pay([(first[1], None)], today - timedelta(days=2), "check", "Check 2041")
    _confirm(first[1])
    part = _pay([(first[0], "200.00")], today - timedelta(days=1), "ach", "ACH 99120")
    waiting = _pay([(second[0], None), (second[1], "100.00")], today, "card", "")
    gone = _pay([(third[0], "50.00")], today - timedelta(days=9), "cash", "")
    from portal.payments import recording

    recording.delete(factories.ACTOR, gone, "Recorded twice by mistake")
    stuck = _pay([(fourth[0], None)], today - timedelta(days=4), "wire", "WIRE-7")
    _park(fourth[0])
    for months in range(1, 6):
        old = today - timedelta(days=30 * months)
        _pay([(invoices[4 + months % 6][3], "310.00")], old, "check", f"Check {2041 - months}")
    return {
        "paid": first[1], "part": first[0], "waiting": second[0], "stuck": fourth[0], "payment_confirmed": paid,
        "payment_part": part, "payment_waiting": waiting, "payment_deleted": gone, "payment_stuck": stuck,
        "credit": invoices[0][4], "open": invoices[0][2],
    }  # fmt: skip


def _pay(parts: list[tuple[int, str | None]], on: date, method: str, reference: str) -> int:
    rows = [(_row(Invoice, invoice_id), amount) for invoice_id, amount in parts]
    return factories.payment(
        *[(row, amount or str(row.outstanding)) for row, amount in rows],
        on=on,
        method=method,
        reference=reference,
    ).id


def _confirm(invoice_id: int) -> None:
    delivery = _delivery(invoice_id)
    now = clock.now()
    db.session.add(
        DeliveryAttempt(
            tenant_id=delivery.tenant_id, delivery_id=delivery.id, wish_version=1, wish_paid_on=delivery.wish_paid_on,
            outcome="confirmed", wrote=delivery.wish_paid_on.isoformat(), started_at=now, finished_at=now,
        )
    )  # fmt: skip
    delivery.state, delivery.sent_at, delivery.confirmed_at = "confirmed", now, now
    delivery.done_version, delivery.our_mark_on = delivery.wish_version, delivery.wish_paid_on
    _row(Invoice, invoice_id).autotask_paid_on = delivery.wish_paid_on
    ledger.restate([invoice_id])
    db.session.commit()


def _park(invoice_id: int) -> None:
    delivery = _delivery(invoice_id)
    delivery.state, delivery.attempts, delivery.error = (
        "parked",
        9,
        "Autotask did not answer within 20 seconds.",
    )
    ledger.restate([invoice_id])
    invoice = _row(Invoice, invoice_id)
    attention.open_item(
        Cause.DELIVERY_PARKED, "delivery", str(invoice_id), label=f"Invoice {invoice.number}",
        detail="Autotask could not be told that this invoice is paid: it did not answer within 20 seconds, 9 times.",
        invoice_id=invoice_id,
    )  # fmt: skip
    db.session.commit()


def _contacts(customer_id: int) -> None:
    db.session.add_all(
        Contact(
            tenant_id=_tenant_id(),
            customer_id=customer_id,
            first_name=first,
            last_name=last,
            email=email,
            billing=billing,
        )
        for first, last, email, billing in (
            ("Mara", "Lindqvist", "mara@adatum.example", True),
            ("Tom", "Okafor", "", False),
        )
    )
    db.session.commit()


def _run(tenant_id: int, source_id: int) -> int:
    done = clock.now() - timedelta(minutes=12)
    run = SyncRun(
        tenant_id=tenant_id, integration_id=source_id, kind="new", trigger="schedule", state="completed",
        created_at=done, started_at=done, finished_at=done, items={"invoices": {"found": 48, "created": 48}},
    )  # fmt: skip
    soon = clock.now() + timedelta(minutes=48)
    db.session.add_all(
        [run, SyncSchedule(tenant_id=tenant_id, integration_id=source_id, kind="new", next_due_at=soon)]
    )
    db.session.commit()
    return run.id


def _delivery(invoice_id: int) -> Delivery:
    return db.session.scalars(scoped(Delivery).where(Delivery.invoice_id == invoice_id)).one()


def _row(model: Any, row_id: int) -> Any:
    return db.session.get_one(model, (_tenant_id(), row_id))


def _tenant_id() -> int:
    from portal.access.tenancy import current_tenant_id

    return current_tenant_id()
