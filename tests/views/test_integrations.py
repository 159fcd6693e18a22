"""The Integrations pages: connect, look, test, reconnect, disconnect (rules 1.1 to 1.8)."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal import clock
from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import AuditEvent, Delivery, Integration, Invoice, SyncRun, SyncSchedule, Tenant
from sandbox import Sandbox
from tests import factories, reading
from tests.fixtures.people import with_factor_proved
from tests.reading import value

SECRET = "canary-7c1e4f-secret"


@pytest.fixture
def partner(app: Flask) -> Iterator[Tenant]:
    with app.app_context():
        yield factories.tenant("northwind")


@pytest.fixture
def browse(app: Flask, partner: Tenant) -> Callable[..., FlaskClient]:
    """A browser in which somebody with this role is logged in."""

    def make(role: str = "owner", at: Tenant | None = None) -> FlaskClient:
        person = factories.member(at or partner, role)
        browser = app.test_client()
        with_factor_proved(browser, person.email)
        return browser

    return make


@pytest.fixture
def typed(sandbox: Sandbox) -> dict[str, str]:
    return {
        "email": "dana@example.com",
        "username": sandbox.username,
        "secret": sandbox.secret,
        "identifier": "number",
        "role": "primary",
    }


def connect(browser: FlaskClient, typed: dict[str, str], **other: str) -> TestResponse:
    return browser.post("/p/northwind/integrations/autotask/connect", data={**typed, **other})


def stored(partner: Tenant) -> Integration | None:
    """The integration as the database holds it, apart from the session."""
    with tenant_scope(partner.id):
        row = db.session.scalar(select(Integration).execution_options(populate_existing=True))
        if row is not None:
            db.session.expunge(row)
        db.session.rollback()
        return row


@pytest.fixture
def connected(app: Flask, partner: Tenant, sandbox: Sandbox) -> Callable[..., Integration]:
    """Makes the partner's integration with the sandbox."""

    def make(**values: object) -> Integration:
        usual = {"username": sandbox.username, "secret": sandbox.secret, "zone_url": sandbox.api_url}
        with tenant_scope(partner.id):
            made = factories.integration(app, **{**usual, **values})
            db.session.refresh(made)
            db.session.expunge(made)
            db.session.rollback()
            return made

    return make


# Looking


def test_before_anything_is_connected_the_page_offers_to_connect(browse: Callable[..., FlaskClient]) -> None:
    page = browse().get("/p/northwind/integrations").text

    assert "Not connected" in page
    assert "/p/northwind/integrations/autotask/connect" in page


def test_the_connect_page_has_the_form_and_the_guide_step_by_step(
    browse: Callable[..., FlaskClient],
) -> None:
    """Rule 1.2."""
    page = browse().get("/p/northwind/integrations/autotask/connect").text

    for name in ("email", "username", "secret", "identifier", "role"):
        assert f'name="{name}"' in page
    for words in (
        "Admin",
        "Account Settings &amp; Users",
        "Resources/Users (HR)",
        "New API User",
        "API User (system) Can't Read Costs",
        "Generate Key",
        "Generate Secret",
        "Integration Vendor",
    ):
        assert words in page


@pytest.mark.parametrize("state", ["connected", "needs_reconnecting", "disconnected"])
def test_both_pages_show_each_state(
    browse: Callable[..., FlaskClient], connected: Callable[..., Integration], state: str
) -> None:
    """Rule 1.1."""
    now = clock.now()
    since = {"reconnect_reason": "Autotask said no.", "reconnect_since": now, "disconnected_at": now}
    connected(state=state, **since)
    browser = browse()

    for path in ("/p/northwind/integrations", "/p/northwind/integrations/autotask"):
        answer = browser.get(path)
        assert answer.status_code == 200
        assert state.replace("_", " ").capitalize() in answer.text


def test_a_paused_integration_says_until_when_and_why(
    browse: Callable[..., FlaskClient], connected: Callable[..., Integration]
) -> None:
    """Rule 3.6."""
    reason = "8,000 of 10,000 Autotask requests are used."
    until = clock.now().replace(year=2099)
    connected(paused_until=until, pause_reason=reason, usage_used=8000, usage_limit=10000)

    page = browse().get("/p/northwind/integrations/autotask").text

    assert reason in page
    assert "Reading waits" in page
    assert "8,000 of 10,000" in page


