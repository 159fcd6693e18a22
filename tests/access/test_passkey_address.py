"""Where browsers make no passkeys the pages say so, and promise none."""

import pytest

from tests import factories
from tests.fixtures.people import with_factor_proved

PAGES = ("/you", "/you/factors", "/you/factors/passkey")


@pytest.fixture
def dana(app):
    with app.app_context():
        factories.member(factories.tenant("northwind"), email="dana@northwind.example")
    return with_factor_proved(app.test_client(), "dana@northwind.example")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:8000", "for a name such as localhost only"),
        ("https://192.0.2.7", "for a name such as localhost only"),
        ("http://portal.example", "over https only"),
    ],
)
def test_at_an_address_without_passkeys_each_page_says_why(dana, address, said):
    cookie = dana.get_cookie("session")
    for path in PAGES:
        host = address.partition("//")[2].partition(":")[0]
        dana.set_cookie("session", cookie.value, domain=host)
        page = dana.get(path, base_url=address).text
        assert said in page, path
        for promise in (
            "asks for your fingerprint",
            "A passkey alone opens",
            "Use a passkey",
            "Add a passkey",
        ):
            assert promise not in page, (path, promise)


@pytest.mark.parametrize("address", ["http://localhost", "https://portal.example"])
def test_at_an_address_with_passkeys_they_are_offered(dana, address):
    dana.set_cookie("session", dana.get_cookie("session").value, domain=address.partition("//")[2])
    page = dana.get("/you", base_url=address).text
    assert "Add a passkey" in page
