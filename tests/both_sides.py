"""A partner whose Autotask is a sandbox, and an invoice that stands in both."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import Customer, Delivery, DeliveryAttempt, ExceptionItem, Integration, Invoice, Tenant
from portal.reconcile import deliver
from sandbox import Sandbox
from tests import factories


@pytest.fixture
def sandbox(app: Flask) -> Iterator[Sandbox]:
    """An empty Autotask that the app finds and trusts."""
    with Sandbox(customers=0, invoices=0) as running:
        app.config["AUTOTASK_DISCOVERY_URL"] = running.discovery_url
        app.config["AUTOTASK_TRUSTED_HOSTS"] = ["127.0.0.1"]
        yield running


@pytest.fixture
def partner(app: Flask) -> Iterator[Tenant]:
    """A partner, in scope for the test."""
    with app.app_context():
        tenant = factories.tenant()
        with factories.inside(tenant):
            yield tenant


@dataclass
class Both:
    """The two sides of one partner."""

    app: Flask
    sandbox: Sandbox
    partner: Tenant
    integration: Integration
    customer: Customer

    def invoice(self, amount: str = "100.00", **values: Any) -> Invoice:
        """An invoice in Autotask, and as a sync would have brought it here."""
        key = self.sandbox.add_invoice(
            companyID=self.customer.autotask_id,
            invoiceNumber=values.get("number", "INV-1"),
            invoiceTotal=Decimal(amount),
            totalTaxValue=Decimal(0),
        )
        return factories.invoice(self.customer, amount, **{"autotask_id": key, "number": "INV-1", **values})

    def pay(self, invoice: Invoice, amount: str = "100.00", on: date = date(2026, 11, 19)) -> Any:
        return factories.payment((factories.refreshed(invoice), amount), on=on)

    def deliver(self) -> int:
        return deliver.deliver_due()

    def shown(self, invoice: Invoice) -> date | None:
        """The paid date that Autotask shows."""
        row = self.sandbox.invoice(invoice.autotask_id or 0)
        assert row is not None
        return date.fromisoformat(row["paidDate"][:10]) if row["paidDate"] else None

    def sandbox_item(self, invoice: Invoice) -> dict[str, Any]:
        """The invoice as Autotask holds it."""
        row = self.sandbox.invoice(invoice.autotask_id or 0)
        assert row is not None
        return row

    def set_paid(self, invoice: Invoice, on: date | None) -> None:
        """Autotask's people set or remove the paid date."""
        text = f"{on.isoformat()}T00:00:00" if on else None
        self.sandbox.change_invoice(invoice.autotask_id or 0, paidDate=text)

    def delivery(self, invoice: Invoice) -> Delivery:
        db.session.expire_all()
        return db.session.scalars(scoped(Delivery).where(Delivery.invoice_id == invoice.id)).one()

    def attempts(self) -> list[DeliveryAttempt]:
        db.session.expire_all()
        return list(db.session.scalars(scoped(DeliveryAttempt).order_by(DeliveryAttempt.id)))

    def exceptions(self) -> dict[str, str]:
        """Open exceptions: cause to detail."""
        db.session.expire_all()
        rows = db.session.scalars(scoped(ExceptionItem).where(ExceptionItem.state == "open"))
        return {row.cause: row.detail for row in rows}

    def make_due(self) -> None:
        """Time passes: what waits for a later try is due."""
        for row in db.session.scalars(select(Delivery)):
            if row.next_try_at is not None:
                row.next_try_at = row.wished_at
        db.session.commit()


@pytest.fixture
def connect_to(app: Flask, partner: Tenant) -> Callable[..., Integration]:
    return lambda sandbox, **values: factories.connected_to(sandbox, app, **values)


@pytest.fixture
def both(app: Flask, sandbox: Sandbox, partner: Tenant, connect_to: Callable[..., Integration]) -> Both:
    integration = connect_to(sandbox)
    key = sandbox.add_company(companyName="Acme")
    customer = factories.customer(integration, autotask_id=key, name="Acme")
    return Both(app, sandbox, partner, integration, customer)
