"""Whatever people and Autotask write stays text: on every page, in every file, in every log line (ASVS 1.2, 16.4).

HOSTILE=1 takes each of the 160 texts to each place; a usual run a part of them.
"""

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import structlog
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from portal import clock, logs, plain_text
from portal.access import api_keys
from portal.access.permissions import Permission
from portal.access.tenancy import people_scope, tenant_scope
from portal.connect import sync_minutes
from portal.extensions import db
from portal.models import LoginSession, SupportVisit
from portal.sync import filter_choices
from portal.web import limits
from sandbox import Sandbox
from sandbox.seed.reference import PICKLISTS
from tests import factories
from tests.fixtures.people import with_factor_proved
from tests.hostile_texts import HOSTILE_TEXTS, alive
from tests.how_many import how_many
from tests.rules.test_every_route import access, routes
from tests.rules.test_reading import path
from tests.sync.conftest import sync

pytestmark = pytest.mark.sandbox(customers=0, invoices=0)
WHOLE = bool(how_many("HOSTILE"))
TEXTS = HOSTILE_TEXTS if WHOLE else HOSTILE_TEXTS[::16]
PLAIN = [f"Plain words {number}" for number in range(len(TEXTS))]
FORMULA = re.compile(r"[\s\u200b\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]")
AMOUNT = re.compile(r"-?[0-9.,]+")


class World:
    """A partner into whom these texts come from every side; `pages` draws all that shows them."""

    def __init__(self, app: Flask, sandbox: Sandbox, slug: str, texts: list[str]) -> None:
        self.app, self.sandbox, self.slug, self.texts = app, sandbox, slug, texts
        with app.app_context():
            tenant = factories.tenant(slug, name=texts[0])
            self.owner = factories.member(tenant, email=f"owner@{slug}.example", name=texts[1]).id
            with tenant_scope(tenant.id):
                self.fill(tenant.id)
            self.id = tenant.id
            db.session.remove()
        self.browser: FlaskClient = with_factor_proved(app.test_client(), f"owner@{slug}.example")

    def fill(self, tenant_id: int) -> None:
        row = factories.integration(
            self.app,
            username=self.sandbox.username,
            secret=self.sandbox.secret,
            zone_url=self.sandbox.api_url,
        )
        sync_minutes.plan(row)
        companies = self.companies()
        assert sync(row).state == "completed"
        for number, key in enumerate(companies):
            self.sandbox.change_company(key, companyName=self.texts[-number])
        assert sync(row, forced=True).state == "completed"
        filter_choices.choices(row, anew=True)
        self.people(tenant_id)
        db.session.commit()

    def companies(self) -> list[int]:
        """Customers, contacts, invoices, lines and picklists of Autotask, each with texts of its own."""
        self.sandbox.world.db.picklists.update(
            {
                place: [(key, self.texts[key % len(self.texts)]) for key, _ in known]
                for place, known in PICKLISTS.items()
            }
        )
        made = []
        for number, text in enumerate(self.texts):
            after = self.texts[(number + 1) % len(self.texts)]
            made.append(company := self.sandbox.add_company(companyName=text, companyType=1))
            self.sandbox.add_contact(companyID=company, firstName=text, lastName=after, emailAddress=text)
            lines = [{"rate": "10.00", "itemName": text, "description": after}]
            self.sandbox.add_invoice(companyID=company, invoiceNumber=after, comments=text, lines=lines)
        return made

    def people(self, tenant_id: int) -> None:
        own = factories.customer(name=self.texts[2])
        with people_scope():
            login = LoginSession(token_hash=self.slug.encode(), user_id=factories.user(staff=True).id)
            db.session.add(login)
            db.session.commit()
            staff = {
                "staff_user_id": login.user_id,
                "as_user_id": self.owner,
                "login_session_id": login.id,
            }
        for text in map(plain_text.cleaned, self.texts):  # as any form of ours takes them in
            factories.payment((factories.invoice(own, number=text), "1.00"), reference=text[:100], note=text)
            api_keys.create(factories.ACTOR, text, ["read"])
        now = clock.now()
        db.session.add(
            SupportVisit(
                tenant_id=tenant_id, **staff,
                reason=f"{self.texts[3]} and more", ticket=self.texts[4], started_at=now, ended_at=now, expires_at=now,
            )
        )  # fmt: skip

    def addresses(self, superuser: psycopg.Connection[Any]) -> Iterator[str]:
        """Every page and file of the partner; those of customers and invoices for several of them."""
        for rule, method in routes(self.app, partner=True):
            if method != "GET" or access(self.app, rule) not in set(Permission):
                continue
            newest = path(self.app, rule, superuser).replace("/p/northwind", f"/p/{self.slug}")
            found = re.search(r"/(customer|invoice)(?:-edit)?s/(\d+)", newest)
            for number in self.ids(superuser, found[1]) if found else [None]:
                yield newest.replace(found[2], str(number), 1) if found else newest
        for text in self.texts:
            for page in ("search", "invoices", "customers", "payments") if WHOLE else ("search", "invoices"):
                yield f"/p/{self.slug}/{page}?q={clean(text)}"

    def ids(self, superuser: psycopg.Connection[Any], table: str) -> list[int]:
        most = 1000 if WHOLE else 2
        query = f"SELECT id FROM {table} WHERE tenant_id = %s ORDER BY autotask_id DESC NULLS LAST LIMIT %s"
        return [number for (number,) in superuser.execute(query, [self.id, most])]


