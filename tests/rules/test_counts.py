"""A number that says "look at this" is a link, and as many rows stand behind it."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from portal import clock
from portal.extensions import db
from portal.models import LEFT, NOT_TAKEN_IN, Delivery, Invoice, SyncChange, SyncRun, Tenant
from portal.sync import tables
from portal.sync.table import HIDDEN
from tests import factories
from tests.browser import books
from tests.pages import Page, every_page, rows_behind

# A number and, at most three words after it, what asks for a person.
ASKS = re.compile(
    r"(?<![\d.,])\d[\d,]* (?:[\w'-]+ ){0,3}?"
    r"(?:needs? you|needs? a|(?:is|are) (?:late|stuck)|stuck|failed|changed|differs?\b|waits?\b)"
)


SHOWN_NOWHERE = {"currency_autotask_id", "modified_at", "autotask_created_at", "item_type", "sort_order"}


@pytest.fixture
def owner(app: Flask, log_in: Callable[..., FlaskClient]) -> FlaskClient:
    """Somebody at a partner with something late, stuck, missing, differing, failed and changed."""
    ids = books.open_books(app)
    with app.app_context():
        partner = db.session.get_one(Tenant, ids["partner"])
        with factories.inside(partner):
            then = clock.now() - timedelta(minutes=40)
            db.session.execute(
                update(Delivery).where(Delivery.state == "waiting").values(wished_at=then, next_try_at=then)
            )
            db.session.execute(update(Invoice).where(Invoice.id == ids["open"]).values(missing_since=then))
            run = db.session.get_one(SyncRun, (partner.id, ids["run"]))
            run.items = {
                "invoices": {"found": 160, "created": 48, "changed": 62, "failed": 2, "unchanged": 49},
                "pdfs": {"found": 1, "failed": 1},
            }
            db.session.add_all(told_of(run))
            db.session.commit()
    with app.app_context():
        return log_in(db.session.get_one(Tenant, ids["partner"]), "owner")


def told_of(run: SyncRun) -> list[SyncChange]:
    """60 changed invoices beside the one of the books, each with two fields, and one that left; failures."""
    rows = [
        ("invoice", 10_000 + number, name, "1", "2")
        for number in range(60)
        for name in ("Due date", "Comments")
    ]
    rows += [("invoice", 10_060, LEFT[0], "no", "yes")]
    rows += [("invoice", 0, NOT_TAKEN_IN, "", "companyID is no number")] * 2
    rows += [("pdf", 10_001, NOT_TAKEN_IN, "", "Autotask has no PDF of this invoice.")]
    return [
        SyncChange(
            tenant_id=run.tenant_id, run_id=run.id, subject_type=subject, subject_id=row_id, label=f"INV-{row_id}",
            field=name, old_value=old, new_value=new,
        )
        for subject, row_id, name, old, new in rows
    ]  # fmt: skip


def test_a_number_that_asks_for_a_person_leads_to_as_many_rows(owner: FlaskClient) -> None:
    """The guard over all pages: a new count needs its link, and the list behind it is the same query."""
    wrong, bare, followed = [], {}, dict[str, int]()
    for path, page in every_page(owner, f"/p/{books.SLUG}/"):
        if found := asking(page):
            bare[path] = found
        for number, address in page.counts:
            if address not in followed:
                followed[address] = rows_behind(owner, address)
            if followed[address] != number:
                wrong.append(f"{path} says {number}, {address} lists {followed[address]}")
    assert wrong == []
    assert bare == {}
    led = " ".join(followed)
    for kind in (
        "exceptions",
        "deliveries?show=needs",
        "what=changed",
        "what=failed",
        "agreement=",
        "state=",
    ):
        assert kind in led, f"no number leads to {kind}"


def test_the_guard_sees_a_number_without_its_link() -> None:
    assert asking(Page("<html><body><p>1,204 invoices need you.</p></body></html>")) == [
        "1,204 invoices need you"
    ]
    linked = '<html><body><p><a href="/x" data-counts="3">3 deliveries</a> are stuck, 5.00 waiting</p></body></html>'
    assert asking(Page(linked)) == []


@pytest.mark.parametrize(
    "table", [tables.CUSTOMER, tables.CONTACT, tables.INVOICE, tables.LINE], ids=lambda t: t.name
)
def test_a_field_that_comes_in_is_told_when_it_changes_or_is_shown_nowhere(table: tables.Table) -> None:
    """So a record counted as changed has a row that says what changed."""
    hidden = {name for name, column in table.columns.items() if column.words == HIDDEN}
    assert hidden <= SHOWN_NOWHERE, "a column that a page shows is told of when it changes"


def asking(page: Page) -> list[str]:
    return ASKS.findall(re.sub(r"\s+", " ", page.outside))
