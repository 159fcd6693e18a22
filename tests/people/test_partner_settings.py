"""What a partner is called, how it writes dates, and whether support may come in."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import clock
from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import Invoice, Tenant
from tests import factories
from tests.reading import elements

LogIn = Callable[..., FlaskClient]
TODAY = clock.today("UTC").isoformat()
SETTINGS = "/p/northwind/settings/partner"
ASKED = {
    "name": "Northwind IT", "default_currency": "USD", "date_format": "day_month_year", "support_access": "view",
    "number_format": "comma_point",
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
        {"number_format": "odd"},
        {"support_access": "always"},
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


def test_amounts_are_shown_typed_and_searched_as_the_partner_writes_them(
    app: Flask, partner: Tenant, log_in: LogIn
) -> None:
    with app.app_context(), tenant_scope(partner.id):
        customer = factories.customer()
        number, of = factories.invoice(customer, "1234.50").id, customer.id
    owner = log_in(partner)
    assert owner.post(SETTINGS, data=ASKED | {"number_format": "point_comma"}).status_code == 303
    page = f"/p/northwind/payments/new?invoice={number}"
    assert "1.234,50" in owner.get("/p/northwind/invoices").text
    assert "1.234,50" in owner.get("/p/northwind/invoices?q=1.234,50").text
    form = owner.get(page).text
    assert 'value="1234,50"' in form
    assert 'data-owed="1234,50"' in form
    sent = {"customer": of, "key": "a-key-of-this-form", "paid_on": TODAY, "method": "check"}
    wrong = owner.post("/p/northwind/payments", data=sent | {"amount": "1,000.25"})
    assert (wrong.status_code, "like 1234,50." in wrong.text) == (422, True)
    assert owner.post("/p/northwind/payments", data=sent | {"amount": "1.000,25"}).status_code == 303
    with app.app_context(), tenant_scope(partner.id):
        assert db.session.get_one(Invoice, (partner.id, number)).outstanding == Decimal("234.25")
    assert "234,25" in owner.get("/p/northwind/invoices").text


def test_with_a_second_factor_for_all_a_clerk_sets_one_up_before_the_next_page(
    app: Flask, partner: Tenant, log_in: LogIn
) -> None:
    with app.app_context():
        cleo = factories.member(partner, "clerk", email="cleo@example.com")
    owner, clerk = log_in(partner), app.test_client()
    clerk.post("/login", data={"email": cleo.email, "password": factories.PASSWORD})
    assert clerk.get("/p/northwind/").status_code == 200
    assert owner.post(SETTINGS, data=ASKED | {"second_factor_for_all": "y"}).status_code == 303
    assert clerk.get("/p/northwind/").location.startswith("/you/factors")
    assert "Second factor for everybody: no → yes" in owner.get("/p/northwind/activity").text
    assert (
        "checked" in re.search(r'<input[^>]*name="second_factor_for_all"[^>]*>', owner.get(SETTINGS).text)[0]
    )
    assert owner.post(SETTINGS, data=ASKED).status_code == 303
    assert clerk.get("/p/northwind/").status_code == 200


def test_in_the_company_settings_an_owner_lets_support_act_for_a_time_and_takes_it_back(
    app: Flask, partner: Tenant, log_in: LogIn
) -> None:
    owner = log_in(partner)
    assert owner.post(SETTINGS, data=ASKED | {"support_access": "act", "act_hours": "4"}).status_code == 303
    until = stored(app, partner).support_act_until
    assert until is not None
    assert timedelta(hours=3) < until - clock.now() < timedelta(hours=5)
    page = owner.get(SETTINGS).text
    assert re.search(r'value="act"[^>]* checked|checked[^>]* value="act"', page)
    assert "as agreed" in page
    owner.post(SETTINGS, data=ASKED | {"support_access": "act", "act_hours": "0", "name": "Northwind 2"})
    assert stored(app, partner).support_act_until == until, "as agreed before"
    owner.post(SETTINGS, data=ASKED | {"support_access": "view"})
    assert stored(app, partner).support_act_until is None
    told = owner.get("/p/northwind/activity").text
    assert "Support access to act granted" in told


def test_a_time_that_was_not_agreed_to_cannot_be_kept(app: Flask, partner: Tenant, log_in: LogIn) -> None:
    owner = log_in(partner)
    for hours in ("0", "5", "999", "x"):
        answer = owner.post(SETTINGS, data=ASKED | {"support_access": "act", "act_hours": hours})
        assert answer.status_code == 422, hours
    assert stored(app, partner).support_act_until is None


def test_a_time_counts_only_where_support_may_act(app: Flask, partner: Tenant, log_in: LogIn) -> None:
    """What was agreed ran out while the page was open, which still offers it."""
    owner = log_in(partner)
    sent = ASKED | {"act_hours": "0", "name": "Northwind 2", "agreed": "2026-11-19T08:00:00+00:00"}
    late = owner.post(SETTINGS, data=sent | {"support_access": "act"})
    assert (late.status_code, "Not a valid choice" in late.text) == (422, False)
    assert "What was agreed is over by now. Choose for how long from now on." in late.text
    assert owner.post(SETTINGS, data=sent).status_code == 303
    assert stored(app, partner).name == "Northwind 2"


def shown(browser: FlaskClient) -> dict[str, str]:
    """What the page sends back, apart from what is typed."""
    return {
        str(one["name"]): str(one["value"]) for one in elements(browser.get(SETTINGS).text, "[name=agreed]")
    }


@pytest.mark.parametrize("before", [None, "1"])
def test_a_page_that_was_open_takes_back_only_the_agreement_that_it_showed(
    app: Flask, partner: Tenant, log_in: LogIn, before: str | None
) -> None:
    owner, other = log_in(partner), log_in(partner)
    if before:
        other.post("/p/northwind/settings/support/consent", data={"hours": before})
    page = shown(owner)
    other.post("/p/northwind/settings/support/consent", data={"hours": "24"})
    until = stored(app, partner).support_act_until
    assert owner.post(SETTINGS, data=ASKED | page | {"name": "Northwind 2"}).status_code == 303
    assert (stored(app, partner).support_act_until, stored(app, partner).name) == (until, "Northwind 2")
    assert "Since your page was opened, an owner agreed" in owner.get("/p/northwind/settings").text
    assert owner.post(SETTINGS, data=ASKED | shown(owner)).status_code == 303
    assert stored(app, partner).support_act_until is None, "that one was shown"


def test_an_owner_who_meets_support_is_led_to_let_it_act(
    partner: Tenant, log_in: LogIn, visit: Callable[..., FlaskClient], superuser: Any
) -> None:
    owner, reader = log_in(partner), log_in(partner, "reader")
    visit(partner)
    (number,) = superuser.execute("SELECT max(id) FROM support_visit").fetchone()
    leads = 'href="/p/northwind/settings/support#consent"'
    assert leads in owner.get("/p/northwind/invoices").text
    assert leads in owner.get(f"/p/northwind/activity/visits/{number}").text
    assert leads not in reader.get("/p/northwind/invoices").text
