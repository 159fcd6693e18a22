"""A parameter that is given twice: the first one counts, in addresses and in forms, and JSON is refused as a whole."""

from collections.abc import Callable

from flask import Flask
from flask.testing import FlaskClient

from tests import factories
from tests.reading import element


def test_a_parameter_given_twice_is_what_it_was_first(app: Flask, log_in: Callable[..., FlaskClient]) -> None:
    with app.app_context():
        partner = factories.tenant("northwind")
    owner, page = log_in(partner), "/p/northwind/invoices"
    twice = owner.get(f"{page}?q=first&q=second").text
    assert element(twice, 'main [name="q"]')["value"] == "first"
    with app.app_context():
        right = factories.member(partner, "reader", email="first@example.com")
        factories.member(partner, "reader", email="second@example.com")
    somebody, wrong = app.test_client(), "no password of anybody's"
    both = {"email": [right.email, "second@example.com"], "password": [wrong, factories.PASSWORD]}
    assert somebody.post("/login", data=both).status_code == 422
    both["password"].reverse()
    assert somebody.post("/login", data=both).status_code == 303
    assert "first@example.com" in somebody.get("/you").text
