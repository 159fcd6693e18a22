"""The real two steps of a login: password, then a code, a recovery code, or setting one up."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
import time_machine

from portal import clock
from portal.access import factors, recovery_codes, security_events, sessions, totp, who_needs_a_factor
from portal.extensions import db
from portal.models import Factor, LoginSession, RecoveryCode, SecurityEvent, SpentProof, User
from tests import factories

DANA = "dana@northwind.example"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture
def partner(app):
    with app.app_context():
        return factories.tenant("northwind")


@pytest.fixture
def dana(app, partner):
    """An owner with an authenticator app."""
    with app.app_context():
        return enrolled(factories.member(partner, email=DANA, name="Dana"))


def enrolled(person: User) -> User:
    user = db.session.merge(person)
    totp.add(user, "My phone", SECRET)
    user.second_factor_at = clock.now()
    db.session.commit()
    return user


def code(steps: int = 0) -> str:
    return pyotp.TOTP(SECRET).at(clock.now() + timedelta(seconds=30 * steps))


def password(client, email=DANA, **more):
    return client.post("/login", data={"email": email, "password": factories.PASSWORD, **more})


def prove(client, typed, **more):
    return client.post("/prove", data={"code": typed, **more})


def hidden(page, name):
    return re.search(rf'name="{name}"[^>]* value="([^"]*)"', page)[1]


def cookie(client):
    with client.session_transaction() as session:
        return session["_user_id"]


def test_the_right_password_alone_opens_nothing(client, dana):
    assert password(client).status_code == 303
    for address in ("/partners", "/you", "/p/northwind/", "/you/factors/authenticator", "/staff/partners"):
        answer = client.get(address)
        assert (answer.status_code, urlsplit(answer.location).path) == (303, "/prove"), address
    assert "Dana" not in client.get("/no-such-page").text


def test_a_code_leads_to_the_page_that_was_asked_for(client, dana):
    asked = client.get("/p/northwind/invoices?q=x")
    target = parse_qs(urlsplit(asked.location).query)["next"][0]
    then = client.get(password(client, next=target).location)
    target = parse_qs(urlsplit(then.location).query)["next"][0]
    assert prove(client, code(), next=target).location == "/p/northwind/invoices?q=x"
    assert client.get("/p/northwind/invoices").status_code == 200


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_the_code_before_and_the_one_after_are_taken_for_clocks_that_differ(client, dana, steps):
    password(client)
    assert prove(client, code(steps)).status_code == 303


@pytest.mark.parametrize("typed", ["000000", "12345", "1234567", "", "abcdef", "１２３４５６"])
def test_what_is_no_code_of_now_is_refused_in_words(client, dana, typed):
    password(client)
    with time_machine.travel(1_700_000_000, tick=False):
        assert code() != "000000"
    answer = prove(client, typed)
    assert answer.status_code == 422
    assert client.get("/partners").location.startswith("/prove")


def test_codes_of_two_steps_away_are_refused(client, dana):
    password(client)
    assert [prove(client, code(steps)).status_code for steps in (-2, 2)] == [422, 422]


def test_a_code_is_good_once_also_in_another_browser(app, client, dana):
    typed, other = code(), app.test_client()
    password(client)
    password(other)
    assert [prove(client, typed).status_code, prove(other, typed).status_code] == [303, 422]
    assert other.get("/partners").location.startswith("/prove")


def test_a_code_that_was_used_is_refused_also_while_the_one_after_it_is_shown(app, client, dana):
    with time_machine.travel(clock.now(), tick=False) as travel:
        typed, other = code(), app.test_client()
        password(client)
        password(other)
        assert prove(client, typed).status_code == 303
        travel.shift(timedelta(seconds=30))
        assert prove(other, typed).status_code == 422


def sent_together(browsers, typed):
    """The code as the second step of each of the browsers, at the same moment; the statuses."""
    together = Barrier(len(browsers))

    def send(browser):
        together.wait(10)
        return prove(browser, typed).status_code

    with ThreadPoolExecutor(len(browsers)) as pool:
        return list(pool.map(send, browsers))


def test_one_code_sent_from_several_browsers_at_the_same_moment_opens_one(app, client, dana):
    typed, browsers = code(), [client, *(app.test_client() for _ in range(3))]
    for browser in browsers:
        password(browser)
    assert sorted(sent_together(browsers, typed)) == [303, 422, 422, 422]
    assert sum(browser.get("/you").status_code == 200 for browser in browsers) == 1


def test_five_wrong_codes_in_a_quarter_of_an_hour_and_twenty_a_day_are_all(app, client, dana):
    """Also from new browsers, and the right code is not compared any more then."""
    with time_machine.travel(clock.now(), tick=False) as travel:
        seen = []
        for _ in range(6):
            browser = app.test_client()
            password(browser)
            seen.append(prove(browser, "000000").status_code)
        assert seen == [422] * 5 + [429]
        refused = prove(browser, code())
        assert (refused.status_code, "Try again in 15 minutes" in refused.text) == (429, True)
        assert int(refused.headers["Retry-After"]) == 900
        for _ in range(3):
            travel.shift(timedelta(minutes=16))
            password(client)
            seen += [prove(client, "000000").status_code for _ in range(5)]
        travel.shift(timedelta(minutes=16))
        password(client)
        assert (seen.count(422), prove(client, code()).status_code) == (20, 429)
        travel.shift(timedelta(days=1))
        password(client)
        assert prove(client, code()).status_code == 303


def test_codes_guessed_at_the_same_moment_are_no_more_than_five(app, dana, superuser):
    """Brute force from many browsers at once: each try is counted before it is compared."""
    browsers = [app.test_client() for _ in range(10)]
    for browser in browsers:
        password(browser)
    with ThreadPoolExecutor(10) as threads:
        seen = list(threads.map(lambda browser: prove(browser, "000000").status_code, browsers))
    assert (set(seen), seen.count(422) <= 5) == ({422, 429}, True)
    counted = "SELECT cardinality(refused_codes) FROM app_user WHERE email = %s"
    assert superuser.execute(counted, [DANA]).fetchone() == (5,)
    assert prove(browsers[0], code()).status_code == 429


def test_one_code_sent_from_two_browsers_at_the_same_moment_opens_one(app, dana):
    browsers, typed = [app.test_client() for _ in range(4)], code()
    for browser in browsers:
        password(browser)
    with ThreadPoolExecutor(4) as threads:
        seen = list(threads.map(lambda browser: prove(browser, typed).status_code, browsers))
    assert sorted(seen) == [303, 422, 422, 422]


def test_a_cookie_that_was_planted_before_the_login_is_not_the_one_that_is_in(app, client, dana):
    """Session fixation with a login of the attacker's own: theirs ends, and theirs alone is what they hold."""
    with app.app_context():
        eve = factories.user("eve@evil.example")
    attacker = app.test_client()
    password(attacker, eve.email)
    with attacker.session_transaction() as theirs, client.session_transaction() as planted:
        planted.update(theirs)
    password(client)
    assert prove(client, code()).status_code == 303
    assert attacker.get("/you").location.startswith("/login")
    assert "Dana" in client.get("/you").text


