"""Only own host names are answered; plain http is sent to https where a proxy tells how a person came."""

import os

import pytest

from portal.config import load
from tests.fixtures.form_tokens import NONE

PLAIN = {"X-Forwarded-Proto": "http"}


@pytest.fixture
def behind_a_proxy(app):
    app.config.update(TRUSTED_PROXIES=1, SESSION_COOKIE_SECURE=True)
    return app.test_client()


@pytest.mark.parametrize(
    ("host", "status"),
    [("portal.example", 200), ("evil.example", 400), ("portal.example:99", 200), ("a.own.example", 200)],
)
def test_a_request_for_another_host_is_refused_on_a_page_that_does_not_name_it(app, host, status):
    app.config["HOSTS"] = load(os.environ | {"TRUSTED_HOSTS": "portal.example, *.own.example"})["HOSTS"]
    answer = app.test_client().get("/login", headers={"Host": host})
    assert answer.status_code == status
    assert "evil" not in answer.text + str(answer.headers)
    assert "Content-Security-Policy" in answer.headers


def test_no_redirect_names_a_host_that_the_request_made_up(app):
    headers = {"Host": "evil.example"}
    for path in ("/", "/partners", "/staff/partners", "/api/docs", "/p/northwind", "/login/"):
        assert "evil" not in str(app.test_client().get(path, headers=headers).headers), path


def test_plain_http_is_sent_to_https(behind_a_proxy):
    answer = behind_a_proxy.get("/login?next=/x", headers=PLAIN)
    assert (answer.status_code, answer.location) == (308, "https://localhost/login?next=/x")


@pytest.mark.parametrize(("method", "path"), [("POST", "/login"), ("GET", "/api/v1/payments")])
def test_what_carries_a_secret_over_plain_http_is_refused_unread(behind_a_proxy, method, path):
    answer = behind_a_proxy.open(path, method=method, headers=PLAIN, token=NONE)
    assert answer.status_code == 403
    assert "Use https" in answer.text


def test_https_and_calls_without_a_proxy_pass_with_hsts(behind_a_proxy):
    for headers in ({"X-Forwarded-Proto": "https"}, {}):
        scheme = "https" if headers else "http"
        answer = behind_a_proxy.get("/login", headers=headers, base_url=f"{scheme}://localhost")
        assert answer.status_code == 200
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