def test_every_page_carries_a_banner_while_the_login_is_refused(
    browse: Callable[..., FlaskClient], connected: Callable[..., Integration]
) -> None:
    """Rule 1.8: a banner says why and since when, and data stays readable."""
    since = datetime(2026, 11, 19, 10, 42, tzinfo=UTC)
    connected(state="needs_reconnecting", reconnect_reason="Autotask said no.", reconnect_since=since)

    for role, words in (("owner", "Edit credentials"), ("reader", "Look at the connection")):
        page = browse(role).get("/p/northwind/invoices")
        assert page.status_code == 200
        assert "Autotask needs reconnecting" in page.text
        assert "Autotask said no. Since 19 Nov 2026, 10:42 UTC" in page.text
        assert words in page.text


@pytest.mark.parametrize("minutes", [15, None], ids=["before the one probe", "after it"])
def test_what_ends_a_refused_login_is_said_alike_in_headline_box_and_table(
    browse: Callable[..., FlaskClient], connected: Callable[..., Integration], minutes: int | None
) -> None:
    """Rule 1.8: while the portal still tries once more, nothing claims that only a person does."""
    now = clock.now()
    connected(
        state="needs_reconnecting",
        reconnect_reason="Autotask said no.",
        reconnect_since=now,
        probe_at=now + timedelta(minutes=minutes) if minutes else None,
    )
    browser = browse()
    paths = ("/p/northwind/integrations", "/p/northwind/integrations/autotask")
    headlines = [reading.words(browser, path) for path in paths]
    whole = " ".join([*headlines, reading.words(browser, "/p/northwind/")])

    assert "until new ones are entered" not in whole
    assert all(("until someone enters new ones." in page) == (minutes is None) for page in headlines)
    for page in headlines if minutes else ():
        assert (
            "until someone enters new ones, or Autotask accepts these when the portal tries once more" in page
        )


# Connecting


def test_connecting_saves_and_starts_the_first_sync(
    browse: Callable[..., FlaskClient], partner: Tenant, typed: dict[str, str], sandbox: Sandbox
) -> None:
    answer = connect(browse(), typed)

    assert (answer.status_code, answer.location) == (303, "/p/northwind/integrations/autotask")
    row = stored(partner)
    assert row is not None
    assert (row.state, row.role, row.identifier) == ("connected", "primary", "number")
    assert (row.zone_url, row.totals_mode, row.totals_source) == (sandbox.api_url, "without_tax", "evidence")
    with tenant_scope(partner.id):
        run = db.session.scalar(select(SyncRun))
        assert run is not None
        assert (run.kind, run.trigger, run.state) == ("all", "connect", "waiting")
        assert len(db.session.scalars(select(SyncSchedule)).all()) == 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"username": "nobody@nowhere.example"}, "does not know the username “nobody@nowhere.example”"),
        ({"secret": "wrong-secret-9"}, "did not accept this key and secret"),
        ({"email": "not an address"}, "Enter a whole e-mail address"),
        ({"secret": ""}, "Paste the Password (Secret)"),
        ({"role": "tertiary"}, "Not a valid choice"),
    ],
)
def test_a_refused_connection_keeps_what_was_typed_but_never_the_secret_and_saves_nothing(
    browse: Callable[..., FlaskClient],
    partner: Tenant,
    typed: dict[str, str],
    change: dict[str, str],
    words: str,
) -> None:
    """Rule 1.3."""
    sent = {**typed, **change}
    answer = connect(browse(), sent)

    assert answer.status_code == 422
    assert words in answer.text
    assert f'value="{sent["email"]}"' in answer.text
    assert f'value="{sent["username"]}"' in answer.text
    assert not sent["secret"] or sent["secret"] not in answer.text
    assert stored(partner) is None


def test_missing_rights_are_each_told_on_the_page(
    browse: Callable[..., FlaskClient], partner: Tenant, typed: dict[str, str], sandbox: Sandbox
) -> None:
    """Rule 1.3."""
    sandbox.forbid("Contacts", "BillingItems")

    answer = connect(browse(), typed)

    assert answer.status_code == 422
    assert "no right to read contacts" in answer.text
    assert "no right to read billing items" in answer.text
    assert stored(partner) is None


def test_an_unreachable_autotask_is_told_on_the_page(
    browse: Callable[..., FlaskClient], partner: Tenant, typed: dict[str, str], sandbox: Sandbox
) -> None:
    sandbox.refuse_connections()

    answer = connect(browse(), typed)

    assert answer.status_code == 422
    assert "Autotask could not be reached" in answer.text
    assert stored(partner) is None


