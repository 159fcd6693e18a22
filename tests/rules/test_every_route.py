"""Every route, every method, every role: closed by default, strangers get 404 (rules 7.1 and 7.2)."""

from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.routing import IntegerConverter, Rule

from portal.access.permissions import ROLE_PERMISSIONS, Permission, refuse_unmarked_views
from portal.extensions import db
from portal.models import Base
from tests import factories
from tests.fixtures.people import with_factor_proved

SAFE = {"GET", "HEAD", "OPTIONS"}
MARKS = {*Permission, "public", "signed_in", "staff", "api"}


@pytest.fixture
def partners(app):
    """Two partners, each with an integration, a customer, an invoice and a payment."""
    with app.app_context():
        made = {}
        for slug in ("northwind", "contoso"):
            partner = made[slug] = factories.tenant(slug)
            for role in ROLE_PERMISSIONS:
                factories.member(partner, role, email=f"{role}@{slug}.example")
            with factories.inside(partner):
                customer = factories.customer(factories.integration(app), name=f"Customer of {slug}")
                invoice = factories.invoice(customer, number=f"SECRET-{slug}")
                factories.payment((invoice, "100.00"))
        factories.user("kim@portal.example", staff=True)
        db.session.remove()
        return made


def signed_in(app: Flask, email: str):
    browser = app.test_client()
    with_factor_proved(browser, email)
    return browser


def routes(app: Flask, *, partner: bool) -> Iterator[tuple[Rule, str]]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint != "static" and ("partner_slug" in rule.arguments) == partner:
            for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
                yield rule, method


def path(app: Flask, rule: Rule, slug: str, number: int = 1) -> str:
    values = {}
    for name in rule.arguments:
        converter = rule._converters[name]
        if name in ("partner_slug", "slug"):
            values[name] = slug
        else:
            values[name] = number if isinstance(converter, IntegerConverter) else "x"
    return app.url_map.bind("localhost").build(rule.endpoint, values)


def access(app: Flask, rule: Rule) -> str:
    return app.view_functions[rule.endpoint].access


def rows_by_table(superuser) -> dict[str, tuple]:
    # When a session was used, and which calls to Autotask are under way or were counted, is no state of a record.
    counted = set(Base.metadata.tables) - {"login_session", "call_slot", "api_usage"}
    return {
        table: superuser.execute(
            f"SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t"
        ).fetchone()
        for table in sorted(counted)
    }


def test_every_route_carries_a_known_access_mark(app):
    for rule in app.url_map.iter_rules():
        assert access(app, rule) in MARKS, rule


def test_the_app_does_not_start_with_a_view_that_carries_no_mark():
    app = Flask("bare")
    app.view_functions["static"].__dict__["access"] = "public"
    app.add_url_rule("/open", "open", lambda: "open to everybody by mistake")
    with pytest.raises(RuntimeError, match="open"):
        refuse_unmarked_views(app)


def test_nobody_signed_in_sees_nothing(app, partners):
    browser = app.test_client()
    for partner in (True, False):
        for rule, method in routes(app, partner=partner):
            if access(app, rule) in ("public", "api"):
                continue
            answer = browser.open(path(app, rule, "northwind"), method=method)
            assert (answer.status_code, answer.location.startswith("/login")) == (303, True), (
                f"{method} {rule}"
            )


@pytest.mark.parametrize("role", ROLE_PERMISSIONS)
def test_a_member_without_the_permission_is_refused_before_anything_happens(app, partners, superuser, role):
    """Rule 7.1."""
    member = signed_in(app, f"{role}@northwind.example")
    before = rows_by_table(superuser)
    for rule, method in routes(app, partner=True):
        if access(app, rule) not in ROLE_PERMISSIONS[role]:
            assert member.open(path(app, rule, "northwind"), method=method).status_code == 403, (
                f"{method} {rule}"
            )
    assert rows_by_table(superuser) == before


def test_every_answer_carries_the_security_headers(app, partners):
    owner = signed_in(app, "owner@northwind.example")
    for rule, method in routes(app, partner=True):
        if method == "GET":
            headers = owner.get(path(app, rule, "northwind")).headers
            policy = headers["Content-Security-Policy"]
            assert "unsafe" not in policy, rule
            assert headers["X-Content-Type-Options"] == "nosniff", rule
