"""What an address asks of a list and the list does not know is told above it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import ImmutableMultiDict

from portal.extensions import db
from portal.models import SyncRun, Tenant
from portal.queries.refused_filters import EVERYWHERE, KNOWN, anything
from portal.web import incoming
from tests import factories
from tests.fixtures.people import with_factor_proved
from tests.reading import elements, words_of
from tests.rules.test_every_route import path, routes

WHERE_TO_GO_ON = {"next"}
# What pages read of their addresses that is no filter of a list.
NO_FILTERS = {
    "invoices.show": {"getting"},
    "payments.new": {"invoice", "customer", "currency", "q"},
    "credits.new": {"credit_id", "invoice_id", "q"},
    "invoice_edits.new": {"customer_id"},
    "statements.show": {"from", "until"},  # told by the page itself
    "statements.pdf": {"from", "until"},
    "support_visits.new": {"to"},
    "uploads.new": {"kind"},
    "account.show": {"events"},
}
FILES = (".csv",)


@pytest.fixture
def browsers(app: Flask, log_in: Callable[..., FlaskClient]) -> dict[bool, FlaskClient]:
    """An owner (True) and somebody of staff (False), with one record of each kind that a list is of."""
    with app.app_context():
        partner = factories.tenant("northwind")
        factories.user("kim@portal.example", staff=True, staff_admin=True)
        with factories.inside(partner):
            source = factories.integration(app)
            db.session.add(SyncRun(tenant_id=partner.id, integration_id=source.id, kind="new", trigger="button",
                                   state="completed", items={}))  # fmt: skip
            db.session.commit()
            run_id = db.session.query(SyncRun).one().id
        app.config["RUN"] = run_id
        owner = log_in(db.session.query(Tenant).one())
    return {True: owner, False: with_factor_proved(app.test_client(), "kim@portal.example")}


def test_no_file_is_made_of_other_rows_than_were_asked_for(browsers: dict[bool, FlaskClient]) -> None:
    for name in (
        "invoices",
        "customers",
        "payments",
        "exceptions",
        "deliveries",
        "activity",
        "reconciliation",
    ):
        address = f"/p/northwind/{name}/export.csv"
        assert browsers[True].get(address).status_code == 200
        refused = browsers[True].get(f"{address}?colour=red")
        assert (refused.status_code, refused.mimetype) == (422, "text/html")
        assert "There is no filter “colour” here (“red”). There is no file" in words_of(refused.text), name
        assert "was left out" not in refused.text


def test_what_is_left_out_is_told_beside_a_list_that_is_drawn_anew(browsers: dict[bool, FlaskClient]) -> None:
    page = browsers[True].get("/p/northwind/invoices?show=zzz", headers={"HX-Request": "true"}).text
    assert elements(page, '#left-out[hx-swap-oob="true"] .notice')
    assert "<html" not in page
    gone = browsers[True].get("/p/northwind/invoices?older=zzz").text
    assert "The address names a page that there is not: this is the first one." in words_of(gone)


def test_no_page_drops_a_filter_of_its_address_without_a_word(
    app: Flask, browsers: dict[bool, FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard over all routes: who adds a filter says in KNOWN what it can be."""
    read: set[str] = set()

    class Watched(ImmutableMultiDict[str, str]):
        def __getitem__(self, name: str) -> str:
            read.add(name)
            return super().__getitem__(name)

        def get(self, name: str, *more: Any, **named: Any) -> Any:
            read.add(name)
            return super().get(name, *more, **named)

        def __contains__(self, name: object) -> bool:
            read.add(str(name))
            return super().__contains__(name)

    monkeypatch.setattr(incoming, "_cleaned", lambda values: Watched(values.items(multi=True)))
    unknown, silent, seen = {}, [], set()
    for endpoint, address, partner in pages(app):
        known = KNOWN.get(endpoint, {})
        asked = {name: "zzz" for name, reads in known.items() if reads is not anything}
        read.clear()
        answer = browsers[partner].get(address, query_string={**asked, "colour": "red"})
        if (
            left := read
            - EVERYWHERE
            - WHERE_TO_GO_ON
            - {"colour"}
            - set(known)
            - NO_FILTERS.get(endpoint, set())
        ):
            unknown[endpoint] = left
        if endpoint in KNOWN and answer.status_code == 200:
            seen.add(endpoint)
            said = words_of(answer.text)
            wanted = [f"The filter “{name}” has no “zzz”" for name in asked]
            wanted.append("There is no filter “colour” here (“red”): it was left out.")
            silent += [(endpoint, sentence) for sentence in wanted if sentence not in said]
    assert (unknown, silent) == ({}, [])
    assert set(KNOWN) - seen == {"imports.show", "uploads.show", "webhooks.show"}, (
        "their records are not here"
    )
    assert elements(browsers[True].get("/p/northwind/invoices?show=paid").text, "#left-out .notice") == []


def pages(app: Flask) -> Iterator[tuple[str, str, bool]]:
    """Endpoint, address, and whether it is a partner's."""
    for partner in (True, False):
        for rule, method in routes(app, partner=partner):
            address = path(app, rule, "northwind", app.config["RUN"])
            if (
                method == "GET"
                and not address.endswith(FILES)
                and not address.startswith(("/api/", "/static/"))
            ):
                yield rule.endpoint, address, partner
