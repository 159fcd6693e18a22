"""Rows for tests: each function makes only what it names, inside the tenant scope of its partner."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from itertools import count
from typing import Any

from portal import crypto, ledger
from portal.access import passwords
from portal.access.actor import Actor, Source
from portal.access.tenancy import people_scope, tenant_scope
from portal.extensions import db
from portal.models import (
    Customer,
    Integration,
    Invoice,
    InvoiceLine,
    Membership,
    Payment,
    Tenant,
    User,
)
from portal.payments import recording

PASSWORD = "correct horse battery"
_numbers = count(1)

ACTOR = Actor(source=Source.COMMAND)


@cache
def _password_hash() -> str:
    return passwords.hashed(PASSWORD)


def tenant(slug: str = "", **values: Any) -> Tenant:
    number = next(_numbers)
    row = Tenant(slug=slug or f"partner-{number}", name=values.pop("name", f"Partner {number}"), **values)
    db.session.add(row)
    db.session.commit()
    return row


def user(email: str = "", *, staff: bool = False, **values: Any) -> User:
    row = User(
        email=email or f"person-{next(_numbers)}@example.com",
        password_hash=_password_hash(),
        is_staff=staff,
        **values,
    )
    with people_scope():
        db.session.add(row)
        db.session.commit()
    return row


def member(partner: Tenant, role: str = "owner", **values: Any) -> User:
    person = user(**values)
    with tenant_scope(partner.id):
        db.session.add(Membership(tenant_id=partner.id, user_id=person.id, role=role))
        db.session.commit()
    return person


@contextmanager
def inside(partner: Tenant) -> Iterator[None]:
    with tenant_scope(partner.id):
        yield


def connected_to(sandbox: Any, app: Any, **values: Any) -> Integration:
    """The integration of the partner in scope with this sandbox; further values replace the usual ones."""
    usual = {"username": sandbox.username, "secret": sandbox.secret, "zone_url": sandbox.api_url}
    return integration(app, **{**usual, **values})


def integration(app: Any, **values: Any) -> Integration:
    """A connected Autotask integration of the partner in scope; `secret` is encrypted into its place."""
    secret = values.pop("secret", "a-secret")
    row = Integration(
        **{
            "tenant_id": _tenant_id(),
            "state": "connected",
            "role": "primary",
            "identifier": "number",
            "email": "billing@example.com",
            "username": "api@example.com",
            "zone_url": "http://127.0.0.1:1/ATServicesRest/",
            "sync_minute": 7,
            "sync_hour": 3,
            "totals_mode": "with_tax",
            "secret": b"",
            **values,
        }
    )
    db.session.add(row)
    db.session.flush()
    place = crypto.place(row.tenant_id, "integration", "secret", row.id)
    row.secret = crypto.encrypt(app.config["ENCRYPTION_KEYS"], place, secret)
    db.session.commit()
    return row


def customer(of: Integration | None = None, **values: Any) -> Customer:
    number = next(_numbers)
    row = Customer(
        **{
            "tenant_id": _tenant_id(),
            "integration_id": of.id if of else None,
            "autotask_id": 1000 + number if of else None,
            "name": f"Customer {number}",
            "currency": "USD",
            **values,
        }
    )
    db.session.add(row)
    db.session.commit()
    return row


def invoice(customer: Customer, amount: str | Decimal = "100.00", **values: Any) -> Invoice:
    number = next(_numbers)
    synced = customer.integration_id is not None
    row = Invoice(
        **{
            "tenant_id": customer.tenant_id,
            "integration_id": customer.integration_id,
            "autotask_id": 5000 + number if synced else None,
            "customer_id": customer.id,
            "number": f"INV-{number}",
            "autotask_number": f"INV-{number}" if synced else None,
            "issued_on": date(2026, 11, 1),
            "due_on": date(2026, 12, 1),
            "currency": customer.currency,
            "total_raw": Decimal(amount),
            "amount_due": Decimal(amount),
            "autotask_read_at": datetime(2026, 11, 20, tzinfo=UTC) if synced else None,
            "autotask_due_on": values.get("due_on", date(2026, 12, 1)) if synced else None,
            **values,
        }
    )
    db.session.add(row)
    db.session.flush()
    ledger.restate([row.id])
    db.session.commit()
    return refreshed(row)


def line(invoice: Invoice, price: str | Decimal = "100.00", **values: Any) -> InvoiceLine:
    number = next(_numbers)
    row = InvoiceLine(
        **{
            "tenant_id": invoice.tenant_id,
            "integration_id": invoice.integration_id,
            "autotask_id": 9000 + number,
            "invoice_id": invoice.id,
            "name": f"Line {number}",
            "quantity": Decimal(1),
            "rate": Decimal(price),
            "price_raw": Decimal(price),
            "tax_raw": Decimal(0),
            "total_raw": Decimal(price),
            **values,
        }
    )
    db.session.add(row)
    db.session.commit()
    return row


def payment(*allocations: tuple[Invoice, str], on: date = date(2026, 11, 19), **values: Any) -> Payment:
    """A payment recorded the real way: wish and audit event come with it."""
    new = recording.NewPayment(
        allocations=[(invoice.id, Decimal(amount)) for invoice, amount in allocations],
        method=values.pop("method", "check"),
        paid_on=on,
        old_day_confirmed=True,
        **values,
    )
    row = recording.record(ACTOR, new)
    db.session.commit()
    return row


def refreshed(row: Any) -> Any:
    """The row as the database holds it now."""
    db.session.expire_all()
    db.session.refresh(row)
    return row


def _tenant_id() -> int:
    from portal.access.tenancy import current_tenant_id

    return current_tenant_id()
