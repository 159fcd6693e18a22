"""Refusals and faults in words: as a page, as a part of one, as JSON."""

import pytest
from flask import Flask, abort, g
from flask.testing import FlaskClient
from flask_wtf import CSRFProtect

from portal.web import error_pages, live, template_filters

STATUSES = (400, 403, 404, 405, 413, 422, 429, 500, 503)
HTMX = {"HX-Request": "true"}


@pytest.fixture(scope="module")
def small_app() -> Flask:
    app = Flask(__name__, template_folder="../../templates", static_folder="../../static")
    app.config["SECRET_KEY"] = "only for tests"
    CSRFProtect(app)
    template_filters.register(app)
    error_pages.register(app)
    live.register(app)
    app.before_request(lambda: setattr(g, "request_id", "req_1"))
    app.add_url_rule("/<int:status>", "page", lambda status: abort(status), methods=["GET", "POST"])
    app.add_url_rule("/api/<int:status>", "api", lambda status: abort(status))
    app.add_url_rule("/fault", "fault", lambda: {}["secret detail"])
    app.add_url_rule("/own", "own", lambda: abort(422, "The invoice was voided."))
    return app


@pytest.fixture
def visitor(small_app: Flask) -> FlaskClient:
    return small_app.test_client()


@pytest.mark.parametrize("status", STATUSES)
def test_an_error_page_says_what_happened_with_a_reference_and_a_way_on(
    visitor: FlaskClient, status: int
) -> None:
    answer = visitor.get(f"/{status}")
    assert answer.status_code == status
    assert error_pages.WORDS[status].title in answer.text
    assert "req_1" in answer.text
    assert 'href="/"' in answer.text
    assert "HX-Request" in answer.headers["Vary"]


@pytest.mark.parametrize("status", STATUSES)
def test_a_part_of_a_page_gets_the_same_words_in_the_message_region(
    visitor: FlaskClient, status: int
) -> None:
    answer = visitor.get(f"/{status}", headers=HTMX)
    assert answer.status_code == status
    assert answer.headers["HX-Retarget"] == "#messages"
    assert error_pages.WORDS[status].title in answer.text
    assert "<html" not in answer.text


def test_the_api_answers_with_a_problem_document(visitor: FlaskClient) -> None:
    answer = visitor.get("/api/404")
    assert answer.mimetype == "application/problem+json"
    assert answer.json["status"] == 404
    assert answer.json["reference"] == "req_1"


def test_a_fault_shows_nothing_of_its_inside(visitor: FlaskClient) -> None:
    answer = visitor.get("/fault")
    assert answer.status_code == 500
    assert "secret detail" not in answer.text


def test_words_given_with_a_refusal_replace_the_standing_ones(visitor: FlaskClient) -> None:
    assert "The invoice was voided." in visitor.get("/own").text


def test_a_form_with_an_old_token_is_told_so_and_offers_the_way_back(visitor: FlaskClient) -> None:
    answer = visitor.post("/404", headers={"Referer": "http://localhost/payments/new"})
    assert answer.status_code == 400
    assert "This form was open too long" in answer.text
    assert "http://localhost/payments/new" in answer.text


def test_the_way_back_never_leads_to_another_host(visitor: FlaskClient) -> None:
    assert "evil" not in visitor.post("/404", headers={"Referer": "http://evil.example/"}).text
