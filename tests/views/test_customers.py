"""Customers and home: who owes what, and is anything wrong?"""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import attention, clock
from portal.extensions import db
from portal.models import Cause, Contact, Customer, Integration, Invoice, Tenant
from tests import factories
from tests.reading import element, elements, words, words_of

TODAY = clock.today("UTC")
USD = "\N{NO-BREAK SPACE}USD"


@pytest.fixture
def partner(app: Flask) -> Tenant:
    with app.app_context():
        return factories.tenant(slug="northwind")


@pytest.fixture
def reader(partner: Tenant, log_in: Callable[..., FlaskClient]) -> FlaskClient:
    return log_in(partner, "reader")


def owing(app: Flask, partner: Tenant) -> dict[str, int]:
    """Adatum owes 300, of which 100 are overdue, and has a credit of 20; Contoso owes 50; Tailspin nothing."""
    with app.app_context(), factories.inside(db.session.merge(partner)):
        ids = {}
        for name in ("Adatum", "Contoso", "Tailspin"):
            ids[name] = factories.customer(name=name).id
        for name, amount, due in (
            ("Adatum", "100.00", -1),
            ("Adatum", "200.00", 0),
            ("Contoso", "50.00", 5),
            ("Adatum", "-20.00", 0),
        ):
            customer = factories.refreshed(db.session.get_one(Customer, (partner_id(), ids[name])))
            factories.invoice(customer, amount, due_on=TODAY + timedelta(days=due))
        return ids


def partner_id() -> int:
    from portal.access.tenancy import current_tenant_id

    return current_tenant_id()


def names(page: str) -> list[str]:
    return [name for name in ("Adatum", "Contoso", "Tailspin") if f">{name}</a>" in page]


def test_who_owes_most_stands_first(app: Flask, partner: Tenant, reader: FlaskClient) -> None:
    owing(app, partner)
    page = reader.get("/p/northwind/customers").text
    assert page.index(">Adatum<") < page.index(">Contoso<") < page.index(">Tailspin<")
    assert f"3 customers, 350.00{USD} outstanding, 100.00{USD} of it overdue." in page


def test_amounts_of_several_currencies_are_never_compared(
    app: Flask, partner: Tenant, reader: FlaskClient
) -> None:
    """Who owes most in the partner's own currency first, then in the others, and the list says so."""
    with app.app_context(), factories.inside(db.session.merge(partner)):
        source_id = factories.integration(app).id
        for name, currency, amount in (
            ("Nothing", "USD", "0"), ("Yen", "JPY", "90000"), ("Euro", "EUR", "7.00"), ("Little", "USD", "5.00"),
            ("Dollar", "USD", "80.00"), ("More", "EUR", "8.00"),
        ):  # fmt: skip
            source = db.session.get_one(Integration, (partner_id(), source_id))
            customer = factories.customer(source, name=name, currency=currency)
            if amount != "0":
                factories.invoice(customer, amount)
    page = reader.get("/p/northwind/customers").text
    order = [row.get_text(strip=True) for row in elements(page, "tbody[data-list] th")]
    assert order == ["Dollar", "Little", "More", "Euro", "Yen", "Nothing"]
    assert "6 customers on this page, who owes most first: in USD, then in EUR, then in JPY" in words_of(page)
    assert "who owes most" not in words_of(reader.get("/p/northwind/customers?order=name").text)


def test_home_says_which_invoices_are_not_compared(app: Flask, partner: Tenant, reader: FlaskClient) -> None:
    """All invoices of the list of all are either compared or named with why not."""
    with app.app_context(), factories.inside(db.session.merge(partner)):
        source_id = factories.integration(app).id
        for values in ({}, {"is_voided": True}, {"is_voided": True}, {"outside_filters_at": clock.now()}):
            source = db.session.get_one(Integration, (partner_id(), source_id))
            factories.invoice(factories.customer(source), "5.00", **values)
        factories.invoice(factories.customer(), "5.00")
        for away in (True, False):  # there and back leaves nothing to say
            row = db.session.query(Invoice).filter_by(agreement="portal_only").one()
            row.archived_at = clock.now() if away else None
            db.session.commit()
        archived = factories.invoice(factories.customer(source), "5.00", missing_since=clock.now())
        archived.archived_at = clock.now()
        db.session.commit()
    page = reader.get("/p/northwind/").text
    assert "0 no longer" not in words_of(page)
    said = words_of(page)
    assert "Both sides agree on the only invoice." in said
    assert [f"Not compared {one}" in said for one in ("2 voided", "1 outside filters", "1 only here")] == [
        True
    ] * 3
    assert {link["href"].partition("?")[2] for link in elements(page, "#agreement a")} >= {
        "show=all&agreement=voided", "show=all&agreement=outside_filters", "show=all&agreement=portal_only"
    }  # fmt: skip


def test_the_first_thing_that_needs_you_is_one_click_away(
    app: Flask, partner: Tenant, reader: FlaskClient
) -> None:
    with app.app_context(), factories.inside(db.session.merge(partner)):
        for key in ("first", "second"):
            attention.open_item(Cause.BAD_RECORD, "invoice", key, label=f"Invoice {key}", detail="Broken.")
            db.session.commit()
    page = reader.get("/p/northwind/").text
    link = next(one for one in elements(page, "a") if one.get_text(strip=True) == "Look at the first one")
    assert "Invoice first" in words(reader, str(link["href"]))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("show=owing", ["Adatum", "Contoso"]),
        ("show=overdue", ["Adatum"]),
        ("show=archived", []),
        ("q=toso", ["Contoso"]),
        ("q=%25", []),
        ("order=name", ["Adatum", "Contoso", "Tailspin"]),
        ("older=x&show=odd&order=odd", ["Adatum", "Contoso", "Tailspin"]),
    ],
)
def test_the_list_is_narrowed(
    app: Flask, partner: Tenant, reader: FlaskClient, query: str, found: list[str]
) -> None:
    owing(app, partner)
    assert names(reader.get(f"/p/northwind/customers?{query}").text) == found


