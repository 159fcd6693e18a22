"""Passkeys in a real Chromium with its virtual authenticator: made, used alone, used as a second step, refused."""

from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl

import pytest
from flask import Flask
from playwright.sync_api import Page, Request, expect

from portal import clock
from portal.access import recovery_codes, sessions
from portal.extensions import db
from portal.models import LOGIN_STARTED, Factor, FactorKind, LoginSession, SecurityEvent
from tests import factories
from tests.browser.serving import look, serve

pytestmark = pytest.mark.browser
DANA = "dana@northwind.example"
DEVICE = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


@pytest.fixture
def served(app: Flask) -> Iterator[str]:
    with app.app_context():
        factories.member(factories.tenant("northwind"), email=DANA, name="Dana")
        db.session.remove()
    with serve(app) as address:
        yield address.replace("127.0.0.1", "localhost")


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    return open_page()


def plug_in(page: Page) -> Callable[[bool], None]:
    """Gives the browser a device that holds passkeys; says whether it recognises the person."""
    chrome = page.context.new_cdp_session(page)
    chrome.send("WebAuthn.enable")
    number = chrome.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})["authenticatorId"]

    def recognise(known: bool) -> None:
        chrome.send("WebAuthn.setUserVerified", {"authenticatorId": number, "isUserVerified": known})

    return recognise


def give_password(page: Page, served: str) -> None:
    page.goto(f"{served}/login")
    page.get_by_label("E-mail address").fill(DANA)
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()


def make(page: Page, served: str) -> None:
    give_password(page, served)
    page.get_by_role("link", name="Use a passkey").click()
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Make a passkey").click()
    page.get_by_role("link", name="I have kept them").click()
    page.wait_for_url("**/p/northwind/")


def log_out(page: Page, served: str) -> None:
    page.context.clear_cookies()
    page.goto(f"{served}/login")


def test_a_passkey_is_made_opens_the_login_alone_and_as_a_second_step_and_never_twice(
    app: Flask, page: Page, served: str
) -> None:
    recognise = plug_in(page)
    make(page, served)
    log_out(page, served)
    sent: list[Request] = []
    page.on("request", lambda one: sent.append(one) if one.url.endswith("/login/passkey") else None)
    page.get_by_role("button", name="Log in with a passkey").click()
    page.wait_for_url("**/p/northwind/")
    replayed = dict(parse_qsl(sent[0].post_data or ""))
    with app.app_context():
        assert db.session.scalars(db.select(Factor.kind)).one() == "passkey"
        assert db.session.scalars(db.select(LoginSession.factor_at).order_by(LoginSession.id.desc())).first()
        told = db.session.scalars(
            db.select(SecurityEvent.details).where(SecurityEvent.kind == LOGIN_STARTED)
        ).all()
        assert [one["how"] for one in told] == ["a new factor", "passkey"]

    again = app.test_client()  # another browser, with the whole answer
    again.get("/login")
    refused = again.post("/login/passkey", data=replayed)
    assert (refused.status_code, "was not accepted" in refused.text) == (422, True)
    log_out(page, served)
    same = page.evaluate(
        """async (form) => {
            const page = new DOMParser().parseFromString(await (await fetch("/login")).text(), "text/html");
            form.csrf_token = page.querySelector("[name=csrf_token]").value;
            return (await fetch("/login/passkey", {method: "POST", body: new URLSearchParams(form)})).status;
        }""",
        replayed,
    )
    assert same == 422

    give_password(page, served)
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/p/northwind/")

    log_out(page, served)
    recognise(False)
    page.get_by_role("button", name="Log in with a passkey").click()
    expect(page.get_by_text("The browser gave no passkey")).to_be_visible(timeout=15_000)


def test_without_script_or_by_a_number_the_page_says_how_else(
    open_page: Callable[..., Page], served: str
) -> None:
    quiet = open_page(script=False)
    quiet.goto(f"{served}/login")
    expect(quiet.get_by_text("Passkeys need script")).to_be_visible()
    expect(quiet.get_by_role("button", name="Log in with a passkey")).to_be_hidden()
    give_password(quiet, served)
    quiet.get_by_role("link", name="Use a passkey").click()
    expect(quiet.get_by_text("or use an authenticator app instead.")).to_be_visible()
    by_number = open_page()
    give_password(by_number, served.replace("localhost", "127.0.0.1"))
    expect(by_number.get_by_text("for a name such as localhost only")).to_be_visible()


def test_a_browser_that_knows_no_passkeys_is_told_so_and_not_that_script_is_off(
    page: Page, served: str
) -> None:
    page.add_init_script("delete window.PublicKeyCredential")
    page.goto(f"{served}/login")
    expect(page.get_by_text("This browser knows no passkeys.")).to_contain_text("log in with your password")
    expect(page.get_by_text("Passkeys need script")).to_be_hidden()
    expect(page.get_by_role("button", name="Log in with a passkey")).to_be_hidden()


@pytest.mark.in_turn(2)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_without_script_a_person_whose_only_factor_is_a_passkey_is_told_how_else_and_gets_in(
    app: Flask, open_page: Callable[..., Page], served: str, width: int, scheme: str
) -> None:
    with app.app_context():
        dana = sessions.find_user(DANA)
        assert dana is not None
        db.session.add(
            Factor(
                user_id=dana.id,
                kind=FactorKind.PASSKEY,
                name="Laptop",
                credential_id=b"c" * 16,
                public_key=b"k",
            )
        )
        dana.second_factor_at = clock.now()
        codes = recovery_codes.make_anew(dana)
        db.session.commit()
    quiet = open_page(width, scheme, script=False)
    quiet.goto(f"{served}/login")
    words = quiet.get_by_text("Passkeys need script, which is switched off in this browser.")
    expect(words).to_contain_text("log in with your password")
    expect(words).to_contain_text("one of your recovery codes")
    look(quiet, f"passkey-login-without-script-{width}")
    give_password(quiet, served)
    expect(quiet.get_by_role("heading", name="Second step")).to_be_visible()
    expect(words).to_contain_text("type a code below.")
    expect(quiet.get_by_text("One of your recovery codes.")).to_be_visible()
    expect(quiet.get_by_role("button", name="Use a passkey")).to_be_hidden()
    look(quiet, f"passkey-second-step-without-script-{width}")
    quiet.get_by_label("Code").fill(codes[0])
    quiet.get_by_role("button", name="Go on").click()
    quiet.wait_for_url("**/p/northwind/")
