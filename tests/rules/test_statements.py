"""How many statements a page sends to the database: three for who it is and what the frame shows, and the page's own."""

from collections.abc import Callable
from itertools import islice
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from portal.extensions import db
from portal.models import Tenant
from tests import crowd
from tests.browser import books
from tests.pages import every_page

MOST = 12
# While a first read is under way, how far it is and what it changed stand there too.
MORE = {"integrations.show": 14}
LISTS = {
    "invoices.index": 5, "customers.index": 6, "payments.index": 6, "deliveries.index": 5, "exceptions.index": 6,
    "sync_runs.index": 5, "notices.index": 6, "reconciliation.show": 6, "integrations.index": 8,
}  # fmt: skip


@pytest.fixture
def owner(
    app: Flask,
    log_in: Callable[..., FlaskClient],
    visit: Callable[..., FlaskClient],
    superuser: psycopg.Connection[Any],
) -> FlaskClient:
    ids = crowd.crowded_books(app, visit)
    superuser.execute("UPDATE support_visit SET ended_at = now()")  # while support is inside it is one more
    with app.app_context():
        return log_in(db.session.get_one(Tenant, ids["partner"]), "owner")


def test_a_page_sends_no_more_statements_than_its_budget(
    app: Flask, owner: FlaskClient, asked: Callable[[Callable[[], Any]], list[str]]
) -> None:
    seen: dict[str, int] = {}
    for start in (crowd.START, *crowd.TYPED):
        walk, found = every_page(owner, start), []
        while statements := asked(lambda on=walk, to=found: to.extend(islice(on, 1))):  # type: ignore[misc]
            endpoint = app.url_map.bind("localhost").match(found[-1][0].partition("?")[0])[0]
            seen[endpoint] = max(len(statements), seen.get(endpoint, 0))
    assert len(seen) > 30
    budget = {name: LISTS.get(name, MORE.get(name, MOST)) for name in seen}
    assert {name: number for name, number in seen.items() if number > budget[name]} == {}


def test_a_web_process_keeps_its_prepared_statements_from_page_to_page(
    app: Flask, owner: FlaskClient
) -> None:
    """Reading ends with a rollback, at which psycopg forgets them unless it is kept from it."""
    with app.app_context():
        size = db.engine.pool.size()  # type: ignore[attr-defined]
    for _ in range(
        7 * size
    ):  # the pool takes its connections in turns; the sixth time a statement is prepared
        owner.get(f"/p/{books.SLUG}/invoices")
    with app.app_context():
        kept = [names(connection) for connection in each_connection()]
    assert any("FROM invoice JOIN customer" in name for several in kept for name in several)


def each_connection() -> list[Any]:
    connections = [db.engine.connect() for _ in range(db.engine.pool.size())]  # type: ignore[attr-defined]
    for connection in connections:
        connection.detach()
    return connections


def names(connection: Any) -> list[str]:
    with connection:
        found = connection.execute(text("SELECT statement FROM pg_prepared_statements")).scalars().all()
    return list(found)
