"""What a partner is called, how it writes dates, and whether support may come in."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import Tenant
from tests import factories

LogIn = Callable[..., FlaskClient]
SETTINGS = "/p/northwind/settings/partner"
ASKED = {
    "name": "Northwind IT", "default_currency": "USD", "date_format": "day_month_year", "support_access": "view",
}  # fmt: skip


def stored(app: Flask, partner: Tenant) -> Tenant:
    with app.app_context():
        return db.session.get_one(Tenant, partner.id)


def test_an_owner_changes_them_and_the_log_tells_what_was_before(
    app: Flask, partner: Tenant, log_in: LogIn
) -> None:
    owner = log_in(partner)
    changed = ASKED | {"name": "Northwind <b>GmbH", "default_currency": "eur"}
    assert owner.post(SETTINGS, data=changed).status_code == 303
    assert (stored(app, partner).name, stored(app, partner).default_currency) == ("Northwind <b>GmbH", "EUR")
    assert "Northwind &lt;b&gt;GmbH" in owner.get("/p/northwind/").text
    told = owner.get("/p/northwind/activity").text
    assert "Company settings changed" in told
    assert "USD → EUR" in told
    before = told.count("Company settings changed")
    owner.post(SETTINGS, data=changed)
    assert owner.get("/p/northwind/activity").text.count("Company settings changed") == before


@pytest.mark.parametrize(
    ("chosen", "shown"), [("month_day_year", "Nov 1, 2026"), ("year_month_day", "2026-11-01")]
)
def test_the_chosen_dates_are_on_pages_and_not_in_another_partners(
    app: Flask, partner: Tenant, log_in: LogIn, chosen: str, shown: str
) -> None:
    with app.app_context():
        other = factories.tenant("contoso")
        for one in (partner, other):
            with tenant_scope(one.id):
                factories.invoice(factories.customer(), issued_on=date(2026, 11, 1))
        factories.refreshed(other)
    owner = log_in(partner)
    assert "1 Nov 2026" in owner.get("/p/northwind/invoices").text
    owner.post(SETTINGS, data=ASKED | {"date_format": chosen})
    assert shown in owner.get("/p/northwind/invoices").text
    assert "1 Nov 2026" in log_in(other).get("/p/contoso/invoices").text


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "x" * 81},
        {"default_currency": "ZZZ"},
        {"date_format": "odd"},
        {"support_access": "act"},
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    app: Flask, partner: Tenant, log_in: LogIn, wrong: dict[str, Any]
) -> None:
    assert log_in(partner).post(SETTINGS, data=ASKED | wrong).status_code == 422
    assert stored(app, partner).name == "Northwind IT"


@pytest.mark.parametrize("role", ["manager", "clerk", "reader"])
def test_only_owners_change_them(partner: Tenant, log_in: LogIn, role: str) -> None:
    """Rule 7.1."""
    member = log_in(partner, role)
    assert (member.get(SETTINGS).status_code, member.post(SETTINGS, data=ASKED).status_code) == (403, 403)


def test_without_access_support_cannot_come_in_and_a_visit_ends_at_once(
    app: Flask, partner: Tenant, log_in: LogIn, visit: Callable[..., FlaskClient]
) -> None:
    """Rule 7.2."""
    owner = log_in(partner)
    inside = visit(partner)
    assert inside.get("/p/northwind/").status_code == 200
    assert owner.post(SETTINGS, data=ASKED | {"support_access": "off"}).status_code == 303
    assert inside.get("/p/northwind/").status_code == 404
    reason = {"reason": "The partner asked for help on the phone", "minutes": "30"}
    refused = inside.post("/staff/partners/northwind/visit", data=reason)
    assert (refused.status_code, "lets no support in" in refused.text) == (422, True)