def test_the_person_is_told_that_somebody_with_their_password_guesses_codes(app, client, dana):
    password(client)
    for _ in range(5):
        prove(client, "000000")
    with app.app_context():
        kinds = list(db.session.scalars(db.select(SecurityEvent.kind)))
    assert kinds == [security_events.CODES_REFUSED]


def test_right_codes_do_not_count(client, dana):
    with time_machine.travel(clock.now(), tick=False) as travel:
        for _ in range(8):
            password(client)
            assert prove(client, code()).status_code == 303
            travel.shift(timedelta(seconds=30))


def test_each_step_has_a_token_of_its_own(app, client, dana):
    """Session fixation: what a stranger planted or saw before a step opens nothing after it."""
    client.get("/login")
    password(client)
    half = cookie(client)
    prove(client, code())
    whole = cookie(client)
    assert half != whole
    other = app.test_client()
    with other.session_transaction() as session:
        session["_user_id"] = half
    assert other.get("/partners").location.startswith("/login")
    assert client.get("/you").status_code == 200


def test_nothing_that_was_planted_in_the_cookie_before_a_login_stays_in_it(client, dana):
    client.get("/login")
    with client.session_transaction() as session:
        session["planted"], before = "by a stranger", session.get("csrf_token")
    password(client)
    client.get("/prove")
    with client.session_transaction() as session:
        assert "planted" not in session
        assert session["csrf_token"] != before


