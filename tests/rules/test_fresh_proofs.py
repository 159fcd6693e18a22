"""What matters asks again that it is you: every route that changes logins, keys or credentials, held over all of them."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine

from portal import clock
from portal.access.freshness import FRESH
from portal.access.permissions import Permission
from portal.extensions import db
from tests import factories
from tests.fixtures.people import with_factor_proved
from tests.rules.test_every_route import SAFE, access, path, routes, rows_by_table

OWNER, STAFF = "owner@northwind.example", "kim@portal.example"
MATTERS = {Permission.CREDENTIALS, Permission.USERS, Permission.API_KEYS, Permission.WEBHOOKS}
# Changes something of these kinds, and is open to a login whose proof is old.
ENOUGH = {
    "integrations.test": "Asks Autotask whether what is stored still works; it takes nothing in and shows nothing.",
    "settings.set_time_zone": "How times are told.",
    "notices.choose": "Which mails a person gets.",
    "staff_mails.again": "Sends a mail once more to the same address.",
    "people.revoke": "Takes an invitation back.",
    "support_visits.end": "Puts support out: nobody should have to look for a phone first.",
    "support_visits.destroy": "Ends the own visit.",
    "sessions.destroy": "Logs out.",
    "account.set_name": "How a person is called.",
    "account.end_session": "Logs out: nobody should have to look for a phone first.",
    "account.end_other_sessions": "Logs out: nobody should have to look for a phone first.",
    "factors.update": "What a factor is called.",
    "lost_factors.create": "Asks only: others make sure, a day passes, and the person's mail stops it.",
    "proofs.create": "Is the proof.",
    "proofs.create_with_passkey": "Is the proof.",
}


def unmarked(app):
    """Routes that change what matters, and ask for no fresh proof."""
    for partner in (True, False):
        for rule, method in routes(app, partner=partner):
            mark = access(app, rule)
            matters = mark in MATTERS or mark in ("staff", "signed_in")
            if (
                method not in SAFE
                and matters
                and not getattr(app.view_functions[rule.endpoint], "fresh", False)
            ):
                yield rule.endpoint


def test_every_change_that_matters_asks_for_a_fresh_proof_or_says_why_not(app):
    assert set(unmarked(app)) - set(ENOUGH) == set()
    assert set(ENOUGH) - set(unmarked(app)) == set()


def test_the_guard_sees_a_view_that_lost_its_mark(app, monkeypatch):
    monkeypatch.delattr(app.view_functions["settings.create_api_key"], "fresh")
    assert "settings.create_api_key" in set(unmarked(app))


@pytest.fixture
def place(app):
    with app.app_context():
        partner = factories.tenant("northwind")
        factories.member(partner, email=OWNER)
        with factories.inside(partner):
            factories.integration(app)
        factories.user(STAFF, staff=True, staff_admin=True)
        db.session.remove()


def marked(app, *, partner):
    for rule, method in routes(app, partner=partner):
        if getattr(app.view_functions[rule.endpoint], "fresh", False):
            yield rule, method


@pytest.mark.parametrize(("email", "partner"), [(OWNER, True), (OWNER, False), (STAFF, False)])
def test_a_login_whose_proof_is_old_is_asked_and_nothing_happens(
    app, client, place, superuser, email, partner
):
    with time_machine.travel(clock.now(), tick=False) as travel:
        with_factor_proved(client, email)
        travel.shift(FRESH + timedelta(seconds=1))
        before, seen = rows_by_table(superuser), 0
        for rule, method in marked(app, partner=partner):
            if access(app, rule) == "staff" and email != STAFF:
                continue
            address = path(app, rule, "northwind")
            answer = client.open(address, method=method)
            if method == "GET":
                target = urlsplit(answer.location)
                assert (answer.status_code, target.path) == (303, "/prove"), f"{method} {rule}"
                assert parse_qs(target.query)["next"] == [address]
            else:
                assert answer.status_code == 403, f"{method} {rule}"
                assert "Prove that it is you" in answer.text
            part = client.open(address, method=method, headers={"HX-Request": "true"})
            assert part.headers["HX-Redirect"].startswith("/prove"), f"{method} {rule}"
            seen += 1
        assert seen
        assert rows_by_table(superuser) == before


def prove_with_password(client, page=None):
    form = {name: hidden(page, name) for name in ("next", "typed")} if page else {}
    return client.post("/prove", data={"password": factories.PASSWORD, **form})


def hidden(page, name):
    return re.search(rf'name="{name}"[^>]* value="([^"]*)"', page)[1]


def test_after_the_proof_a_person_is_back_and_a_quarter_of_an_hour_is_free(app, client, place):
    with time_machine.travel(clock.now(), tick=False) as travel:
        with_factor_proved(client, OWNER)
        with app.app_context():
            db.session.execute(db.text("UPDATE app_user SET second_factor_at = NULL"))
        travel.shift(FRESH + timedelta(seconds=1))
        address = "/p/northwind/integrations/autotask/credentials"
        asked = client.get(address)
        page = client.get(asked.location).text
        assert client.post("/prove", data={"password": "wrong wrong wrong"}).status_code == 422
        assert prove_with_password(client, page).location == address
        assert client.get(address).status_code == 200
        travel.shift(FRESH)
        assert client.get(address).status_code == 200


def test_a_form_that_was_too_late_is_sent_again_with_what_was_typed_but_no_secret(
    app, client, place, superuser
):
    with time_machine.travel(clock.now(), tick=False) as travel:
        with_factor_proved(client, OWNER)
        travel.shift(FRESH + timedelta(seconds=1))
        typed = {
            "name": "Shop & Söhne",
            "scopes": ["read", "payments.write"],
            "key": "k" * 20,
            "secret": "CANARY",
        }
        asked = client.post("/p/northwind/settings/api-keys", data=typed)
        assert superuser.execute("SELECT count(*) FROM api_key").fetchone() == (0,)
        page = prove_with_password(client, asked.text).text
        assert "CANARY" not in asked.text + page
        assert 'action="/p/northwind/settings/api-keys"' in page
        kept = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page)
        again = {name: [value for key, value in kept if key == name] for name in ("name", "scopes", "key")}
        assert again == {
            "name": ["Shop &amp; Söhne"],
            "scopes": ["read", "payments.write"],
            "key": ["k" * 20],
        }
        assert client.post("/p/northwind/settings/api-keys", data=typed).status_code == 201


def test_what_was_typed_is_kept_for_the_login_that_typed_it_alone(app, client, place):
    other = app.test_client()
    with time_machine.travel(clock.now(), tick=False) as travel:
        with_factor_proved(client, OWNER)
        with_factor_proved(other, OWNER)
        travel.shift(FRESH + timedelta(seconds=1))
        asked = client.post("/p/northwind/settings/api-keys", data={"name": "Theirs", "key": "k" * 20})
        answer = other.post(
            "/prove", data={"password": factories.PASSWORD, "typed": hidden(asked.text, "typed"), "next": ""}
        )
    assert answer.status_code == 303


def test_a_form_without_its_token_is_not_kept(app, client, place):
    """A stranger's page cannot have a person send its form by proving that it is them."""
    with time_machine.travel(clock.now(), tick=False) as travel:
        with_factor_proved(client, OWNER)
        travel.shift(FRESH + timedelta(seconds=1))
        answer = client.post("/p/northwind/settings/api-keys", data={"name": "Evil"}, token="none")
    assert answer.status_code == 400
    assert "Evil" not in answer.text
