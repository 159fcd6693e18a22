"""Looking changes nothing and calls nobody (rule 7.2): every GET of every route, with nothing cached, by anybody."""

import json
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.routing import Rule

from portal import clock
from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.imports import runs as imports
from portal.imports.given import GivenCustomer
from portal.models import Base, ImportKind, Integration, LoginSession
from portal.sync import runs
from sandbox import Sandbox
from tests import factories, uploaded
from tests.fixtures.people import with_factor_proved
from tests.rules.test_every_route import routes
from tests.webhooks import hooks

# What looking does write, and why: {table: (columns of known rows that may change, whether rows may come)}.
WRITTEN: dict[str, tuple[set[str], bool]] = {
    "login_session": ({"last_used_at"}, False),  # that somebody is here keeps the login from ending
}
# Rule 7.2: every request of a support visit is logged before it runs.
WRITTEN_IN_A_VISIT = {**WRITTEN, "support_request": (set(), True)}
# A file that leaves the portal is an event of the audit log, whose head moves with it.
HEAD = {column.name for column in Base.metadata.tables["audit_head"].columns} - {"tenant_id"}
WRITTEN_BY_EXPORTS = {**WRITTEN, "audit_event": (set(), True), "audit_head": (HEAD, True)}
PROBE = "operating.readyz"  # says 503 where nobody works, as in a test

NAMED = {"item_id": "exception_item", "run_id": "sync_run", "application_id": "credit_application",
         "key_id": "api_key", "visit_id": "support_visit", "member_id": "membership",
         "user_id": "app_user", "import_id": "import_run", "endpoint_id": "webhook_endpoint", "message_id": "webhook_message", "file_id": "import_file", "reset_id": "factor_reset"}  # fmt: skip


@pytest.fixture
def partner(app: Flask, sandbox: Sandbox) -> int:
    """A connected partner of whom nothing is cached: no picklists, no currencies, no PDF."""
    with app.app_context():
        made = factories.tenant("northwind")
        for role in ("owner", "reader"):
            factories.member(made, role, email=f"{role}@northwind.example")
        factories.user("kim@portal.example", staff=True)
        with tenant_scope(made.id):
            row = factories.connected_to(sandbox, app)
            invoice = factories.invoice(factories.customer(row), number="INV-1")
            factories.payment((invoice, "100.00"))
            runs.start(row, "new", "schedule", factories.ACTOR)
            imports.put_batch(
                factories.ACTOR, ImportKind.CUSTOMERS, [GivenCustomer("1", "One", "USD")], [None], None
            )
            hooks.listening()
            factories.invoice(factories.customer(), number="TOLD")
            db.session.commit()
            uploaded.checked("Name,Currency\nTwo,USD\nThree,XXX\n")
        partner_id = made.id
        db.session.remove()
        return partner_id


@pytest.mark.in_turn(3)
@pytest.mark.sandbox(customers=0, invoices=0)
@pytest.mark.parametrize("who", ["reader", "owner", "support"])
def test_looking_at_any_page_changes_no_row_and_calls_nobody(
    app: Flask, partner: int, sandbox: Sandbox, superuser: psycopg.Connection[Any], who: str
) -> None:
    browser, usual = arrived(app, who)
    age_logins(app)
    sandbox.clear_requests()
    opened, before = 0, rows_by_table(superuser)
    for rule, method in [*routes(app, partner=True), *routes(app, partner=False)]:
        if method != "GET":
            continue
        address = path(app, rule, superuser)
        for headers in ({}, {"HX-Request": "true"}):
            answer = browser.get(address, headers=headers)
            answer.get_data()
            assert answer.status_code < 500 or rule.endpoint == PROBE, address
        opened += answer.status_code == 200
        export = address.endswith(".csv") and answer.status_code == 200
        after = rows_by_table(superuser)
        assert not changed(before, after, WRITTEN_BY_EXPORTS if export else usual), address
        before = after
        assert [(one.verb, one.entity) for one in sandbox.requests] == [], address
    assert opened > 25, "the guard looks at pages, not at refusals"
    with app.app_context(), tenant_scope(partner):
        assert db.session.execute(select(Integration.picklists, Integration.currencies)).all() == [
            (None, None)
        ]


def arrived(app: Flask, who: str) -> tuple[FlaskClient, dict[str, tuple[set[str], bool]]]:
    browser = app.test_client()
    email = "kim@portal.example" if who == "support" else f"{who}@northwind.example"
    with_factor_proved(browser, email)
    if who != "support":
        return browser, WRITTEN
    reason = {"reason": "Looks at every page there is", "minutes": "30"}
    assert browser.post("/staff/partners/northwind/visit", data=reason).status_code == 303
    return browser, WRITTEN_IN_A_VISIT


def age_logins(app: Flask) -> None:
    """So that the first page of the test is one that notes when the login was last used."""
    with app.app_context():
        db.session.execute(update(LoginSession).values(last_used_at=clock.now() - timedelta(minutes=10)))
        db.session.commit()


def path(app: Flask, rule: Rule, superuser: psycopg.Connection[Any]) -> str:
    """The rule's address of a record that is there."""
    values: dict[str, Any] = {}
    for name in rule.arguments:
        table = NAMED.get(name, name.removesuffix("_id"))
        if table in Base.metadata.tables:
            values[name] = superuser.execute(f"SELECT coalesce(max(id), 1) FROM {table}").fetchone()[0]
        else:
            values[name] = "northwind"
    return app.url_map.bind("localhost").build(rule.endpoint, values)


Rows = dict[str, dict[str, dict[str, Any]]]


def rows_by_table(superuser: psycopg.Connection[Any]) -> Rows:
    """{table: {primary key: row}} of all that is stored."""
    whole = " UNION ALL ".join(f"SELECT '{name}', to_jsonb(t) FROM {name} t" for name in Base.metadata.tables)
    found: Rows = {name: {} for name in Base.metadata.tables}
    for name, row in superuser.execute(whole):
        keys = Base.metadata.tables[name].primary_key
        found[name][json.dumps([row[column.name] for column in keys])] = row
    return found


def changed(before: Rows, after: Rows, allowed: dict[str, tuple[set[str], bool]]) -> list[str]:
    """What happened to rows that is not allowed, in words."""
    found = []
    for table, old in before.items():
        new, (columns, may_come) = after[table], allowed.get(table, (set(), False))
        found += [f"{table}: a row went" for key in old.keys() - new.keys()]
        if not may_come:
            found += [f"{table}: a row came, {new[key]}" for key in new.keys() - old.keys()]
        for key in old.keys() & new.keys():
            found += [
                f"{table}.{name}: {old[key][name]} became {value}"
                for name, value in new[key].items()
                if value != old[key][name] and name not in columns
            ]
    return found
