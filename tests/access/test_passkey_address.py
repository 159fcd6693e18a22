"""Where browsers make no passkeys the pages say so, and promise none."""

import pytest

from portal.access import sessions
from tests import factories
from tests.fixtures.people import cookie_of

DANA = "dana@northwind.example"
PAGES = ("/you", "/you/factors", "/you/factors/passkey")


@pytest.fixture
def dana(app):
    with app.app_context():
        return factories.member(factories.tenant("northwind"), email=DANA)


def opened_at(app, address):
    """Dana's browser, logged in at this address."""
    app.config |= {"HOSTS": [], "SESSION_COOKIE_SECURE": False}
    with app.app_context():
        cookie = cookie_of(app, sessions.find_user(DANA))
    browser = app.test_client()
    host = address.partition("//")[2].partition(":")[0]
    browser.set_cookie(app.config["SESSION_COOKIE_NAME"], cookie, domain=host)
    return browser


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:8000", "for a name such as localhost only"),
        ("https://192.0.2.7", "for a name such as localhost only"),
        ("http://portal.example", "over https only"),
    ],
)
def test_at_an_address_without_passkeys_each_page_says_why(app, dana, address, said):
    browser = opened_at(app, address)
    for path in PAGES:
        page = browser.get(path, base_url=address).text
        assert said in page, path
        for promise in (
            "asks for your fingerprint",
            "A passkey alone opens",
            "Use a passkey",
            "Add a passkey",
        ):
            assert promise not in page, (path, promise)


@pytest.mark.parametrize("address", ["http://localhost", "https://portal.example"])
def test_at_an_address_with_passkeys_they_are_offered(app, dana, address):
    assert "Add a passkey" in opened_at(app, address).get("/you", base_url=address).text