def test_a_password_typed_once_more_gives_the_login_a_token_of_its_own(app, client, partner):
    with app.app_context():
        cleo = factories.member(partner, "clerk", email="cleo@northwind.example")
    password(client, cleo.email)
    before, other = cookie(client), app.test_client()
    assert client.post("/prove", data={"password": factories.PASSWORD}).status_code == 303
    with other.session_transaction() as session:
        session["_user_id"] = before
    assert (other.get("/you").status_code, client.get("/you").status_code) == (303, 200)


def test_half_way_in_lasts_a_quarter_of_an_hour(client, dana):
    with time_machine.travel(clock.now(), tick=False) as travel:
        password(client)
        travel.shift(timedelta(minutes=15, seconds=1))
        answer = prove(client, code())
        assert answer.location.startswith("/login")
        assert client.get("/partners").location.startswith("/login")


def test_a_person_half_way_in_can_log_out(app, client, dana):
    password(client)
    assert client.post("/logout").status_code == 303
    with app.app_context():
        assert db.session.scalars(db.select(LoginSession)).one().ended_at is not None


@pytest.mark.parametrize(
    ("role", "led"), [("owner", True), ("manager", True), ("clerk", False), ("reader", False)]
)
@pytest.mark.parametrize("for_all", [False, True])
def test_owners_and_managers_set_one_up_before_anything_else_and_all_where_the_partner_says_so(
    app, client, partner, superuser, role, led, for_all
):
    superuser.execute("UPDATE tenant SET second_factor_for_all = %s", (for_all,))
    with app.app_context():
        factories.member(partner, role, email=DANA)
    password(client)
    answer = client.get("/p/northwind/invoices")
    if led or for_all:
        assert (answer.status_code, urlsplit(answer.location).path) == (303, "/you/factors")
        assert "password alone is not enough" in client.get(answer.location).text
        for address in ("/you", "/partners", "/prove"):
            assert urlsplit(client.get(address).location).path == "/you/factors"
    else:
        assert answer.status_code == 200


def test_staff_set_one_up_before_anything_else(app, client):
    with app.app_context():
        factories.user("kim@portal.example", staff=True)
    password(client, "kim@portal.example")
    assert urlsplit(client.get("/staff/partners").location).path == "/you/factors"


def set_up(client, **more):
    page = client.get("/you/factors/authenticator").text
    secret = re.search(r'class="key">([A-Z2-7]+)<', page)[1]
    form = {"name": "My phone", "offer": hidden(page, "offer"), "code": pyotp.TOTP(secret).at(clock.now())}
    return client.post("/you/factors/authenticator", data=form | more), form, secret


def test_setting_up_the_first_one_opens_the_login_and_shows_recovery_codes_once(
    app, client, partner, superuser
):
    with app.app_context():
        factories.member(partner, email=DANA)
    password(client)
    answer, form, secret = set_up(client, next="/p/northwind/invoices")
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    codes = re.findall(r"<code>([A-Z0-9-]{19})</code>", answer.text)
    assert len(set(codes)) == recovery_codes.HOW_MANY
    assert 'href="/p/northwind/invoices"' in answer.text
    assert client.get("/p/northwind/invoices").status_code == 200
    page = client.get("/you").text
    stored = str(superuser.execute("SELECT * FROM factor").fetchall())
    stored += str(superuser.execute("SELECT * FROM recovery_code").fetchall())
    for secret_text in (secret, *codes, *(one.replace("-", "") for one in codes)):
        assert secret_text not in page
        assert secret_text not in stored
    assert stored.count("$argon2id$") == recovery_codes.HOW_MANY
    again = client.post("/you/factors/authenticator", data=form)  # the back button, or two clicks
    assert (again.status_code, again.location) == (303, "/you#factors")
    page = client.get("/you").text
    assert "It is set up already" in page
    assert [code for code in codes if code in page] == []
    with app.app_context():
        assert db.session.query(Factor).count() == 1
    other = app.test_client()
    password(other)
    assert prove(other, form["code"]).status_code == 422  # it was used to set it up


