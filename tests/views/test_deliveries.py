"""What is stuck, with its reason and its button; what went well, below."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.extensions import db
from portal.models import Delivery, DeliveryAttempt, Tenant
from portal.queries import paging
from tests import factories
from tests.reading import words

WHY = "Autotask refused the change: “The period is locked.” Correct that in Autotask, then retry."


@pytest.fixture
def partner(app: Flask) -> Tenant:
    """A partner with one stuck delivery and one on its way."""
    with app.app_context():
        tenant = factories.tenant(slug="northwind")
        with factories.inside(tenant):
            customer = factories.customer(factories.integration(app), name="Acme")
            for number in ("INV-STUCK", "INV-WAITS"):
                invoice = factories.invoice(customer, "100.00", number=number)
                factories.payment((invoice, "100.00"), on=date(2026, 11, 19))
            stuck = db.session.query(Delivery).order_by(Delivery.id).first()
            assert stuck is not None
            stuck.state, stuck.error, stuck.error_kind, stuck.attempts = "parked", WHY, "rejected", 1
            stuck.wished_at = datetime(2026, 11, 19, 10, 42, tzinfo=UTC)
            db.session.commit()
    with app.app_context():
        return db.session.query(Tenant).one()


@pytest.fixture
def stuck_id(app: Flask, partner: Tenant) -> int:
    with app.app_context(), factories.inside(partner):
        return db.session.query(Delivery.id).order_by(Delivery.id).first()[0]  # type: ignore[index]


def test_the_stuck_one_stands_on_top_with_its_reason_and_a_retry(
    partner: Tenant, log_in: Callable[..., FlaskClient]
):
    page = words(log_in(partner, "manager"), "/p/northwind/deliveries")
    assert "Autotask could not be told about 1 invoice, the first since 19 Nov 2026, 10:42" in page
    assert "The period is locked." in page
    assert page.index("INV-STUCK") < page.index("INV-WAITS")
    assert "Retry all" in page


def test_a_clerk_sees_what_is_stuck_but_gets_no_retry(partner: Tenant, log_in: Callable[..., FlaskClient]):
    clerk = log_in(partner, "clerk")
    assert "/retry" not in clerk.get("/p/northwind/deliveries").text
    assert clerk.post("/p/northwind/deliveries/retry").status_code == 403


def test_one_delivery_tells_its_way_and_both_values(
    partner: Tenant, stuck_id: int, log_in: Callable[..., FlaskClient]
):
    page = log_in(partner, "reader").get(f"/p/northwind/deliveries/{stuck_id}").text
    assert "Paid on 19 Nov 2026: that is what Autotask shall show." in page
    for part in (
        "Wished: Paid on 19 Nov 2026",
        "Stuck",
        "Ours beside Autotask",
        "Not paid",
        "The period is locked.",
    ):
        assert part in page


def test_retry_makes_it_due_and_says_who_did_it(
    app: Flask, partner: Tenant, stuck_id: int, log_in: Callable[..., FlaskClient]
):
    answer = log_in(partner, "manager").post(f"/p/northwind/deliveries/{stuck_id}/retry")
    assert answer.status_code == 303
    with app.app_context(), factories.inside(partner):
        row = db.session.get_one(Delivery, (partner.id, stuck_id))
        assert (row.state, row.attempts, row.error) == ("waiting", 0, None)


def test_retry_all_takes_every_stuck_one_once(
    app: Flask, partner: Tenant, stuck_id: int, log_in: Callable[..., FlaskClient]
):
    manager = log_in(partner, "manager")
    manager.post("/p/northwind/deliveries/retry")
    assert "1 delivery on the way again." in manager.get("/p/northwind/deliveries").text
    manager.post("/p/northwind/deliveries/retry")
    assert "Nothing was stuck." in manager.get("/p/northwind/deliveries").text


def test_the_page_asks_again_each_second_while_something_is_on_its_way(
    partner: Tenant, stuck_id: int, log_in: Callable[..., FlaskClient]
):
    reader = log_in(partner, "reader")
    poll = {"HX-Request": "true", "X-Portal-Poll": "page"}
    assert "every 1s" not in reader.get(f"/p/northwind/deliveries/{stuck_id}", headers=poll).text
    waiting = reader.get(f"/p/northwind/deliveries/{stuck_id + 1}", headers=poll).text
    assert 'hx-trigger="every 1s' in waiting
    assert "X-Portal-Poll" in waiting
    assert "Waiting" in waiting
    assert "<html" not in waiting


def test_a_stranger_finds_no_delivery(
    app: Flask, partner: Tenant, stuck_id: int, log_in: Callable[..., FlaskClient]
):
    """Rule: 404 for strangers."""
    with app.app_context():
        owner = log_in(factories.tenant(slug="other"), "owner")
    assert owner.get(f"/p/other/deliveries/{stuck_id}").status_code == 404
    assert owner.post(f"/p/other/deliveries/{stuck_id}/retry").status_code == 404


def test_refused_deliveries_are_stuck_with_their_tries_and_neither_late_nor_on_the_way_nor_sent(
    app: Flask, partner: Tenant, stuck_id: int, log_in: Callable[..., FlaskClient]
):
    """D11: two tries that Autotask refused before anything was written."""
    with app.app_context(), factories.inside(partner):
        for _ in range(2):
            then = datetime(2026, 11, 19, 10, 43, tzinfo=UTC)
            db.session.add(
                DeliveryAttempt(
                    tenant_id=partner.id, delivery_id=stuck_id, wish_version=1, outcome="refused", error=WHY,
                    wish_paid_on=date(2026, 11, 19), started_at=then, finished_at=then,
                )
            )  # fmt: skip
        db.session.commit()
    clerk = log_in(partner, "clerk")
    listed = clerk.get("/p/northwind/deliveries?show=needs").text
    assert re.findall(r'data-label="Tries">([^<]*)<', listed) == ["2"]
    assert "1 delivery is stuck" in words(clerk, "/p/northwind/")
    assert (
        "late"
        not in words(clerk, "/p/northwind/deliveries?show=stuck").partition("Deliveries that need you")[2]
    )
    assert "INV-STUCK" not in clerk.get("/p/northwind/deliveries?show=late").text
    assert "INV-STUCK" not in clerk.get("/p/northwind/deliveries?show=waiting").text
    told = words(clerk, f"/p/northwind/deliveries/{stuck_id}")
    assert "Sent to Autotask" not in told
    assert told.count("nothing was sent") == 2


def test_the_way_of_a_delivery_knows_more_tries_than_its_page_shows(
    app: Flask,
    partner: Tenant,
    stuck_id: int,
    log_in: Callable[..., FlaskClient],
    monkeypatch: pytest.MonkeyPatch,
):
    with app.app_context(), factories.inside(partner):
        for minute, wrote in ((43, "2026-11-19"), (44, None)):
            then = datetime(2026, 11, 19, 10, minute, tzinfo=UTC)
            db.session.add(
                DeliveryAttempt(
                    tenant_id=partner.id, delivery_id=stuck_id, wish_version=1, outcome="retry", wrote=wrote,
                    wish_paid_on=date(2026, 11, 19), started_at=then, finished_at=then,
                )
            )  # fmt: skip
        db.session.commit()
    fetch = paging.fetch
    monkeypatch.setattr(paging, "fetch", lambda *given, **how: fetch(*given, **how | {"size": 1}))
    clerk = log_in(partner, "clerk")
    page = clerk.get(f"/p/northwind/deliveries/{stuck_id}").text
    assert "Sent to Autotask" in page
    older = re.search(r'href="([^"]*older=[^"]*)"', page)
    assert older is not None
    assert "Paid on 19 Nov 2026" in clerk.get(older[1].replace("&amp;", "&")).text
