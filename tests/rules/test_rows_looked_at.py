"""A page looks at rows in proportion to what there is."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import clock
from portal.extensions import db
from portal.models import Customer, Delivery, DeliveryAttempt, Tenant
from tests import factories
from tests.fixtures.database import tell_what_was_counted
from tests.rules.test_every_route import path, routes

FEW, MANY = 40, 160
# Four times as many rows are in proportion; rows times rows would be sixteen times. All of a few rows are nothing.
ALLOWED = 6
LOOKED_AT = (
    "SELECT coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_user_tables"
)


@pytest.fixture
def owner(app: Flask, log_in: Callable[..., FlaskClient]) -> FlaskClient:
    with app.app_context():
        partner = factories.tenant("northwind")
        with factories.inside(partner):
            factories.customer(factories.integration(app))
        return log_in(partner, "owner")


def test_four_times_as_many_payments_make_a_page_look_at_few_times_as_many_rows(
    app: Flask, owner: FlaskClient, superuser: psycopg.Connection[Any]
) -> None:
    pay(app, FEW)
    few = looked_at(app, owner, superuser)
    pay(app, MANY - FEW)
    many = looked_at(app, owner, superuser)
    assert {
        page: (few[page], rows) for page, rows in many.items() if rows > ALLOWED * max(few[page], FEW)
    } == {}


def pay(app: Flask, number: int) -> None:
    """So many invoices of one customer, each paid and told to Autotask."""
    with app.app_context(), factories.inside(db.session.query(Tenant).one()):
        for _ in range(number):
            factories.payment((factories.invoice(db.session.query(Customer).one()), "100.00"))
        now = clock.now()
        for delivery in db.session.query(Delivery).where(Delivery.state == "waiting"):
            delivery.state = "confirmed"
            db.session.add(
                DeliveryAttempt(
                    tenant_id=delivery.tenant_id, delivery_id=delivery.id, wish_version=delivery.wish_version,
                    wish_paid_on=delivery.wish_paid_on, outcome="confirmed", started_at=now, finished_at=now,
                )
            )  # fmt: skip
        db.session.commit()


def looked_at(app: Flask, owner: FlaskClient, superuser: psycopg.Connection[Any]) -> dict[str, int]:
    """Rows by page, of each page of a partner that is not about one record."""
    superuser.execute("ANALYZE")
    found = {}
    for rule, method in routes(app, partner=True):
        if method == "GET" and rule.arguments == {"partner_slug"}:
            address = path(app, rule, "northwind")
            before = so_far(app, superuser)
            answer = owner.get(address)
            answer.get_data()
            assert answer.status_code < 500, address
            found[address] = so_far(app, superuser) - before
    return found


def so_far(app: Flask, superuser: psycopg.Connection[Any]) -> int:
    with app.app_context():
        tell_what_was_counted()
    return int(superuser.execute(LOOKED_AT).fetchone()[0])