def test_a_new_picture_is_confirmed_by_the_login_that_was_shown_it_alone(app, client, partner):
    """Nobody makes another person take a secret that they know."""
    with app.app_context():
        for email in (DANA, "olga@northwind.example"):
            factories.member(partner, email=email)
    stranger = app.test_client()
    password(stranger, "olga@northwind.example")
    _, form, _ = set_up(stranger, code="000000")
    password(client)
    answer = client.post("/you/factors/authenticator", data=form)
    assert (answer.status_code, "open too long" in answer.text) == (422, True)


def test_whoever_has_a_factor_cannot_add_another_with_the_password_alone(client, dana, app):
    password(client)
    assert urlsplit(set_up_address(client)).path == "/prove"
    with app.app_context():
        assert db.session.query(Factor).count() == 1


def set_up_address(client):
    return client.post("/you/factors/authenticator", data={"name": "Mine", "code": "123456"}).location


def test_a_recovery_code_opens_once_and_the_person_is_told(app, client, dana):
    with app.app_context():
        first, second, *_ = recovery_codes.make_anew(db.session.merge(dana))
        db.session.commit()
    password(client)
    assert prove(client, first.lower().replace("-", " ")).status_code == 303
    other = app.test_client()
    password(other)
    assert [prove(other, first).status_code, prove(other, second).status_code] == [422, 303]
    with app.app_context():
        told = db.session.scalars(
            db.select(SecurityEvent.details).where(SecurityEvent.kind == security_events.CODE_USED)
        ).all()
    assert [one["left"] for one in told] == [7, 6]


def test_one_recovery_code_sent_from_several_browsers_at_the_same_moment_opens_one(app, dana):
    with app.app_context():
        typed = recovery_codes.make_anew(db.session.merge(dana))[0]
        db.session.commit()
    browsers = [app.test_client() for _ in range(4)]
    for browser in browsers:
        password(browser)
    assert sorted(sent_together(browsers, typed)) == [303, 422, 422, 422]


def test_a_recovery_code_opens_while_wrong_codes_of_the_app_hold_it_up(app, client, dana):
    with app.app_context():
        first, *_ = recovery_codes.make_anew(db.session.merge(dana))
        now = clock.now()
        db.session.get_one(User, dana.id).refused_codes = [now - timedelta(minutes=n) for n in range(20)]
        db.session.commit()
    password(client)
    refused = prove(client, code())
    assert (refused.status_code, "or use a recovery code now" in refused.text) == (429, True)
    assert prove(client, first).status_code == 303
    assert client.get("/you").status_code == 200


def test_what_looks_like_a_recovery_code_is_limited_where_it_is_typed_and_nowhere_else(app, client, dana):
    with app.app_context():
        first, *_ = recovery_codes.make_anew(db.session.merge(dana))
        db.session.commit()
    password(client)
    seen = [prove(client, "ABCD-EFGH-JKMN-PQRS").status_code for _ in range(11)]
    assert seen == [422] * 10 + [429]
    elsewhere = app.test_client()
    elsewhere.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    password(elsewhere)
    assert prove(elsewhere, first).status_code == 303


def test_recovery_codes_of_another_person_open_nothing(app, client, partner, dana):
    with app.app_context():
        other = enrolled(factories.member(partner, email="olga@northwind.example"))
        theirs, *_ = recovery_codes.make_anew(other)
        db.session.commit()
    password(client)
    assert prove(client, theirs).status_code == 422


def test_new_recovery_codes_end_those_before(app, client, dana):
    with app.app_context():
        old, *_ = recovery_codes.make_anew(db.session.merge(dana))
        db.session.commit()
    password(client)
    prove(client, code())
    assert client.post("/you/factors/recovery-codes").status_code == 201
    with app.app_context():
        assert db.session.query(RecoveryCode).count() == recovery_codes.HOW_MANY
    other = app.test_client()
    password(other)
    assert prove(other, old).status_code == 422