def clean(text: str) -> str:
    from urllib.parse import quote

    return quote(text)


@pytest.fixture
def worlds(app: Flask, sandbox: Sandbox, monkeypatch: Any) -> tuple[World, World]:
    """The same partner twice: with plain words, and with texts that would do harm."""
    monkeypatch.setattr(limits, "_count", lambda *_: (1, 1, False))
    plain = World(app, sandbox, "contoso", PLAIN)
    for key in [row["id"] for row in sandbox.rows("Invoices")]:
        sandbox.remove_invoice(key)
    return plain, World(app, sandbox, "northwind", TEXTS)


def shape(page: BeautifulSoup) -> set[str]:
    """Names of the elements, in angle brackets, and of the attributes of all that a browser makes of a page."""
    elements = page.find_all(True)
    return {f"<{one.name}>" for one in elements} | {name for one in elements for name in one.attrs}


def test_nothing_that_comes_in_is_markup_on_any_page_or_a_formula_in_any_file(
    worlds: tuple[World, World], superuser: psycopg.Connection[Any]
) -> None:
    plain, hostile = worlds
    known = {
        "rowspan",
        "min",
    }  # of texts that differ here and come twice there; of a payment of which more can become
    for address in plain.addresses(superuser):
        answer = plain.browser.get(address)
        if answer.mimetype == "text/html":
            known |= shape(BeautifulSoup(answer.text, "lxml"))
    shown, files = set(), 0
    for address in hostile.addresses(superuser):
        answer = hostile.browser.get(address)
        assert answer.status_code < 500, address
        if answer.mimetype == "text/html":
            said = check_page(address, answer.text, known)
            shown |= {text for text in TEXTS if visible(text) in said}
        elif answer.mimetype == "text/csv":
            files += check_file(address, answer.text)
    assert files > len(TEXTS)
    assert len(shown) > len(TEXTS) * 0.8, sorted(set(TEXTS) - shown)


def visible(text: str) -> str:
    return " ".join(text.split())


def check_page(address: str, html: str, known: set[str]) -> str:
    """The words of the page."""
    page = BeautifulSoup(html, "lxml")
    found = shape(page)
    assert found <= known, (address, found - known)
    assert alive(html, page) == [], address
    return visible(page.get_text(" "))


def check_file(address: str, text: str) -> int:
    found = list(csv.reader(io.StringIO(text)))
    for cell in [cell for row in found for cell in row]:
        assert AMOUNT.fullmatch(cell) or not FORMULA.match(cell), (address, cell)
    return len(found)


@pytest.mark.parametrize("form", ["json", "text"])
def test_whatever_comes_in_a_log_line_stays_one_line(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form)
    try:
        for text in HOSTILE_TEXTS:
            capsys.readouterr()
            structlog.get_logger().info("record.refused", label=text, details={"name": [text]})
            written = "".join(capsys.readouterr())
            assert len(written.rstrip("\n").splitlines()) == 1, (text, written)
            assert "\x1b[2J" not in written
            if form == "json":
                assert json.loads(written)["event"] == "record.refused"
    finally:
        logs.configure("text")
