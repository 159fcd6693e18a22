"""Every route of a partner, every method, every mode of a support visit: rule 7.2, with its list of what never happens."""

import pytest

from portal.access.permissions import NEVER_BY_SUPPORT, Permission, of_support
from portal.extensions import db
from portal.models import Role, SupportVisit, VisitMode
from tests import factories
from tests.rules.test_every_route import SAFE, access, path, routes, rows_by_table

# Whoever adds a route says here what support may do with it. Looking is allowed to every visit, acting where agreed.
LOOK = [
    "activity.index", "activity.visit", "activity.visits", "customers.contacts", "customers.index",
    "customers.show", "customers.history", "deliveries.index", "deliveries.show", "exceptions.index",
    "exceptions.show", "filters.show", "home.show", "imports.index", "imports.show", "integrations.index", "integrations.show",
    "invoices.index", "invoices.pdf", "invoices.show", "invoices.history", "invoices.lines", "invoices.credits", "logo.picture", "matching.show", "missing.index", "notices.index",
    "payments.index", "payments.show", "people.index", "preferences.show", "reconciliation.show",
    "search.show", "settings.show", "statements.pdf", "statements.show", "support_consent.show", "uploads.show", "sync_runs.changes", "sync_runs.index",
    "sync_runs.show", "webhooks.index", "webhooks.show", "webhook_messages.show",
]  # fmt: skip
ACT = [
    "credits.new", "credits.create", "customer_edits.new", "customer_edits.create", "customer_edits.edit",
    "customer_edits.update", "deliveries.retry", "deliveries.retry_all", "exceptions.act",
    "exceptions.reopen", "exceptions.resolve", "exceptions.retry", "integrations.start_first",
    "invoice_edits.new", "invoice_edits.create", "invoice_edits.edit", "invoice_edits.update",
    "invoices.fetch_pdf", "payment_uploads.new", "payment_uploads.create", "payment_uploads.preview",
    "payment_events.edit", "payment_events.create",
    "payments.new", "payments.create", "matching.join", "matching.take_back", "sync_runs.cancel", "sync_runs.create", "sync_runs.retry", "uploads.new", "uploads.create", "uploads.columns",
    "uploads.read", "uploads.take", "uploads.discard",
]  # fmt: skip
NEVER = [
    "uploads.ask_undo", "uploads.undo", "uploads.refused",
    "activity.export", "files.customers", "files.deliveries", "files.exceptions", "files.payments", "invoices.export", "reconciliation.export", "sync_runs.export",
    "settings.create_api_key", "settings.confirm_revoking", "settings.revoke_api_key", "filters.preview",
    "filters.read_choices", "filters.update", "integrations.set_identifier", "integrations.set_totals",
    "integrations.new", "integrations.create", "integrations.edit", "integrations.update",
    "integration_role.ask", "integration_role.change", "integrations.test", "integrations.ask_disconnect", "integrations.disconnect",
    "payment_event_uploads.new", "payment_event_uploads.preview", "payment_event_uploads.create",
    "payments.confirm_deletion", "payments.destroy", "credits.destroy", "customer_edits.confirm_archive",
    "customer_edits.archive", "customer_edits.restore", "invoice_edits.archive", "invoice_edits.restore",
    "missing.archive", "missing.restore", "people.invite", "people.send_again", "people.revoke",
    "people.edit_role", "people.set_role", "people.confirm_removing", "people.remove",
    "settings.set_time_zone", "partner_settings.edit", "partner_settings.update", "logo.edit", "logo.update", "logo.remove", "support_consent.give",
    "member_factors.show", "member_factors.agree", "member_factors.stop", "support_consent.take_back", "support_visits.end", "notices.choose", "notices.see",
    "webhooks.new", "webhooks.create", "webhooks.edit", "webhooks.update", "webhooks.test", "webhooks.pause", "webhooks.resume",
    "webhooks.rotate", "webhooks.confirm_removing", "webhooks.remove", "webhook_messages.again",
]  # fmt: skip
MODES = {"none": set(), VisitMode.VIEW: {*LOOK}, VisitMode.ACT: {*LOOK, *ACT}}
# What the visit itself writes, and what a page of a visit reads anew.
OF_VISITS = {"support_request", "support_visit", "audit_event", "audit_head", "notice"}