def test_two_people_who_connect_make_one_integration(
    browse: Callable[..., FlaskClient], partner: Tenant, typed: dict[str, str]
) -> None:
    browser = browse()
    connect(browser, typed)
    connect(browser, typed)

    with tenant_scope(partner.id):
        assert len(db.session.scalars(select(Integration)).all()) == 1
        assert len(db.session.scalars(select(SyncRun)).all()) == 1


def test_filters_can_be_chosen_before_the_first_sync(
    browse: Callable[..., FlaskClient], partner: Tenant, typed: dict[str, str]
) -> None:
    """Rule 2.1: optional at connect; nothing is read until the person goes on."""
    browser = browse()
    answer = connect(browser, typed, filters_first="y")

    def started() -> list[int]:
        with tenant_scope(partner.id):
            return [len(db.session.scalars(select(row)).all()) for row in (SyncRun, SyncSchedule)]

    assert answer.location == "/p/northwind/integrations/autotask/filters"
    assert started() == [0, 0]
    assert "Start the first sync" in browser.get("/p/northwind/integrations/autotask").text

    browser.post("/p/northwind/integrations/autotask/first-sync")
    browser.post("/p/northwind/integrations/autotask/first-sync")
    assert started() == [1, 4]


@pytest.mark.parametrize("role", ["primary", "secondary"])
def test_new_credentials_do_not_skip_the_choice_of_filters(
    browse: Callable[..., FlaskClient], partner: Tenant, typed: dict[str, str], role: str
) -> None:
    """Rule 2.1: the first sync and the schedule begin when filters are chosen, whatever happens before."""
    browser = browse()
    connect(browser, typed, filters_first="y", role=role)
    browser.post("/p/northwind/integrations/autotask/credentials", data=typed)
    connect(browser, typed, filters_first="y", role=role)

    def started() -> list[int]:
        with tenant_scope(partner.id):
            return [len(db.session.scalars(select(row)).all()) for row in (SyncRun, SyncSchedule)]

    assert started() == [0, 0]
    page = browser.get("/p/northwind/integrations/autotask").text
    assert "Nothing was read yet, and nothing will be by the clock" in page
    assert "Up to date" not in page.partition("Payments</th>")[0]

    preview = browser.post("/p/northwind/integrations/autotask/filters", data={"contacts": "all"}).text
    digest = value(preview, "previewed")
    browser.post("/p/northwind/integrations/autotask/filters", data={"contacts": "all", "previewed": digest})
    assert started() == [1, 4]


# Afterwards


def test_reconnecting_with_a_new_secret_keeps_everything(
    browse: Callable[..., FlaskClient],
    partner: Tenant,
    connected: Callable[..., Integration],
    sandbox: Sandbox,
) -> None:
    """Rule 1.7."""
    filters = {"active_only": True}
    row = connected(
        state="needs_reconnecting",
        secret="an-old-one",
        identifier="id",
        filters=filters,
        totals_mode="with_tax",
        totals_source="partner",
        reconnect_since=clock.now(),
        reconnect_reason="No.",
    )
    with tenant_scope(partner.id):
        factories.invoice(factories.customer(row), "12.00")

    answer = browse().post(
        "/p/northwind/integrations/autotask/credentials",
        data={"email": "new@example.com", "username": sandbox.username, "secret": sandbox.secret},
    )

    after = stored(partner)
    assert answer.status_code == 303
    assert after is not None
    assert (after.id, after.state, after.email) == (row.id, "connected", "new@example.com")
    assert (after.identifier, after.filters, after.totals_mode) == ("id", filters, "with_tax")
    assert (after.reconnect_since, after.reconnect_reason, after.probe_at) == (None, None, None)
    with tenant_scope(partner.id):
        assert db.session.scalar(select(Invoice.id)) is not None


def test_a_refused_new_secret_changes_nothing(
    browse: Callable[..., FlaskClient], partner: Tenant, connected: Callable[..., Integration]
) -> None:
    before = connected()
    answer = browse().post(
        "/p/northwind/integrations/autotask/credentials",
        data={"email": "new@example.com", "username": before.username, "secret": "wrong-secret-9"},
    )

    after = stored(partner)
    assert answer.status_code == 422
    assert "wrong-secret-9" not in answer.text
    assert after is not None
    assert (after.email, bytes(after.secret)) == (before.email, bytes(before.secret))


