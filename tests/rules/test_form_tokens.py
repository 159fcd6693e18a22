"""A form without its session's token changes nothing, and is answered by a page of ours (ASVS 3.5.1)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from portal.access.tenancy import people_scope
from portal.extensions import db
from portal.models import FactorReset, Membership
from portal.web.error_pages import FORM_EXPIRED, LOGGED_OUT
from portal.web.security_headers import HEADERS
from tests import factories, uploaded
from tests.fixtures.form_tokens import NONE, STALE
from tests.fixtures.people import with_factor_proved
from tests.rules.test_every_route import SAFE, access, path, routes, rows_by_table
from tests.webhooks import hooks

HTMX = {"HX-Request": "true"}
OWNER, STAFF = "owner@northwind.example", "kim@portal.example"
# Good values for every field of every form: what keeps them out is the token alone.
FILLED_IN = {
    "amount": "1.00", "amount_due": "1.00", "paid_on": "2026-11-19", "method": "check", "key": "k" * 20,
    "reason": "The partner asked on the phone", "ticket": "T-1", "minutes": "30", "name": "Checkout",
    "scopes": "read", "currency": "USD", "number": "N-1", "issued_on": "2026-11-01", "due_on": "2026-12-01",
    "email": "billing@northwind.example", "username": "api@northwind.example", "secret": "a-secret",
    "identifier": "id", "role": "primary", "totals_mode": "without_tax", "time_zone": "Europe/Berlin",
    "confirmation": "disconnect", "kind": "invoices", "contacts": "all", "password": factories.PASSWORD,
    "url": "https://a.example/hooks", "kinds": "invoice.paid",
}  # fmt: skip


@dataclass
class Place:
    """A partner's rows: what addresses name, and what forms choose."""

    ids: dict[str, int]
    values: dict[str, str] = field(default_factory=dict)

    def number(self, rule: Rule) -> int:
        return next((self.ids[name] for name in rule.arguments if name in self.ids), 1)


@pytest.fixture
def place(app: Flask) -> Place:
    with app.app_context():
        partner = factories.tenant("northwind")
        factories.member(partner, email=OWNER)
        with factories.inside(partner):
            customer = factories.customer(factories.integration(app))
            invoice = factories.invoice(customer)
            credit = factories.invoice(customer, "-50.00")
            payment = factories.payment((factories.invoice(customer), "100.00"))
            own = factories.customer()
            made = Place({"customer_id": own.id, "invoice_id": invoice.id, "payment_id": payment.id})
            made.ids["file_id"] = uploaded.staged("Name\nUploaded\n").id
            (made.ids["endpoint_id"],) = hooks.listening()
            made.values = FILLED_IN | {
                "invoice": str(invoice.id),
                "invoice_id": str(invoice.id),
                "credit_id": str(credit.id),
                "customer_id": str(customer.id),
                "words": f"invoice,amount,date,method\n{invoice.number},1.00,2026-11-19,check\n",
            }
        asking = factories.member(partner, "clerk")
        reset = FactorReset(user_id=asking.id, asked_hash=b"of no link")
        with people_scope():
            db.session.add(reset)
            db.session.commit()
        with factories.inside(partner):
            mine = Membership.user_id == asking.id
            made.ids["member_id"] = db.session.scalars(db.select(Membership.id).where(mine)).one()
        made.ids["reset_id"] = reset.id
        factories.user(STAFF, staff=True, staff_admin=True)
        db.session.remove()
        return made


def unsafe(app: Flask, place: Place) -> Iterator[tuple[Rule, str, str]]:
    for partner in (True, False):
        for rule, method in routes(app, partner=partner):
            if method not in SAFE and access(app, rule) != "api":
                yield rule, method, path(app, rule, "northwind", place.number(rule))


def browser(app: Flask, email: str) -> FlaskClient:
    client = app.test_client()
    if email:
        with_factor_proved(client, email)
    return client


def closed(rule: Rule, mark: str, email: str) -> bool:
    """Staff outside a visit find no partner's page, members none of staff's: 404, whatever the token."""
    return (mark == "staff" and email == OWNER) or ("partner_slug" in rule.arguments and email == STAFF)


@pytest.mark.in_turn(3)
@pytest.mark.parametrize("token", [NONE, STALE])
@pytest.mark.parametrize("email", ["", OWNER, STAFF])
def test_every_form_without_its_token_is_refused_in_words_and_changes_no_row(
    app, place, superuser, email, token
):
    client = browser(app, email)
    before = rows_by_table(superuser)
    for rule, method, target in unsafe(app, place):
        for headers in ({}, HTMX):
            answer = client.open(target, method=method, token=token, headers=headers, data=place.values)
            told = (method, str(rule), answer.status_code)
            assert HEADERS.items() <= dict(answer.headers).items(), told
            if closed(rule, access(app, rule), email):
                assert answer.status_code in (400, 404), told
            else:
                assert answer.status_code in ((400, 422) if headers else (400,)), told
                stranger = not email and access(app, rule) != "public"
                assert (LOGGED_OUT if stranger else FORM_EXPIRED).title in answer.text, told
    assert rows_by_table(superuser) == before
