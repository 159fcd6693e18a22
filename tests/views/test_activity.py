"""Activity says what: which invoice, customer and amount, what before and after, with links that open."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask
from flask.testing import FlaskClient

from portal import attention, own_records
from portal.access import audit
from portal.attention import decisions
from portal.autotask.filters import SyncFilters
from portal.connect.settings import set_identifier
from portal.extensions import db
from portal.models import AuditEvent, Cause, Customer, ExceptionItem, Integration, Invoice, Tenant
from portal.payments import recording
from portal.queries.event_words import SENTENCES
from portal.sync import filter_choices
from tests import factories
from tests.factories import ACTOR


@pytest.fixture
def reader(app: Flask, log_in: Callable[..., FlaskClient]) -> FlaskClient:
    with app.app_context():
        partner = factories.tenant(slug="northwind")
        with factories.inside(partner):
            _act(app, partner.id)
        return log_in(db.session.query(Tenant).one(), "reader")


def _act(app: Flask, partner_id: int) -> None:
    """One deed of many kinds, done the real way."""
    source_id = factories.integration(app).id

    def source() -> Integration:
        return db.session.get_one(Integration, (partner_id, source_id))

    adatum_id = factories.customer(source(), name="Adatum").id

    def adatum() -> Customer:
        return db.session.get_one(Customer, (partner_id, adatum_id))

    first, second = (factories.invoice(adatum(), "100.00", number=f"INV-{n}").id for n in (1, 2))
    pair = [db.session.get_one(Invoice, (partner_id, one)) for one in (first, second)]
    paid = factories.payment((pair[0], "100.00"), (pair[1], "20.00"), reference="Check 7")
    recording.delete(ACTOR, paid.id, "Bounced")
    changed = db.session.get_one(Invoice, (partner_id, second))
    own_records.change_invoice(ACTOR, changed, Decimal("90.00"), date(2026, 12, 24))
    own_records.archive(ACTOR, "invoice", [first, second])
    attention.open_item(Cause.OVERPAID, "invoice", "1", label="Invoice INV-1", detail="Too much")
    decisions.resolve(ACTOR, db.session.query(ExceptionItem).all(), "Talked to them")
    one = source()
    one.picklists = {"company_types": {"1": "Customer", "2": "Lead"}}
    filter_choices.save(ACTOR, one, SyncFilters(company_types=(1, 2), active_only=True))
    set_identifier(ACTOR, source(), "id")
    db.session.commit()


def told(page: str) -> list[Tag]:
    return list(BeautifulSoup(page, "lxml").select("td[data-label=What]"))


def test_each_event_names_its_records_and_what_changed(reader: FlaskClient) -> None:
    page = reader.get("/p/northwind/activity").text
    lines = [" ".join(one.get_text().split()) for one in told(page)]
    expected = [
        ("Number shown on invoices changed", "number → Autotask ID"),
        ("Filters changed", "Only active customers: no → yes · Company types: any → Customer, Lead"),
        ("Exception Invoice INV-1 resolved", "Reason: Talked to them"),
        ("Invoices ", "archived"),
        ("Invoice ", "changed"),
        ("Payment of 120.00 USD by Adatum deleted", "Reason: Bounced"),
        ("Payment of 120.00 USD by Adatum recorded for ", "Reference: Check 7"),
    ]
    for line, (begins, holds) in zip(lines, expected, strict=True):
        assert line.startswith(begins), (line, begins)
        assert holds in line, (line, holds)
    assert "Due on: 1 Dec 2026 → 24 Dec 2026 · Amount due: 100.00 → 90.00" in lines[4]


def test_every_link_of_the_page_opens_and_asks_no_question_a_row(
    app: Flask, reader: FlaskClient, count_queries: Callable[..., int]
) -> None:
    page = reader.get("/p/northwind/activity").text
    links = {str(link["href"]) for one in told(page) for link in one.select("a")}
    assert len(links) >= 4
    assert {link: reader.get(link).status_code for link in links} == dict.fromkeys(links, 200)
    few = count_queries(lambda: reader.get("/p/northwind/activity"))
    with app.app_context(), factories.inside(db.session.query(Tenant).one()):
        adatum = db.session.query(Customer).one()
        for _ in range(4):
            factories.payment((factories.invoice(adatum), "1.00"))
            adatum = db.session.query(Customer).one()
    assert count_queries(lambda: reader.get("/p/northwind/activity")) == few


def test_the_filter_of_records_holds_archiving_and_exceptions(reader: FlaskClient) -> None:
    assert len(told(reader.get("/p/northwind/activity?kind=records").text)) == 3


def test_an_event_without_its_details_or_record_is_still_told(app: Flask, reader: FlaskClient) -> None:
    with app.app_context(), factories.inside(db.session.query(Tenant).one()):
        for event in [*SENTENCES, "stamp.licked"]:
            audit.record(ACTOR, event, event.partition(".")[0], 999_999)
            audit.record(ACTOR, event, event.partition(".")[0])
        db.session.commit()
        assert db.session.query(AuditEvent).count() > 60
    for address in ("/p/northwind/activity", "/p/northwind/activity?kind=payments"):
        assert reader.get(address).status_code == 200
    assert "Stamp licked" in reader.get("/p/northwind/activity/export.csv").text