def test_the_test_button_says_in_words_how_it_went(
    browse: Callable[..., FlaskClient], connected: Callable[..., Integration], sandbox: Sandbox
) -> None:
    connected()
    browser = browse()

    passed = browser.post("/p/northwind/integrations/autotask/test", follow_redirects=True).text
    sandbox.forbid("Contacts")
    failed = browser.post("/p/northwind/integrations/autotask/test", follow_redirects=True).text

    assert "Autotask accepts the key and secret" in passed
    assert "Passed" in passed
    assert "no right to read contacts" in failed
    assert "Failed" in failed


def test_a_test_with_a_refused_login_needs_reconnecting_after_one_try_and_a_good_one_recovers(
    browse: Callable[..., FlaskClient],
    partner: Tenant,
    connected: Callable[..., Integration],
    sandbox: Sandbox,
) -> None:
    """Rule 1.8: then only by a person."""
    connected()
    browser = browse()
    sandbox.change_secret("another-secret")

    browser.post("/p/northwind/integrations/autotask/test")
    refused = stored(partner)
    assert refused is not None
    assert (refused.state, sandbox.user.refusals) == ("needs_reconnecting", 1)

    sandbox.change_secret(sandbox.secret)
    browser.post("/p/northwind/integrations/autotask/test")
    recovered = stored(partner)
    assert recovered is not None
    assert recovered.state == "connected"


def test_disconnecting_asks_for_the_word_and_says_what_stays_and_what_is_owed(
    browse: Callable[..., FlaskClient], partner: Tenant, connected: Callable[..., Integration]
) -> None:
    """Rule 1.7."""
    integration = connected()
    with tenant_scope(partner.id):
        invoice = factories.invoice(factories.customer(integration), "12.00")
        factories.payment((invoice, "12.00"))
    browser = browse()

    asked = browser.get("/p/northwind/integrations/autotask/disconnect").text
    refused = browser.post("/p/northwind/integrations/autotask/disconnect", data={"confirmation": "yes"})

    assert "not confirmed 1 delivery yet" in asked
    assert "1 customer and 1 invoice stay readable" in asked
    assert refused.status_code == 422
    before = stored(partner)
    assert before is not None
    assert before.state == "connected"

    done = browser.post(
        "/p/northwind/integrations/autotask/disconnect", data={"confirmation": " Disconnect "}
    )

    after = stored(partner)
    assert done.status_code == 303
    assert after is not None
    assert (after.state, bytes(after.secret)) == ("disconnected", b"")
    with tenant_scope(partner.id):
        assert db.session.scalar(select(Delivery.state)) == "waiting"
        assert db.session.scalar(select(Invoice.id)) is not None
        assert db.session.scalar(select(SyncSchedule.id)) is None


def test_the_identifier_renumbers_invoices_both_ways(
    browse: Callable[..., FlaskClient], partner: Tenant, connected: Callable[..., Integration]
) -> None:
    """Rule 1.5."""
    integration = connected()
    with tenant_scope(partner.id):
        customer = factories.customer(integration)
        numbered = factories.invoice(customer, autotask_id=501, number="A-1", autotask_number="A-1")
        unnumbered = factories.invoice(customer, autotask_id=502, number="502", autotask_number="  ")
    browser = browse()

    def numbers() -> list[str]:
        with tenant_scope(partner.id):
            wanted = Invoice.id.in_([numbered.id, unnumbered.id])
            return list(db.session.scalars(select(Invoice.number).where(wanted).order_by(Invoice.id)))

    browser.post("/p/northwind/integrations/autotask/identifier", data={"identifier": "id"})
    assert numbers() == ["501", "502"]
    browser.post("/p/northwind/integrations/autotask/identifier", data={"identifier": "number"})
    assert numbers() == ["A-1", "502"]


def test_the_partners_word_on_tax_changes_what_is_owed(
    browse: Callable[..., FlaskClient], partner: Tenant, connected: Callable[..., Integration]
) -> None:
    """Rule 1.6: the partner can override it; the amount due always includes tax."""
    integration = connected(totals_mode="without_tax")
    with tenant_scope(partner.id):
        customer = factories.customer(integration)
        factories.invoice(customer, "100.00", tax_raw="19.00", amount_due="119.00")

    answer = browse().post("/p/northwind/integrations/autotask/totals", data={"totals_mode": "with_tax"})

    assert answer.status_code == 303
    after = stored(partner)
    assert after is not None
    assert (after.totals_mode, after.totals_source) == ("with_tax", "partner")
    with tenant_scope(partner.id):
        assert str(db.session.scalar(select(Invoice.amount_due))) == "100.0000"


