"""Addresses forgive a slash at their end, and the API forgives no parameter that it does not know."""

from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.routing import Rule

from portal.access import api_keys
from portal.access.api_keys import Scope
from portal.extensions import db
from tests import factories


@pytest.fixture
def secret(app: Flask) -> str:
    with app.app_context(), factories.inside(factories.tenant("northwind")):
        _, secret = api_keys.create(factories.ACTOR, "Checkout", list(Scope))
        db.session.commit()
        return secret


def routes(app: Flask) -> Iterator[tuple[Rule, str, str]]:
    """Every route with each of its methods and an address that it has."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "static":
            continue
        values = {name: "northwind" if "slug" in name else 1 for name in rule.arguments}
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule, method, adapter.build(rule.endpoint, values)


def test_every_address_is_the_same_page_with_and_without_a_slash(app: Flask) -> None:
    for rule, method, path in routes(app):
        bare = path.rstrip("/") or "/"
        for address in (bare, f"{bare.rstrip('/')}/"):
            assert app.url_map.bind("localhost").match(address, method)[0] == rule.endpoint, (method, address)


def test_a_body_sent_to_an_address_with_a_slash_arrives(app: Flask, secret: str) -> None:
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": "k"}
    answer = app.test_client().post("/api/v1/payments/", json={"paid_on": "x"}, headers=headers)
    assert (answer.status_code, "/paid_on" in answer.text) == (422, True)


def test_every_api_address_refuses_a_parameter_it_does_not_have_by_name(app: Flask, secret: str) -> None:
    """`?number=…` must not answer with everything."""
    seen = 0
    for rule, method, path in routes(app):
        if app.view_functions[rule.endpoint].access == "api":  # type: ignore[attr-defined]
            answer = app.test_client().open(
                f"{path}?numberr=INV-1", method=method, json={}, headers={"Authorization": f"Bearer {secret}"}
            )
            assert (answer.status_code, answer.mimetype) == (400, "application/problem+json"), (method, path)
            assert "There is no parameter “numberr” here." in answer.get_json()["detail"]
            seen += 1
    assert seen >= 8
