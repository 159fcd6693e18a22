"""Settings, activity and search: who belongs here, what happened, where it is."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import clock
from portal.access import audit
from portal.access.actor import Actor, Source
from portal.extensions import db
from portal.models import Tenant
from tests import factories
from tests.reading import element, words_of

HOSTILE = "<img src=x onerror=alert(1)>{{7*7}}"


@pytest.fixture
def partner(app: Flask) -> Tenant:
    with app.app_context():
        return factories.tenant(slug="northwind")


def test_a_key_is_shown_once_and_works_until_it_is_revoked(
    app: Flask, partner: Tenant, log_in: Callable[..., FlaskClient]
) -> None:
    owner = log_in(partner)
    asked = {"name": "Checkout", "scopes": ["read"], "key": "the-key-of-this-form"}
    made = owner.post("/p/northwind/settings/api-keys", data=asked)
    assert made.status_code == 201
    again = owner.post("/p/northwind/settings/api-keys", data=asked)
    assert (again.status_code, "portal_" in again.text) == (303, False)
    assert owner.get("/p/northwind/settings").text.count("<code>portal_") == 1
    assert made.headers["Cache-Control"] == "no-store"
    secret = re.search(r"<code>(portal_[\w-]+)</code>", made.text)
    assert secret is not None
    assert secret[1] not in owner.get("/p/northwind/settings").text
    call = {"Authorization": f"Bearer {secret[1]}"}
    assert app.test_client().get("/api/v1/invoices", headers=call).status_code == 200
    revoke = re.search(r"/p/northwind/settings/api-keys/\d+/revoke", owner.get("/p/northwind/settings").text)
    assert revoke is not None
    told = owner.get(revoke[0]).text
    assert "From the next request on, whoever uses it is refused" in words_of(told)
    assert owner.post(revoke[0]).status_code == 422
    assert app.test_client().get("/api/v1/invoices", headers=call).status_code == 200
    confirmed = re.search(r'name="told" value="(\d+)"', told)
    assert confirmed is not None
    for _ in range(2):
        assert owner.post(revoke[0], data={"told": confirmed[1]}).status_code == 303
    assert app.test_client().get("/api/v1/invoices", headers=call).status_code == 401
    assert "API key “Checkout” revoked" in owner.get("/p/northwind/activity?kind=people").text


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"name": "x"},
        {"scopes": ["read"]},
        {"name": "x", "scopes": ["all"]},
        {"name": "x" * 81, "scopes": ["read"]},
        {"name": "x", "scopes": ["read"], "key": ""},
    ],
)
def test_a_key_needs_a_name_and_known_scopes(
    partner: Tenant, log_in: Callable[..., FlaskClient], data: dict[str, Any]
) -> None:
    asked = {"key": "the-key-of-this-form"} | data
    assert log_in(partner).post("/p/northwind/settings/api-keys", data=asked).status_code == 422


def test_only_owners_make_keys_and_set_the_zone(partner: Tenant, log_in: Callable[..., FlaskClient]) -> None:
    """Rule 7.1."""
    manager = log_in(partner, "manager")
    page = manager.get("/p/northwind/settings").text
    assert "Make a key" not in page
    assert "Save time zone" not in page
    assert (
        manager.post("/p/northwind/settings/api-keys", data={"name": "x", "scopes": ["read"]}).status_code
        == 403
    )
    assert manager.post("/p/northwind/settings/time-zone", data={"time_zone": "UTC"}).status_code == 403


def test_the_zone_decides_what_times_pages_show(partner: Tenant, log_in: Callable[..., FlaskClient]) -> None:
    owner = log_in(partner)
    assert owner.post("/p/northwind/settings/time-zone", data={"time_zone": "Mars/Base"}).status_code == 422
    assert owner.post("/p/northwind/settings/time-zone", data={"time_zone": "Asia/Tokyo"}).status_code == 303
    assert "Times in JST" in owner.get("/p/northwind/activity").text


def test_activity_names_both_people_of_a_support_action(
    app: Flask, partner: Tenant, log_in: Callable[..., FlaskClient], visit: Callable[..., FlaskClient]
) -> None:
    """Rule 7.3."""
    with app.app_context():
        factories.member(partner, name="Olive Owner")
    support = visit(partner)
    support.get("/p/northwind/invoices?q=secret-word")
    page = log_in(partner, "reader").get("/p/northwind/activity?who=support").text
    assert "Sam Support" in page
    assert "support, as Olive Owner" in page
    opened = re.search(r"/p/northwind/activity/visits/\d+", page)
    assert opened is not None
    owner = log_in(partner)
    assert "GET /p/northwind/invoices?q=secret-word" in owner.get(opened[0]).text
    end = re.search(r"/p/northwind/support-visits/\d+/stop", owner.get("/p/northwind/activity").text)
    assert end is not None
    owner.post(end[0])
    assert support.get("/p/northwind/invoices").status_code == 404


def test_the_log_pages_filters_and_goes_into_a_file(
    app: Flask, partner: Tenant, log_in: Callable[..., FlaskClient], count_queries: Callable[..., int]
) -> None:
    with app.app_context(), factories.inside(db.session.merge(partner)):
        for number in range(60):
            audit.record(
                Actor(Source.COMMAND), "payment.recorded", "payment", number, reason=f"={HOSTILE}{number}"
            )
        db.session.commit()
    reader = log_in(partner, "reader")
    first = reader.get("/p/northwind/activity?kind=payments").text
    assert "<img src=x" not in first
    assert "60 events" in first
    older = str(element(first, "a[rel=next]")["href"])
    assert reader.get(older).text.count('<th scope="row">') == 10
    assert "Nothing happened in this filter." in reader.get("/p/northwind/activity?kind=autotask").text
    for odd in ("kind=odd", "from=x&to=9999-12-31", "older=x", "older=" + "9" * 30):
        assert reader.get(f"/p/northwind/activity?{odd}").status_code == 200
    assert reader.get("/p/northwind/activity/export.csv").text.count("payment.recorded") == 60
    first_page = count_queries(lambda: reader.get("/p/northwind/activity"))
    assert first_page == count_queries(lambda: reader.get(older))


def test_strangers_visits_do_not_exist(
    app: Flask, partner: Tenant, log_in: Callable[..., FlaskClient], visit: Callable[..., FlaskClient]
) -> None:
    with app.app_context():
        other = factories.tenant(slug="contoso")
        factories.member(other)
        other = db.session.query(Tenant).filter_by(slug="contoso").one()
    visit(other)
    owner = log_in(partner)
    assert owner.get("/p/northwind/activity/visits/1").status_code == 404
    assert owner.get("/p/northwind/activity/visits/999999").status_code == 404


def test_search_finds_customers_and_invoices_of_this_partner_only(
    app: Flask, partner: Tenant, log_in: Callable[..., FlaskClient]
) -> None:
    with app.app_context():
        with factories.inside(db.session.merge(partner)):
            factories.invoice(
                factories.customer(factories.integration(app), name="Adatum"),
                number="INV-77",
                autotask_id=4242,
            )
        with factories.inside(factories.tenant()):
            factories.invoice(factories.customer(name="Adatum of others"), number="INV-77-THEIRS")
    reader = log_in(partner, "reader")
    for words, found in (("inv-77", "INV-77"), ("4242", "INV-77"), ("ADATUM", "Adatum")):
        page = reader.get("/p/northwind/search", query_string={"q": words}).text
        assert f">{found}</a>" in page
        assert "THEIRS" not in page
        assert "of others" not in page
    for words in ("", "%", "nothing", HOSTILE, "x" * 5000, "\0"):
        page = reader.get("/p/northwind/search", query_string={"q": words})
        assert page.status_code == 200
        assert "<img src=x" not in page.text


def test_customers_and_reconciliation_ask_no_question_a_row(
    app: Flask, partner: Tenant, log_in: Callable[..., FlaskClient], count_queries: Callable[..., int]
) -> None:
    reader = log_in(partner, "reader")
    paths = ("customers", "customers?order=name", "reconciliation", "search?q=customer", "")

    def counted() -> list[int]:
        return [count_queries(lambda path=path: reader.get(f"/p/northwind/{path}")) for path in paths]  # type: ignore[misc]

    def grow(times: int) -> None:
        with app.app_context(), factories.inside(db.session.merge(partner)):
            for _ in range(times):
                factories.payment((factories.invoice(factories.customer()), "1.00"), on=clock.today("UTC"))

    grow(1)
    one = counted()
    grow(6)
    assert counted() == one
