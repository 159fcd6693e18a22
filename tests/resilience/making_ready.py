"""What one row of the table needs of the database, made while all parts are there."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING

from flask.testing import FlaskClient

from portal import clock, storage
from portal.access import recovery_codes, totp
from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import Customer, Integration, Invoice, InvoicePdf, PdfState, Tenant, User
from portal.sync import runs
from tests import factories
from tests.fixtures.people import browser, cookie_of

if TYPE_CHECKING:
    from tests.resilience.portal_at_work import AtWork

PDF = b"%PDF-1.7 a printed invoice"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NUMBERS = count(1)


@dataclass
class Row:
    """What was made ready for one row of the table, before its part was taken away. Ids, and people's cookies."""

    owner: FlaskClient
    staff: FlaskClient
    email: str
    codes: list[str]
    open_id: int
    payment_id: int
    due_id: int
    run_id: int
    recorded: list[int] = field(default_factory=list)
    is_deleted: bool = False


def make_ready(at: AtWork) -> Row:
    """People; an invoice to be paid, one that was paid and told, and one whose payment is to be told; a run that waits."""
    with at.app.app_context():
        partner = db.session.get_one(Tenant, at.partner_id)
        owner, staff = factories.member(partner, "owner"), factories.user(staff=True)
        email, codes = owner.email, _enrolled(owner)
        cookies = cookie_of(at.app, owner), cookie_of(at.app, staff)
    open_id, paid_id, due_id = (at.inside(lambda: _invoice(at)) for _ in range(3))
    payment_id = at.inside(lambda: _pay(at, paid_id))
    at.go_round("deliveries")
    at.inside(lambda: _pay(at, due_id))
    run_id = at.inside(lambda: _run(at))
    clients = [browser(at.app, cookie) for cookie in cookies]
    return Row(clients[0], clients[1], email, codes, open_id, payment_id, due_id, run_id)


def _enrolled(person: User) -> list[str]:
    user = db.session.merge(person)
    totp.add(user, "My phone", SECRET)
    user.second_factor_at = clock.now()
    codes = recovery_codes.make_anew(user)
    db.session.commit()
    return codes


def _invoice(at: AtWork) -> int:
    """In both, with a PDF that is here."""
    number, company = f"INV-{next(NUMBERS)}", at.customer[1]
    key = at.autotask.add_invoice(
        companyID=company, invoiceNumber=number, invoiceTotal=Decimal(100), totalTaxValue=Decimal(0)
    )
    customer = db.session.get_one(Customer, (at.partner_id, at.customer[0]))
    row = factories.invoice(customer, autotask_id=key, number=number)
    place = f"invoices/{row.id}.pdf"
    storage.put(at.partner_id, place, PDF)
    here = {"invoice_id": row.id, "state": PdfState.HERE, "name": "a.pdf", "storage_key": place}
    db.session.add(InvoicePdf(tenant_id=at.partner_id, **here))
    db.session.commit()
    return row.id


def _pay(at: AtWork, invoice_id: int) -> int:
    return factories.payment((db.session.get_one(Invoice, (at.partner_id, invoice_id)), "100.00")).id


def _run(at: AtWork) -> int:
    """It will bring one invoice more."""
    at.autotask.add_invoice(companyID=at.customer[1], invoiceTotal=Decimal(5))
    run = runs.start(db.session.scalars(scoped(Integration)).one(), "new", "button", factories.ACTOR)
    db.session.commit()
    return run.id