def test_adding_and_removing_one_signs_out_other_browsers_and_stands_in_the_log(app, client, dana, partner):
    other = app.test_client()
    password(other)
    prove(other, code(-1))
    password(client)
    prove(client, code())
    answer, _, _ = set_up(client)
    assert answer.status_code in (201, 303)
    assert other.get("/partners").location.startswith("/login")
    assert client.get("/you").status_code == 200
    with app.app_context():
        first = db.session.scalars(db.select(Factor).order_by(Factor.id)).first()
    assert client.post(f"/you/factors/{first.id}/remove").status_code == 303
    activity = client.get("/p/northwind/activity").text
    for words in ("Dana added a second factor: Authenticator app “My phone”", "Dana removed a second factor"):
        assert words in activity


def test_the_last_one_of_an_owner_cannot_go(app, client, dana):
    password(client)
    prove(client, code())
    with app.app_context():
        only = db.session.scalars(db.select(Factor)).one()
    refused = client.post(f"/you/factors/{only.id}/remove")
    assert (refused.status_code, "Add another one first" in refused.text) == (422, True)
    assert client.get("/you").status_code == 200


def test_a_clerk_may_be_without_one_again(app, client, partner):
    with app.app_context():
        enrolled(factories.member(partner, "clerk", email=DANA))
        only = db.session.scalars(db.select(Factor)).one()
    password(client)
    prove(client, code())
    assert client.post(f"/you/factors/{only.id}/remove").status_code == 303
    with app.app_context():
        assert sessions.find_user(DANA).second_factor_at is None
    password(client)
    assert client.get("/p/northwind/").status_code == 200


def test_factors_of_others_are_unknown(app, client, dana, partner):
    with app.app_context():
        enrolled(factories.member(partner, email="olga@northwind.example"))
        theirs = db.session.scalars(db.select(Factor).order_by(Factor.id.desc())).first()
    password(client)
    prove(client, code())
    for address in ("name", "remove"):
        assert client.get(f"/you/factors/{theirs.id}/{address}").status_code == 404
        assert client.post(f"/you/factors/{theirs.id}/{address}", data={"name": "x"}).status_code == 404


def test_taking_all_factors_away_signs_out_and_leads_to_a_new_one(app, client, dana):
    password(client)
    prove(client, code())
    with app.app_context():
        factors.take_all(sessions.find_user(DANA), reason="Phone and codes lost")
        db.session.commit()
    assert client.get("/partners").location.startswith("/login")
    password(client)
    assert urlsplit(client.get("/partners").location).path == "/you/factors"


def test_a_login_of_the_release_before_is_led_to_the_second_step(app, client, dana, superuser):
    """Its rows say nothing of proofs; the password is asked for once more."""
    password(client)
    superuser.execute("UPDATE login_session SET proved_at = NULL")
    assert client.get("/partners").location.startswith("/login")


def test_a_demo_lets_people_in_without_one_but_not_past_one(app, client, partner, dana):
    app.config["DEMO_LOGINS"] = ["owner@northwind.example, password x"]
    with app.app_context():
        factories.member(partner, email="olga@northwind.example")
        assert not who_needs_a_factor.must_have(sessions.find_user("olga@northwind.example"))
    login_page = client.get("/login").text
    assert "nobody is asked to set up a second factor" in login_page
    assert "owner@northwind.example, password x" in login_page
    password(client, "olga@northwind.example")
    assert client.get("/p/northwind/").status_code == 200
    people, settings = (client.get(f"/p/northwind/settings/{name}").text for name in ("people", "partner"))
    assert "Asked for at the next login" not in people
    assert "In this demo nobody is asked" in settings
    password(client)
    assert client.get("/p/northwind/").location.startswith("/prove")


def test_a_spent_code_is_one_row(app, client, dana):
    password(client)
    prove(client, code())
    with app.app_context():
        assert db.session.query(SpentProof).count() == 1
