import pytest
from flask import Flask, Response
from jinja2 import DictLoader

from portal.web import htmx

FRAGMENT = {"HX-Request": "true"}


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__)
    app.jinja_env.loader = DictLoader({"page": "page {{ n }}", "part": "part {{ n }}"})
    return app


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ({}, "page 1"),
        (FRAGMENT, "part 1"),
        (FRAGMENT | {"HX-History-Restore-Request": "true"}, "page 1"),
        (FRAGMENT | {"HX-Boosted": "true"}, "page 1"),
    ],
)
def test_one_address_gives_the_page_or_its_part(app: Flask, headers: dict[str, str], shown: str) -> None:
    with app.test_request_context(headers=headers):
        answer = htmx.render("page", "part", n=1)
    assert answer.get_data(as_text=True) == shown
    assert answer.headers["Vary"] == "HX-Request"


def test_a_redirect_is_seen_by_browser_and_htmx(app: Flask) -> None:
    with app.test_request_context():
        plain = htmx.redirect("/next")
    with app.test_request_context(headers=FRAGMENT):
        part = htmx.redirect("/next")
    assert (plain.status_code, plain.location) == (303, "/next")
    assert (part.status_code, part.headers["HX-Redirect"]) == (204, "/next")


def test_events_add_up_and_carry_any_letters() -> None:
    answer = htmx.announce(htmx.trigger(Response(), "saved", 1), "Bestätigt in Autotask")
    assert (
        answer.headers["HX-Trigger"] == '{"saved": 1, "announce": {"value": "Best\\u00e4tigt in Autotask"}}'
    )
