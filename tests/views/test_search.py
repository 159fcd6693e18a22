"""Search and the lists' own filters: number, Autotask ID, customer, reference, exact amount, whichever number is shown."""

from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from portal import clock
from portal.connect.settings import set_identifier
from portal.extensions import db
from portal.models import Customer, Integration, Tenant
from tests import factories


def kinds_of(page: str) -> list[str]:
    """The kinds of record that the rows of the page lead to."""
    links = BeautifulSoup(page, "lxml").select("th[scope=row] > a")
    return sorted({str(link["href"]).split("/")[3] for link in links})


@pytest.fixture(params=["number", "id"])
def reader(app: Flask, request: pytest.FixtureRequest, log_in: Callable[..., FlaskClient]) -> FlaskClient:
    """INV-4496 of Adatum (A-77) over 1,204.50 with 500.00 paid by check 90210, beside others that fit nothing."""
    with app.app_context():
        partner = factories.tenant(slug="northwind")
        with factories.inside(partner):
            source_id = factories.integration(app).id
            source = db.session.get_one(Integration, (partner.id, source_id))
            adatum = factories.customer(source, name="Adatum Dental", number="A-77", autotask_id=31337)
            invoice = factories.invoice(
                adatum, "1204.50", number="INV-4496", autotask_number="INV-4496", autotask_id=8123
            )
            factories.payment((invoice, "500.00"), reference="Check 90210")
            source = db.session.get_one(Integration, (partner.id, source_id))
            other = factories.customer(source, name="Contoso", number="C-1", autotask_id=40404)
            theirs = factories.invoice(other, "99.00", number="INV-1", autotask_id=9001)
            factories.payment((theirs, "10.00"), reference="Wire 5")
            source = db.session.get_one(Integration, (partner.id, source_id))
            of_theirs = factories.customer(source, name="Fabrikam", autotask_id=50505)
            put_away = factories.invoice(of_theirs, "77.00", number="RÉF-7", autotask_number="RÉF-7")
            factories.payment((put_away, "30.00"), reference="Überweisung MÜLLER 5")
            factories.refreshed(put_away).archived_at = clock.now()
            db.session.commit()
            source = db.session.get_one(Integration, (partner.id, source_id))
            set_identifier(factories.ACTOR, source, request.param)
            db.session.commit()
        return log_in(db.session.query(Tenant).one(), "reader")


FOUND = [
    ("inv-4496", {"search": "invoices payments", "invoices": "invoices", "payments": "payments"}),
    ("8123", {"search": "invoices payments", "invoices": "invoices", "payments": "payments"}),
    (
        "adatum",
        {"search": "customers invoices payments", "invoices": "invoices", "customers": "customers"},
    ),
    ("a-77", {"search": "customers invoices payments", "payments": "payments", "customers": "customers"}),
    ("31337", {"search": "customers invoices payments", "customers": "customers"}),
    ("90210", {"search": "invoices payments", "invoices": "invoices", "payments": "payments"}),
    ("1,204.50", {"search": "invoices", "invoices": "invoices", "payments": ""}),
    ("1204.5 USD", {"search": "invoices", "invoices": "invoices", "payments": ""}),
    ("704.50", {"search": "invoices", "invoices": "invoices"}),
    ("$500", {"search": "payments", "payments": "payments", "invoices": ""}),
    ("überweisung müller", {"search": "invoices payments", "payments": "payments"}),
    ("Überweisung", {"search": "invoices payments", "payments": "payments"}),
    ("réf-7", {"search": "invoices payments"}),
    ("RÉF-7", {"search": "invoices payments"}),
    ("47.00", {"search": "invoices"}),
    ("120", {"search": "", "invoices": "", "payments": "", "customers": ""}),
]


def test_the_words_find_the_one_that_is_meant(reader: FlaskClient) -> None:
    for words, found in FOUND:
        for place, kinds in found.items():
            asked = {"q": words} | ({} if place == "customers" else {"show": "all"})
            page = reader.get(f"/p/northwind/{place}", query_string=asked).text
            assert kinds_of(page) == sorted(kinds.split()), (words, place)
            assert "Contoso" not in page, (words, place)


def test_deliveries_and_exceptions_are_found_by_the_same_words(app: Flask, reader: FlaskClient) -> None:
    from portal import attention
    from portal.models import Cause, Invoice

    with app.app_context(), factories.inside(db.session.query(Tenant).one()):
        adatum = db.session.query(Customer).filter_by(name="Adatum Dental").one()
        invoice = factories.invoice(adatum, "7.00", autotask_number="SPECIAL-9", number="4711")
        factories.payment((invoice, "7.00"))
        assert db.session.query(Invoice).filter_by(number="4711").count() == 1
        attention.open_item(
            Cause.OVERPAID,
            "invoice",
            "1",
            label="Too much",
            detail="Words",
            invoice_id=factories.refreshed(invoice).id,
        )
        db.session.commit()
    for place in ("deliveries", "exceptions"):
        for words, rows in (("special-9", 1), ("a-77", 1), ("c-1", 0)):
            page = reader.get(f"/p/northwind/{place}", query_string={"q": words}).text
            assert page.count("4711</a>") == rows, (place, words)
