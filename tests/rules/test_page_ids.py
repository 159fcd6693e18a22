"""No two things of a page have the same id: a label would name the wrong one, and a link lead to it."""

import re
from collections import Counter
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.extensions import db
from portal.models import Tenant
from tests import crowd, factories
from tests.fixtures.people import with_factor_proved
from tests.pages import every_page

OWN = (
    "/you",
    "/you/password",
    "/you/factors",
    "/you/factors/authenticator",
    "/you/factors/passkey",
    "/account/email",
)


def repeated(html: str) -> list[str]:
    """Ids that stand more than once, and labels of nothing."""
    ids = Counter(re.findall(r'<[^>]*\sid="([^"]+)"', html))
    unmet = {name for name in re.findall(r'<label[^>]*\sfor="([^"]+)"', html) if name not in ids}
    return sorted({name for name, number in ids.items() if number > 1} | unmet)


def test_no_page_of_a_partner_or_of_a_person_repeats_an_id(
    app: Flask, log_in: Callable[..., FlaskClient], visit: Callable[..., FlaskClient]
) -> None:
    ids = crowd.crowded_books(app, visit)
    with app.app_context():
        owner = log_in(db.session.get_one(Tenant, ids["partner"]), "owner")
    found = {path: again for path, page in every_page(owner, crowd.START) if (again := repeated(page.html))}
    found |= {path: again for path in OWN if (again := repeated(owner.get(path).text))}
    assert found == {}


def test_no_page_of_staff_repeats_an_id(app: Flask) -> None:
    with app.app_context():
        factories.user("ada@portal.example", staff=True, staff_admin=True)
        factories.member(factories.tenant("northwind"))
    ada = with_factor_proved(app.test_client(), "ada@portal.example")
    new = {
        "name": "Contoso",
        "slug": "contoso",
        "time_zone": "UTC",
        "currency": "USD",
        "owner": "olga@example.com",
    }
    ada.post("/staff/partners/new", data=new)
    pages = [
        f"/staff/partners{end}"
        for end in ("", "/new", "/northwind", "/contoso", "/northwind/visit", "/contoso/visit")
    ]
    pages += ["/staff/people", "/staff/audit", "/staff/mails"]
    found = {path: again for path in pages if (again := repeated(ada.get(path).text))}
    assert found == {}


@pytest.mark.parametrize("html", ['<p id="a"></p><b id="a">', '<label for="a">'])
def test_the_guard_sees_an_id_twice_and_a_label_of_nothing(html: str) -> None:
    assert repeated(html) == ["a"]
