"""Every page says what a reload would say: it asks for itself again, or stands here with why it need not."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.extensions import db
from portal.models import Tenant
from tests import crowd
from tests.pages import every_page

LIVE = re.compile(r'<div id="live" data-seen="[^"]+" hx-get="[^"]+" hx-trigger="every \d+s, live-now"')
# Pages that do not change by themselves while they are open.
TYPED_INTO = "a form: what is being typed must not be drawn anew"
STILL = {
    "customer_edits.new": TYPED_INTO,
    "customer_edits.edit": TYPED_INTO,
    "customer_edits.confirm_archive": "a question, with what was owed when it was asked",
    "invoice_edits.new": TYPED_INTO,
    "invoice_edits.edit": TYPED_INTO,
    "payments.new": TYPED_INTO,
    "payments.confirm_deletion": TYPED_INTO,
    "payment_events.edit": TYPED_INTO,
    "payment_event_uploads.new": TYPED_INTO,
    "payment_uploads.new": TYPED_INTO,
    "credits.new": TYPED_INTO,
    "filters.show": TYPED_INTO,
    "integrations.new": TYPED_INTO,
    "integrations.edit": TYPED_INTO,
    "integrations.ask_disconnect": TYPED_INTO,
    "integration_role.ask": "a question, with what the other role changed when it was asked",
    "logo.edit": TYPED_INTO,
    "partner_settings.edit": TYPED_INTO,
    "member_factors.show": TYPED_INTO,
    "people.edit_role": TYPED_INTO,
    "people.confirm_removing": "a question, with the keys that the person made when it was asked",
    "webhooks.new": TYPED_INTO,
    "webhooks.edit": TYPED_INTO,
    "webhooks.confirm_removing": "a question, with how many messages waited when it was asked",
    "settings.confirm_revoking": "a question, with what the key can do when it was asked",
    "uploads.new": TYPED_INTO,
    "uploads.columns": TYPED_INTO,
    "uploads.ask_undo": "a question, with what undoing would do when it was asked",
    "search.show": "the answer to a question of one moment, with the words still in the box",
    "imports.show": "what an import did is written once",
    "sync_runs.changes": "what a sync changed is written once",
}
# Addresses that are no pages.
FILES = {
    "files.customers",
    "files.deliveries",
    "files.exceptions",
    "files.payments",
    "sync_runs.export",
    "invoices.export",
    "activity.export",
    "reconciliation.export",
    "invoices.pdf",
    "logo.picture",
    "statements.pdf",
    "uploads.refused",
}


@pytest.fixture
def owner(app: Flask, log_in: Callable[..., FlaskClient], visit: Callable[..., FlaskClient]) -> FlaskClient:
    ids = crowd.crowded_books(app, visit)
    with app.app_context():
        return log_in(db.session.get_one(Tenant, ids["partner"]), "owner")


def test_every_page_of_a_partner_is_live_or_is_known_to_stand_still(
    app: Flask, owner: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard over all routes: a new page has to be one or the other."""
    crowd.narrow(monkeypatch)
    seen: dict[str, bool] = {}
    for start in (crowd.START, *crowd.TYPED):
        for path, page in every_page(owner, start):
            endpoint = app.url_map.bind("localhost").match(path.partition("?")[0])[0]
            seen[endpoint] = bool(LIVE.search(page.html))
    routes = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "partner_slug" in rule.arguments and "GET" in (rule.methods or ())
    }
    assert routes - FILES - set(STILL) - set(seen) == set(), "no page of the crowd leads there"
    assert {name for name, live in seen.items() if live} & set(STILL) == set()
    assert {name for name, live in seen.items() if not live} - set(STILL) == set()
    assert set(STILL) <= routes
