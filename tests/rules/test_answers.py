"""What every answer says of itself, whoever gets it and whatever it is: OWASP ASVS 5.0, V3.4, V4.1 and V13.4."""

from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests import factories
from tests.fixtures.people import with_factor_proved
from tests.rules.test_every_route import path, routes

OTHER = {"Origin": "https://evil.example"}
TYPES = (
    "text/html; charset=utf-8",
    "application/json",
    "application/problem+json",
    "text/csv; charset=utf-8",
    "text/plain; version=1.0.0; charset=utf-8",  # metrics, as Prometheus reads them
)


@pytest.fixture
def answers(app: Flask) -> Iterator[tuple[str, TestResponse]]:
    """Every address by GET and by OPTIONS, of an owner, asked for by another site's page; and one that is none."""
    with app.app_context():
        factories.member(factories.tenant("northwind"), email="dana@northwind.example")
    browser = with_factor_proved(app.test_client(), "dana@northwind.example")
    every = [*routes(app, partner=True), *routes(app, partner=False)]
    addresses = [path(app, rule, "northwind") for rule, method in every if method == "GET"]
    assert len(addresses) > 50
    return (
        (f"{method} {one}", browser.open(one, method=method, headers=OTHER))
        for one in [*addresses, "/no-such-page", "/static/no-such-file"]
        for method in ("GET", "OPTIONS")
    )


def test_every_answer_says_what_it_is_keeps_to_itself_and_opens_itself_to_no_other_site(
    answers: Iterator[tuple[str, TestResponse]],
) -> None:
    for what, answer in answers:
        headers = answer.headers
        if answer.data and answer.status_code != 304:
            assert headers["Content-Type"] in TYPES, (what, headers["Content-Type"])
        assert not [name for name, _ in headers if name.startswith("Access-Control-")], what
        assert headers["Referrer-Policy"] == "same-origin", what
        policy = headers["Content-Security-Policy"]
        for part in ("frame-ancestors 'none'", "base-uri 'none'"):
            assert part in policy, what
        assert "object-src 'none'" in policy or "default-src 'none'" in policy, what


def test_no_folder_is_listed_and_no_request_is_echoed(app: Flask) -> None:
    browser = app.test_client()
    for folder in (
        "/static/",
        "/static/vendor/",
        "/static",
        "/.git/config",
        "/static/../.env",
        "/static/%2e%2e/.env",
    ):
        assert browser.get(folder).status_code in (404, 308), folder
    for address in ("/login", "/static/portal.css", "/api/v1/payments"):
        answer = browser.open(address, method="TRACE", headers={"X-Secret": "told-to-nobody"})
        assert answer.status_code == 405, address
        assert "told-to-nobody" not in answer.text
