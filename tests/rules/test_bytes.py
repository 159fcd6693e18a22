"""What a visit costs over the wire: every page, with everything cached and for the first time."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import brotli
import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from bench import books
from portal.extensions import db
from portal.models import Tenant
from tests import crowd
from tests.rules.test_every_route import path, routes

CACHED, FIRST = 15_000, 150_000
ROWS = 200  # enough for every list to be as long as a page of it gets
FILES = re.compile(r'(?:href|src)="(/static/[^"#]+)')


@pytest.fixture
def owner(
    app: Flask,
    log_in: Callable[..., FlaskClient],
    visit: Callable[..., FlaskClient],
    superuser: psycopg.Connection[Any],
) -> FlaskClient:
    ids = crowd.crowded_books(app, visit)
    with app.app_context():
        partner = db.session.get_one(Tenant, ids["partner"])
        source = superuser.execute("SELECT id FROM integration WHERE tenant_id = %s", [partner.id]).fetchone()
        books.fill(superuser, partner.id, source[0], ROWS)
        return log_in(partner, "owner")


def test_every_page_is_small_and_all_that_it_needs_is_kept(
    app: Flask, owner: FlaskClient, client: FlaskClient
) -> None:
    large, first_visits, files = {}, {}, {}
    for address in (*pages(app), "/login"):
        browser = client if address == "/login" else owner
        answer = browser.get(address, headers={"Accept-Encoding": "gzip, deflate, br"})
        if answer.status_code != 200 or answer.mimetype != "text/html":
            continue
        assert answer.content_encoding == "br", address
        needed = set(FILES.findall(brotli.decompress(answer.data).decode()))
        for name in needed - set(files):
            files[name] = kept(client, name)
        large[address] = len(answer.data)
        first_visits[address] = len(answer.data) + sum(files[name] for name in needed)
    assert len(large) > 25
    assert {address: size for address, size in large.items() if size > CACHED} == {}
    assert {address: size for address, size in first_visits.items() if size > FIRST} == {}


def kept(client: FlaskClient, address: str) -> int:
    """Bytes of a file that a browser asks for once and never again."""
    answer = client.get(address, headers={"Accept-Encoding": "gzip, deflate, br"})
    assert answer.headers["Cache-Control"].endswith("immutable"), address
    return len(answer.data)


def pages(app: Flask) -> Iterator[str]:
    for rule, method in routes(app, partner=True):
        if method == "GET":
            yield path(app, rule, "harbour", 1)
