"""The command line's promise about people, partners and support's visits."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import clock, connect
from portal.access import api_keys, totp
from portal.access.actor import Actor
from portal.access.tenancy import scoped
from portal.connect.errors import NotConnected
from portal.extensions import db
from portal.models import SyncRun, SyncSchedule, Tenant, User
from portal.reconcile import due_partners
from portal.sync import due_runs, run_lease, runs
from tests import factories
from tests.cli.test_partner_commands import run
from tests.fixtures.people import with_factor_proved

__all__ = ["run"]
Run = Callable[..., tuple[int, list[dict[str, Any]], str]]
LogIn = Callable[..., FlaskClient]


@pytest.fixture
def partner(app: Flask) -> Tenant:
    with app.app_context():
        return factories.tenant("northwind")


@pytest.fixture
def dana(app: Flask, partner: Tenant) -> User:
    with app.app_context():
        factories.member(partner, email="olga@northwind.example")
        return factories.member(partner, "clerk", email="dana@northwind.example", name="Dana")


def test_an_invitation_prints_its_link_where_no_mail_goes_out(app: Flask, partner: Tenant, run: Run) -> None:
    invite = ("users", "invite", "nora@example.com", "--partner", "northwind", "--role", "owner")
    code, [told], _ = run(*invite)
    assert (code, told["email"], told["partner"], told["role"]) == (
        0,
        "nora@example.com",
        "northwind",
        "owner",
    )
    path = told["link"].removeprefix("http://localhost")
    assert app.test_client().get(path).status_code == 200
    app.config["MAIL"] = type("Server", (), {"sender": "portal@example.com"})()
    code, [told], _ = run(*invite)
    assert (code, "link" in told) == (0, False)


def test_a_link_for_a_new_password_is_printed_where_no_mail_goes_out_and_is_told(
    app: Flask, partner: Tenant, dana: User, run: Run, log_in: LogIn
) -> None:
    before = log_in(user=dana)
    code, [told], _ = run("users", "reset-password", "DANA@northwind.example")
    assert (code, told["email"]) == (0, dana.email)
    path, new = told["link"].removeprefix("http://localhost"), "seven green kettles hum"
    assert before.get("/p/northwind/").status_code == 200, "nobody is out before it is used"
    assert app.test_client().post(path, data={"password": new}).status_code == 303
    assert before.get("/p/northwind/").location.startswith("/login")
    assert app.test_client().post(path, data={"password": new[::-1]}).status_code == 404
    data = {"email": dana.email, "password": new}
    browser = app.test_client()
    assert browser.post("/login", data=data).status_code == 303
    words = "A link for a new password was made"
    assert words in browser.get("/you").text
    page = log_in(partner).get("/p/northwind/activity").text
    assert "A link by which Dana chooses a new password was made by the portal" in page
    app.config["MAIL"] = type("Server", (), {"sender": "portal@example.com"})()
    code, [told], _ = run("users", "reset-password", dana.email)
    assert (code, "link" in told) == (0, False)
    run("users", "disable", dana.email)
    code, _, said = run("users", "reset-password", dana.email)
    assert (code, "is disabled" in said) == (1, True)


def test_people_are_listed_of_a_partner_and_of_all(app: Flask, dana: User, run: Run) -> None:
    code, rows, _ = run("users", "list", "northwind", "--json")
    assert [(row["email"], row["role"]) for row in rows] == [
        ("olga@northwind.example", "owner"),
        ("dana@northwind.example", "clerk"),
    ]
    with app.app_context():
        factories.user("kim@portal.example", staff=True)
    code, rows, _ = run("users", "list", "--json")
    assert (code, rows[1]["roles"], rows[2]["staff"]) == (0, {"northwind": "clerk"}, True)
    assert not [row for row in rows if "hash" in str(row)]


def test_a_disabled_person_is_out_everywhere_at_once_and_comes_back_by_a_new_login(
    app: Flask, partner: Tenant, dana: User, run: Run, log_in: LogIn
) -> None:
    with app.app_context(), factories.inside(partner):
        key, _ = api_keys.create(factories.ACTOR, "Checkout", ["read"])
        key.created_by_id = dana.id  # when she was an owner
        db.session.commit()
    browser = log_in(user=dana)
    code, [told], _ = run("users", "disable", "DANA@northwind.example")
    assert (code, told["changed"], told["api_keys"][0]["name"]) == (0, True, "Checkout")
    assert browser.get("/p/northwind/").location.startswith("/login")
    data = {"email": dana.email, "password": factories.PASSWORD}
    assert app.test_client().post("/login", data=data).status_code == 422
    assert run("users", "disable", dana.email)[1][0]["changed"] is False
    assert run("users", "enable", dana.email)[1][0]["disabled_at"] is None
    assert browser.get("/p/northwind/").location.startswith("/login"), "the old session stays ended"
    assert app.test_client().post("/login", data=data).status_code == 303
    page = log_in(partner).get("/p/northwind/activity").text
    assert "dana@northwind.example disabled everywhere" in page


def test_signing_out_ends_every_session(app: Flask, dana: User, run: Run, log_in: LogIn) -> None:
    browsers = [log_in(user=dana), log_in(user=dana)]
    assert run("users", "sign-out", dana.email)[1][0]["sessions_ended"] == 2
    for browser in browsers:
        assert browser.get("/p/northwind/").location.startswith("/login")


def test_a_role_is_set_and_a_person_removed_but_never_the_last_owner(
    app: Flask, partner: Tenant, dana: User, run: Run
) -> None:
    assert run("users", "set-role", dana.email, "northwind", "owner")[0] == 0
    assert run("users", "set-role", "olga@northwind.example", "northwind", "reader")[0] == 0
    code, _, said = run("users", "remove", dana.email, "northwind")
    assert (code, "only owner" in said) == (1, True)
    with app.app_context(), factories.inside(partner):
        api_keys.create(Actor.of(dana.id), "Checkout", ["read"])
        db.session.commit()
    run("users", "set-role", "olga@northwind.example", "northwind", "owner")
    code, [told], _ = run("users", "remove", dana.email, "northwind", "--revoke-keys")
    assert (code, told["api_keys"][0]["name"], told["api_keys_revoked"]) == (0, "Checkout", True)
    assert [row["email"] for row in run("users", "list", "northwind")[1]] == ["olga@northwind.example"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["users", "disable", "nobody@example.com"], "Nobody logs in with"),
        (["users", "remove", "dana@northwind.example", "contoso"], "no partner"),
        (["users", "remove", "kim@portal.example", "northwind"], "does not belong"),
        (["users", "invite", "x", "--partner", "northwind", "--role", "owner"], "not an e-mail"),
        (
            ["users", "invite", "dana@northwind.example", "--partner", "northwind", "--role", "owner"],
            "already belongs",
        ),
        (["partners", "disable", "northwind", "--reason", " "], "Say why"),
        (["support", "list", "contoso"], "no partner"),
    ],
)
def test_what_cannot_be_done_is_said(
    app: Flask, dana: User, run: Run, words: list[str], sentence: str
) -> None:
    with app.app_context():
        factories.user("kim@portal.example", staff=True)
    code, rows, said = run(*words)
    assert (code, rows, sentence in said) == (1, [], True)


def test_a_disabled_partner_is_shut_for_people_and_keys_and_loses_nothing(
    app: Flask, partner: Tenant, run: Run, log_in: LogIn
) -> None:
    with app.app_context(), factories.inside(partner):
        customer = factories.customer(factories.integration(app))
        factories.payment((factories.invoice(customer), "100.00"))
        _, secret = api_keys.create(factories.ACTOR, "Checkout", ["read"])
        db.session.commit()
    browser, call = log_in(partner), {"Authorization": f"Bearer {secret}"}
    assert browser.get("/p/northwind/").status_code == 200
    code, [told], _ = run("partners", "disable", "northwind", "--reason", "The bill is open.")
    assert (code, told["changed"], told["deliveries_owed"]) == (0, True, 1)
    shut = browser.get("/p/northwind/payments")
    assert (shut.status_code, "The bill is open." in shut.text, "is disabled" in shut.text) == (
        403,
        True,
        True,
    )
    refused = app.test_client().get("/api/v1/invoices", headers=call)
    assert (refused.status_code, "disabled" in refused.json["detail"]) == (403, True)
    with app.app_context():
        other = factories.tenant("contoso")
    assert log_in(other).get("/p/northwind/").status_code == 404, "strangers are not told"
    reasons = [row["disabled_reason"] for row in run("partners", "list", "--json")[1]]
    assert reasons == [None, "The bill is open."]
    assert run("partners", "enable", "northwind")[1][0]["disabled_at"] is None
    assert browser.get("/p/northwind/payments").status_code == 200
    assert app.test_client().get("/api/v1/invoices", headers=call).status_code == 200


def test_for_a_disabled_partner_nothing_is_due_and_nothing_is_called(
    app: Flask, partner: Tenant, run: Run
) -> None:
    with app.app_context(), factories.inside(partner):
        source = factories.integration(app)
        factories.payment((factories.invoice(factories.customer(source)), "100.00"))
        going, source_id = runs.start(source, "new", "schedule", factories.ACTOR), source.id
        going.state = "running"
        runs.start(source, "unpaid", "schedule", factories.ACTOR)
        db.session.add(
            SyncSchedule(tenant_id=partner.id, integration_id=source.id, kind="pdfs", next_due_at=clock.now())
        )
        db.session.commit()
    run("partners", "disable", "northwind", "--reason", "Away")
    with app.app_context():
        assert (due_partners.tenants_to_deliver(), run_lease.due(), due_runs.create_due()) == ([], [], [])
        with factories.inside(partner):
            assert db.session.scalars(scoped(SyncRun).order_by(SyncRun.id)).first().cancel_requested_at
            with pytest.raises(NotConnected, match="disabled"):
                connect.calling(source_id, lambda _: None)
    run("partners", "enable", "northwind")
    with app.app_context():
        assert due_partners.tenants_to_deliver() == [partner.id]
        assert len(run_lease.due()) == 1
        assert len(due_runs.create_due()) == 1


def test_visits_of_support_are_listed(app: Flask, partner: Tenant, dana: User, run: Run, visit: Any) -> None:
    visit(partner)
    code, [row], _ = run("support", "list", "northwind", "--json")
    assert (code, row["partner"], row["running"], row["as_user"]) == (
        0,
        "northwind",
        True,
        "olga@northwind.example",
    )
    assert run("support", "list")[1] == [row]


def test_resetting_factors_takes_all_away_signs_out_and_says_why(app: Flask) -> None:
    """Loss of phone and recovery codes; the password alone then leads to a new factor, not in."""
    with app.app_context():
        user = factories.member(factories.tenant("northwind"), email="dana@northwind.example", name="Dana")
        user = db.session.merge(user)
        totp.add(user, "My phone", totp.new_secret())
        user.second_factor_at = clock.now()
        db.session.commit()
    browser = with_factor_proved(app.test_client(), "dana@northwind.example")
    command = ["users", "reset-factors", "dana@northwind.example", "--reason"]
    runner = app.test_cli_runner()
    assert runner.invoke(args=[*command, "lost"]).exit_code != 0
    done = runner.invoke(args=[*command, "Phone and codes were stolen"])
    assert json.loads(done.stdout)["factors_taken_away"] == ["My phone"]
    assert browser.get("/p/northwind/").location.startswith("/login")
    browser.post("/login", data={"email": "dana@northwind.example", "password": factories.PASSWORD})
    assert browser.get("/p/northwind/").location.startswith("/you/factors")
