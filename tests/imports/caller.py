"""A partner's own billing system, as it calls the API."""

from collections.abc import Callable
from typing import Any

from flask import Flask

from portal.access import api_keys
from portal.access.api_keys import Scope
from portal.extensions import db
from portal.models import Invoice, Tenant
from tests import factories

CUSTOMER = {"name": "Fabrikam", "currency": "USD"}
LINES = [{"name": "Hosting", "amount": "100.00", "tax": "19.00"}, {"name": "Support", "amount": "10.00"}]
INVOICE = {"customer": "C-1", "number": "A-1", "currency": "USD", "issued_on": "2026-11-01", "lines": LINES}


class Caller:
    """A partner whose own system holds a key."""

    def __init__(self, app: Flask, slug: str = "northwind") -> None:
        self.app, self.browser = app, app.test_client()
        with app.app_context():
            self.partner = factories.tenant(slug).id
        self.secret = self.inside(lambda: self.key(list(Scope)))

    def key(self, scopes: list[str]) -> str:
        _, secret = api_keys.create(factories.ACTOR, "ERP", scopes)
        db.session.commit()
        return secret

    def inside(self, work: Callable[[], Any]) -> Any:
        with self.app.app_context(), factories.inside(db.session.get_one(Tenant, self.partner)):
            return work()

    def tenant(self) -> Tenant:
        return db.session.get_one(Tenant, self.partner)

    def put(self, path: str, body: Any, secret: str = "") -> Any:
        headers = {"Authorization": f"Bearer {secret or self.secret}"}
        return self.app.test_client().put(f"/api/v1/{path}", json=body, headers=headers)

    def get(self, path: str) -> Any:
        return self.browser.get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {self.secret}"}).json

    def row(self, number: str = "A-1") -> Invoice:
        return db.session.query(Invoice).filter_by(number=number).one()

    def pay(self, amount: str) -> None:
        def record() -> None:
            factories.payment((self.row(), amount))

        self.inside(record)

    def count(self, model: Any) -> int:
        return int(self.inside(lambda: db.session.query(model).count()))


def pointers(answer: Any) -> list[str]:
    return [one["pointer"] for one in answer.json["errors"]]
