"""Readers, clerks and visitors see no more of people and keys than their work needs: held over every page and file."""

import pytest

from portal.access import api_keys, audit
from portal.access.permissions import ROLE_PERMISSIONS
from portal.extensions import db
from tests import factories
from tests.rules.test_every_route import path, routes

SECRETS = ("olga@northwind.example", "api-user@autotask.example", "account@autotask.example")


@pytest.fixture
def place(app):
    """A partner whose people, keys and connection carry names that are told apart; the start of its key."""
    with app.app_context():
        partner = factories.tenant("northwind")
        olga = factories.member(partner, "owner", email=SECRETS[0], name="Olga Owner")
        with factories.inside(partner):
            source = factories.integration(app, username=SECRETS[1], email=SECRETS[2])
            factories.payment((factories.invoice(factories.customer(source)), "100.00"))
            key, _ = api_keys.create(factories.ACTOR, "Checkout", ["read"])
            told = {"email": SECRETS[2], "username": SECRETS[1], "before": {}, "after": {"email": SECRETS[0]}}
            audit.record(factories.ACTOR, "integration.connected", "integration", source.id, **told)
            db.session.commit()
        return partner, olga, key.prefix


def pages(app, browser):
    for rule, method in routes(app, partner=True):
        if method == "GET":
            yield rule, browser.get(path(app, rule, "northwind")).text


@pytest.mark.in_turn(2)
@pytest.mark.parametrize("role", ["reader", "clerk", "manager", "visitor"])
def test_no_page_or_file_tells_e_mails_user_names_or_keys_to_those_who_do_not_need_them(
    app, place, log_in, visit, role
):
    partner, _, prefix = place
    browser = visit(partner) if role == "visitor" else log_in(partner, role)
    for rule, text in pages(app, browser):
        found = [secret for secret in (*SECRETS, prefix) if secret in text]
        assert found == [], rule


def test_an_owner_sees_them(app, place, log_in):
    _, olga, prefix = place
    whole = "".join(text for _, text in pages(app, log_in(user=olga)))
    assert [secret for secret in (*SECRETS, prefix) if secret not in whole] == []


def test_the_roles_named_here_are_all_but_the_owner():
    assert set(ROLE_PERMISSIONS) == {"reader", "clerk", "manager", "owner"}