# Who may

LOOK = ("/p/northwind/integrations", "/p/northwind/integrations/autotask")
OWNERS_PAGES = ("connect", "credentials", "disconnect")
OWNERS_ACTS = ("connect", "credentials", "test", "disconnect")


@pytest.mark.parametrize("role", ["reader", "clerk", "manager"])
def test_everybody_looks_and_only_an_owner_handles_credentials(
    browse: Callable[..., FlaskClient], connected: Callable[..., Integration], sandbox: Sandbox, role: str
) -> None:
    """Rule 7.1."""
    connected()
    browser = browse(role)

    assert [browser.get(path).status_code for path in LOOK] == [200, 200]
    for name in OWNERS_PAGES:
        assert browser.get(f"/p/northwind/integrations/autotask/{name}").status_code == 403
    for name in OWNERS_ACTS:
        assert browser.post(f"/p/northwind/integrations/autotask/{name}").status_code == 403
    assert sandbox.requests == []


def test_a_foreign_partner_is_not_found(
    browse: Callable[..., FlaskClient], connected: Callable[..., Integration]
) -> None:
    connected()
    stranger = browse(at=factories.tenant("other"))

    assert [stranger.get(path).status_code for path in LOOK] == [404, 404]
    for name in OWNERS_ACTS:
        assert stranger.post(f"/p/northwind/integrations/autotask/{name}").status_code == 404


def test_support_can_look_only(
    app: Flask, partner: Tenant, connected: Callable[..., Integration], sandbox: Sandbox
) -> None:
    """Rule 7.2."""
    connected()
    factories.member(partner, "owner")
    staff = factories.user(staff=True)
    browser = app.test_client()
    with_factor_proved(browser, staff.email)
    reason = {"reason": "Caller says that syncs stand still", "minutes": "30"}
    browser.post("/staff/partners/northwind/visit", data=reason)

    page = browser.get(LOOK[1])
    assert page.status_code == 200
    assert "Test connection" not in page.text
    for name in OWNERS_ACTS:
        assert browser.post(f"/p/northwind/integrations/autotask/{name}").status_code == 403
    assert browser.get("/p/northwind/integrations/autotask/credentials").status_code == 403
    assert sandbox.requests == []


def test_connecting_and_disconnecting_are_in_the_audit_log(
    browse: Callable[..., FlaskClient], partner: Tenant, typed: dict[str, str]
) -> None:
    browser = browse()
    connect(browser, typed)
    browser.post("/p/northwind/integrations/autotask/test")
    browser.post("/p/northwind/integrations/autotask/disconnect", data={"confirmation": "disconnect"})

    with tenant_scope(partner.id):
        events = list(db.session.scalars(select(AuditEvent.event).order_by(AuditEvent.position)))
    mine = [event for event in events if event.startswith("integration.")]
    assert mine == ["integration.connected", "integration.tested", "integration.disconnected"]


@pytest.mark.parametrize("state", ["connected", "needs_reconnecting"])
def test_the_page_for_a_new_key_and_secret_has_one_name(
    app: Flask, partner: Tenant, browse: Callable[..., FlaskClient], state: str
) -> None:
    with tenant_scope(partner.id):
        since = clock.now() if state == "needs_reconnecting" else None
        factories.integration(app, state=state, reconnect_since=since, reconnect_reason="Refused.")
    owner = browse("owner")
    target = f"/p/{partner.slug}/integrations/autotask/credentials"
    names: set[str] = set()
    for path in ("", "integrations", "integrations/autotask", "integrations/autotask/credentials"):
        page = owner.get(f"/p/{partner.slug}/{path}").text
        links = re.findall(rf'<a [^>]*href="{target}"[^>]*>(.*?)</a>', page, re.DOTALL)
        names |= {re.sub("<[^>]+>", "", link).strip() for link in links}
    assert names == {"Edit credentials"}
    assert "<h1" in page
    assert "Edit credentials" in page.partition("<h1")[2].partition("</h1>")[0]