@pytest.fixture
def partner(app):
    with app.app_context():
        row = factories.tenant("northwind")
        factories.member(row)
        with factories.inside(row):
            customer = factories.customer(factories.integration(app))
            factories.payment((factories.invoice(customer), "100.00"))
        return row


@pytest.fixture
def browser(partner, visit, log_in):
    """`browser(mode)`: support in that mode, or outside every partner."""

    def come_in(mode):
        if mode == "none":
            return log_in(user=factories.user(staff=True))
        return visit(partner, acts=mode == VisitMode.ACT)

    return come_in


def test_every_route_is_declared_once(app):
    declared = [*LOOK, *ACT, *NEVER]
    assert sorted(declared) == sorted({rule.endpoint for rule, _ in routes(app, partner=True)})


def test_a_new_route_without_a_declaration_is_missed(app, monkeypatch):
    monkeypatch.setitem(globals(), "LOOK", LOOK[1:])
    with pytest.raises(AssertionError):
        test_every_route_is_declared_once(app)


def test_what_never_happens_is_held_by_permission_in_one_place(app):
    for rule, method in routes(app, partner=True):
        never = access(app, rule) in NEVER_BY_SUPPORT
        assert never == (rule.endpoint in NEVER and rule.endpoint != "notices.see"), f"{method} {rule}"
    for mode in VisitMode:
        for role in Role:
            assert of_support(mode, role) & NEVER_BY_SUPPORT == set()
    assert of_support(VisitMode.VIEW, Role.OWNER) == {Permission.VIEW}


@pytest.mark.in_turn(3)
@pytest.mark.parametrize("mode", MODES)
def test_support_does_what_its_mode_includes_and_nothing_else(app, browser, superuser, mode):
    """Each allowed route lets it past the wall (the positive control); each other one refuses and changes nothing."""
    with app.app_context():
        staff = browser(mode)
        db.session.remove()
    before, passed = state(superuser), set()
    for rule, method in sorted(routes(app, partner=True), key=lambda one: one[0].endpoint in MODES[mode]):
        if rule.endpoint in MODES[mode] and before:
            assert state(superuser) == before, "a refused request changed something"
            before = {}
        answer = staff.open(path(app, rule, "northwind", 999_999_999), method=method)
        where = f"{method} {rule}: {answer.status_code}"
        if rule.endpoint in MODES[mode]:
            assert answer.status_code != 403, where
            assert answer.status_code < 500, where
            assert "You are not inside" not in answer.text, where
            passed.add(rule.endpoint)
        else:
            assert answer.status_code == (404 if mode == "none" else 403), where
    assert passed == MODES[mode]
    assert not before or state(superuser) == before


def state(superuser):
    return {table: sums for table, sums in rows_by_table(superuser).items() if table not in OF_VISITS}


@pytest.mark.in_turn(3)
@pytest.mark.parametrize("role", [Role.MANAGER, Role.CLERK, Role.READER])
def test_acting_as_somebody_support_may_at_most_what_they_may(app, partner, visit, role):
    with app.app_context():
        person = factories.member(partner, role)
        staff = visit(partner, acts=True, as_user_id=person.id)
    allowed = of_support(VisitMode.ACT, role)
    for rule, method in routes(app, partner=True):
        if access(app, rule) not in allowed or (method not in SAFE and allowed == {Permission.VIEW}):
            assert staff.open(path(app, rule, "northwind"), method=method).status_code == 403, rule


def test_no_button_of_an_exception_goes_past_what_never_happens(app, partner, visit, superuser):
    from portal import attention
    from portal.models import Cause

    with app.app_context(), factories.inside(partner):
        attention.open_item(
            Cause.SUSPICIOUS_READ, "sync_run", "1", label="Sync", detail="Half of it was missing"
        )
        db.session.commit()
    with app.app_context():
        staff = visit(partner, acts=True)
    (item,) = superuser.execute("SELECT id FROM exception_item").fetchone()
    assert staff.post(f"/p/northwind/exceptions/{item}/act", data={"action": "accept"}).status_code == 403
    assert superuser.execute("SELECT count(*) FROM support_visit WHERE acts").fetchone() == (1,)


def test_the_models_name_of_a_mode_is_what_pages_show():
    assert [SupportVisit(acts=acts).mode for acts in (False, True)] == [VisitMode.VIEW, VisitMode.ACT]