@pytest.mark.parametrize("order", ["owed", "name"])
def test_every_customer_is_reached_by_next(
    app: Flask, partner: Tenant, reader: FlaskClient, order: str
) -> None:
    with app.app_context(), factories.inside(db.session.merge(partner)):
        for number in range(55):
            factories.customer(name=f"C{number % 7}~{number}")
    first = reader.get(f"/p/northwind/customers?order={order}").text
    older = element(first, "a[rel=next]")["href"]
    second = reader.get(older).text
    assert first.count('<th scope="row"') == 50
    assert second.count('<th scope="row"') == 5
    assert not {n for n in range(55) if f"~{n}<" in first and f"~{n}<" in second}


def test_a_customer_shows_balance_credit_contacts_and_payments(
    app: Flask, partner: Tenant, reader: FlaskClient
) -> None:
    ids = owing(app, partner)
    with app.app_context(), factories.inside(db.session.merge(partner)):
        db.session.add(
            Contact(
                tenant_id=partner_id(),
                customer_id=ids["Adatum"],
                first_name="Mara",
                email="mara@adatum.example",
            )
        )
        db.session.commit()
    page = reader.get(f"/p/northwind/customers/{ids['Adatum']}").text
    assert f"Owes 300.00{USD}, 100.00{USD} of it overdue; 20.00{USD} credit left." in page
    assert "mara@adatum.example" in page
    assert "Record payment" not in page


def test_a_strangers_customer_does_not_exist(app: Flask, partner: Tenant, reader: FlaskClient) -> None:
    with app.app_context(), factories.inside(factories.tenant(slug="elsewhere")):
        theirs = factories.customer().id
    assert reader.get(f"/p/northwind/customers/{theirs}").status_code == 404
    assert reader.get(f"/p/elsewhere/customers/{theirs}").status_code == 404


def test_home_says_whether_both_sides_agree_and_what_needs_you(
    app: Flask, partner: Tenant, reader: FlaskClient
) -> None:
    assert "Nothing is connected yet." in reader.get("/p/northwind/").text
    with app.app_context(), factories.inside(db.session.merge(partner)):
        source_id = factories.integration(app).id
        source = db.session.get_one(Integration, (partner_id(), source_id))
        agreeing = factories.invoice(factories.customer(source), "10.00", due_on=TODAY - timedelta(days=40))
        assert agreeing.agreement == "agrees"
    assert "Both sides agree on the only invoice." in reader.get("/p/northwind/").text
    with app.app_context(), factories.inside(db.session.merge(partner)):
        source = db.session.get_one(Integration, (partner_id(), source_id))
        waiting = factories.invoice(factories.customer(source), "30.00")
        factories.payment((waiting, "30.00"), on=TODAY)
        attention.open_item(
            Cause.SYNC_FAILED, "sync_run", "new", label="The hourly sync", detail="It failed."
        )
        db.session.commit()
    page = words(reader, "/p/northwind/")
    assert "Both sides agree on 1 of 2 invoices. 1 thing needs you. 1 is on the way." in page
    assert "It failed." in page
    assert "31 to 60 days" in page


def test_archiving_a_customer_who_owes_asks_once_with_what_is_owed(
    app: Flask, partner: Tenant, log_in: Callable[..., FlaskClient]
) -> None:
    ids, manager = owing(app, partner), log_in(partner, "manager")
    address = f"/p/northwind/customer-edits/{ids['Adatum']}/archive"
    asked = manager.post(address)
    assert asked.status_code == 422
    assert "Adatum still owes 300.00 USD on 2 open invoices." in words_of(asked.text)
    assert manager.post(address, data={"told": "another sum"}).status_code == 422
    told = re.search(r'name="told" value="([^"]+)"', manager.get(address).text)
    assert told is not None
    assert manager.post(address, data={"told": told[1]}).status_code == 303
    assert ">Adatum</a>" not in manager.get("/p/northwind/customers").text
    assert manager.post(f"/p/northwind/customer-edits/{ids['Tailspin']}/archive").status_code == 303


def test_archiving_missing_customers_together_asks_too(
    app: Flask, partner: Tenant, log_in: Callable[..., FlaskClient], superuser: Any
) -> None:
    ids, manager = owing(app, partner), log_in(partner, "manager")
    superuser.execute("UPDATE customer SET missing_since = now()")

    chosen = {"kind": "customer", "id": list(ids.values())}
    asked = manager.post("/p/northwind/missing/archive", data=chosen)
    assert asked.status_code == 422
    assert "Contoso still owes" in asked.text
    assert "Tailspin still owes" not in asked.text
    told = re.search(r'name="told" value="([^"]+)"', asked.text)
    assert told is not None
    assert manager.post("/p/northwind/missing/archive", data=chosen | {"told": told[1]}).status_code == 303
    assert "Archived" in manager.get("/p/northwind/missing?kind=customer&show=archived").text


def test_a_currency_that_no_country_uses_is_refused(
    partner: Tenant, log_in: Callable[..., FlaskClient]
) -> None:
    clerk = log_in(partner, "clerk")
    for code in ("ZZZ", "XXX", "DEM"):
        answer = clerk.post("/p/northwind/customer-edits/new", data={"name": "Adatum", "currency": code})
        assert (answer.status_code, f"There is no currency {code}." in answer.text) == (422, True)
    made = clerk.post("/p/northwind/customer-edits/new", data={"name": "Adatum", "currency": "eur"})
    assert made.status_code == 303
