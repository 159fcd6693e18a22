"""All second factors lost: others make sure that it is the person, a day passes, and a mail's link stops it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from threading import Barrier
from typing import Any

import psycopg
import pyotp
import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from portal import clock
from portal.access import factor_resets, factors, recovery_codes, security_events, totp
from portal.access.actor import Actor
from portal.access.tenancy import people_scope, tenant_scope
from portal.extensions import db
from portal.mail import drawing
from portal.models import (
    Factor,
    FactorReset,
    FactorResetAgreement,
    Mail,
    Membership,
    SecurityEvent,
    Tenant,
    User,
)
from portal.people import disabling, lost_factors, team
from portal.people.lost_factors import WAIT
from tests import factories
from tests.fixtures.form_tokens import STALE
from tests.fixtures.people import with_factor_proved
from tests.held import WAITS, free_meanwhile
from tests.reading import element, value, words

LogIn = Callable[..., FlaskClient]
Link = Callable[..., str]
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
HOW = "We met at her desk this morning"
ASK = "/prove/lost"


@pytest.fixture
def nora(app: Flask, partner: Tenant) -> User:
    with app.app_context():
        return with_factor(factories.member(partner, "manager", email="nora@example.com", name="Nora"))


@pytest.fixture
def travel() -> Iterator[Any]:
    with time_machine.travel(clock.now(), tick=True) as traveller:
        yield traveller


def with_factor(person: User) -> User:
    user = db.session.merge(person)
    totp.add(user, "Phone", SECRET)
    user.second_factor_at = clock.now()
    db.session.commit()
    return user


def half_way(app: Flask, user: User) -> FlaskClient:
    browser = app.test_client()
    browser.post("/login", data={"email": user.email, "password": factories.PASSWORD})
    return browser


def asked(app: Flask, user: User) -> int:
    assert half_way(app, user).post(ASK).status_code == 303
    with app.app_context():
        row = factor_resets.open_one(user.id)
        assert row is not None
        return row.id


def place(app: Flask, partner: Tenant, user: User) -> str:
    with app.app_context(), tenant_scope(partner.id):
        number = db.session.scalars(db.select(Membership.id).where(Membership.user_id == user.id)).one()
    return f"/p/{partner.slug}/settings/people/{number}/factors"


def agree(browser: FlaskClient, address: str, number: int, **more: Any) -> Any:
    form = {"how": HOW, "sure": "y", "reset": str(number), **more}
    return browser.post(f"{address}/agree", data=form)


def had(app: Flask, user: User) -> int:
    with app.app_context():
        return db.session.query(Factor).filter_by(user_id=user.id).count()


def row_of(app: Flask, reset: int) -> FactorReset:
    with app.app_context():
        return db.session.get_one(FactorReset, reset)


def told(app: Flask, kind: str = "security_event") -> list[str]:
    with app.app_context():
        mails = db.session.scalars(db.select(Mail).where(Mail.kind == kind).order_by(Mail.id))
        return [f"{mail.to_address} {mail.words.get('what', '')}".strip() for mail in mails]


def kept_by(app: Flask, user: User) -> str:
    """By whom the newest request was ended, as the person reads it."""
    kept = SecurityEvent.kind == security_events.FACTORS_KEPT, SecurityEvent.user_id == user.id
    with app.app_context(), people_scope():
        rows = db.session.scalars(db.select(SecurityEvent).where(*kept).order_by(SecurityEvent.id)).all()
        return str(rows[-1].details["by"])


def settle(app: Flask) -> None:
    with app.app_context():
        lost_factors.settle_due()


def test_an_owner_makes_sure_and_a_day_later_the_factors_are_gone(
    app: Flask, partner: Tenant, nora: User, log_in: LogIn, travel: Any, superuser: Any
) -> None:
    owner, address = log_in(partner), place(app, partner, nora)
    browser = half_way(app, nora)
    assert "Ask for it" in browser.get(ASK).text
    reset = asked(app, nora)
    assert "make sure that it is you" in browser.get(ASK).text
    assert told(app, "factors_lost") == ["nora@example.com"]
    with app.app_context(), tenant_scope(partner.id):
        notice = db.session.scalars(db.select(Mail).where(Mail.kind == "people_event")).one()
        said = drawing.draw(notice, None).text
        assert ("Talk to them first" in said, "nothing to do" in said) == (True, False)
        assert "Nora has lost all second factors" in notice.words["what"]
        assert notice.words["page_path"] == address
    assert address in owner.get("/p/northwind/settings/people").text
    assert "Still needed" in owner.get(address).text
    assert agree(owner, address, reset).status_code == 303
    assert HOW in owner.get(address).text
    assert told(app, "factors_to_go") == ["nora@example.com"]
    travel.shift(WAIT - timedelta(minutes=1))
    settle(app)
    assert had(app, nora) == 1
    travel.shift(timedelta(minutes=2))
    settle(app)
    assert (had(app, nora), row_of(app, reset).outcome) == (0, "done")
    assert "All second factors were taken away" in told(app)[-1]
    travel.shift(-WAIT)
    again = half_way(app, nora)
    assert again.get("/p/northwind/").location.startswith("/you/factors"), "a manager sets up another one"
    events = superuser.execute("SELECT event FROM audit_event ORDER BY position").fetchall()
    assert [name for (name,) in events if "factors" in name] == [
        "login.factors_lost",
        "login.factors_agreed",
        "login.factors_to_go",
        "login.factors_reset",
    ]


def test_two_staff_people_stand_in_for_an_owner_and_one_does_not(
    app: Flask, nora: User, log_in: LogIn, travel: Any
) -> None:
    with app.app_context():
        kim, lee = (factories.user(staff=True, name=name) for name in ("Kim Staff", "Lee Staff"))
    reset, address = asked(app, nora), "/staff/lost-factors"
    first, second = log_in(user=kim), log_in(user=lee)
    assert "Nora" in first.get(address).text
    for _ in range(2):  # the same person counts once
        assert agree(first, f"{address}/{reset}", reset).status_code == 303
    assert row_of(app, reset).due_at is None
    shown = words(second, f"{address}/{reset}")
    assert "Still needed one staff person more" in shown, "this partner has no owner who could"
    agree(second, f"{address}/{reset}", reset)
    assert row_of(app, reset).due_at is not None
    travel.shift(WAIT + timedelta(seconds=1))
    settle(app)
    assert had(app, nora) == 0
    with app.app_context():
        mail = db.session.scalars(db.select(Mail).order_by(Mail.id.desc())).first()
        assert "Log in with your password and set up a new second factor." in drawing.draw(mail, None).text
    travel.shift(-WAIT)
    late = log_in(user=kim)
    assert late.get("/staff/audit").text.count("Made sure that it is nora@example.com") == 2, "once a person"
    assert late.get(f"{address}/{reset}").location == address
    assert "This request is over" in late.get(address).text
    assert agree(late, f"{address}/{reset}", reset, how="yes").location == address


def test_nobody_agrees_to_their_own_request(app: Flask, partner: Tenant, log_in: LogIn) -> None:
    with app.app_context():
        owner = with_factor(factories.member(partner))
        staff = with_factor(factories.user(staff=True))
    inside, beside = log_in(user=owner), log_in(user=staff)
    for user, browser, address in (
        (owner, inside, place(app, partner, owner)),
        (staff, beside, "/staff/lost-factors"),
    ):
        reset = asked(app, user)
        address = f"{address}/{reset}" if address.startswith("/staff") else address
        assert "This is your own request" in browser.get(address).text
        agree(browser, address, reset)
        assert row_of(app, reset).due_at is None


@pytest.mark.parametrize("role", ["manager", "clerk", "reader"])
def test_only_owners_agree(app: Flask, partner: Tenant, nora: User, log_in: LogIn, role: str) -> None:
    reset, address = asked(app, nora), place(app, partner, nora)
    somebody = log_in(partner, role)
    assert [agree(somebody, address, reset).status_code, somebody.get(address).status_code] == [403, 403]
    assert address not in somebody.get("/p/northwind/settings/people").text
    assert row_of(app, reset).due_at is None


def test_an_owner_of_another_partner_finds_and_decides_nothing(
    app: Flask, partner: Tenant, nora: User, log_in: LogIn
) -> None:
    with app.app_context():
        contoso = factories.tenant("contoso")
        carl = factories.member(contoso, "clerk")
    reset, stranger = asked(app, nora), log_in(contoso)
    theirs, own = place(app, partner, nora), place(app, contoso, carl)
    foreign = theirs.replace("northwind", "contoso")
    for address in (theirs, foreign, own):
        for end in ("agree", "stop"):
            form = {"how": HOW, "sure": "y", "reset": str(reset)}
            assert stranger.post(f"{address}/{end}", data=form).status_code == 404, address
    row = row_of(app, reset)
    assert (row.due_at, row.ended_at) == (None, None)


def test_who_belongs_to_two_partners_needs_an_owner_of_each_and_neither_hears_of_the_other(
    app: Flask, partner: Tenant, nora: User, log_in: LogIn
) -> None:
    """An owner whom the person trusts at one partner opens nothing at another."""
    contoso, olga, carl = at_two_partners(app, partner, nora)
    reset, here, there = asked(app, nora), place(app, partner, nora), place(app, contoso, nora)
    agree(log_in(user=olga), here, reset)
    assert row_of(app, reset).due_at is None
    page = log_in(user=carl).get(there).text + log_in(user=carl).get("/p/contoso/activity").text
    assert "an owner of Contoso Ltd, or two staff people" in page
    assert [word for word in ("Olga", "Northwind", HOW) if word in page] == []
    agree(log_in(user=carl), there, reset)
    assert row_of(app, reset).due_at is not None


@pytest.mark.parametrize("which", ["factors_lost", "factors_to_go"])
def test_the_link_in_either_mail_stops_it_and_puts_whoever_asked_out(
    app: Flask, partner: Tenant, nora: User, log_in: LogIn, link: Link, travel: Any, which: str
) -> None:
    thief, reset = half_way(app, nora), asked(app, nora)
    agree(log_in(partner), place(app, partner, nora), reset)
    path = link(which)
    assert app.test_client().get(path).status_code == 200
    assert row_of(app, reset).ended_at is None, "looking changes nothing"
    answer = app.test_client().post(path)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert row_of(app, reset).outcome == "withdrawn"
    assert thief.get(ASK).location.startswith("/login")
    for other in (path, link("factors_lost"), link("factors_to_go")):
        gone = app.test_client().post(other)
        assert (gone.status_code, gone.headers["Cache-Control"]) == (404, "no-store"), (
            "each of them is used up"
        )
    travel.shift(WAIT + timedelta(seconds=1))
    settle(app)
    assert had(app, nora) == 1
    assert "stay" in told(app)[-1]


@pytest.mark.parametrize("end", ["proved", "another password", "stopped by an owner", "stopped by staff"])
def test_it_ends_without_effect(
    app: Flask, partner: Tenant, nora: User, log_in: LogIn, link: Link, travel: Any, end: str
) -> None:
    reset, address, owner = asked(app, nora), place(app, partner, nora), log_in(partner)
    agree(owner, address, reset)
    if end == "proved":
        with_factor_proved(app.test_client(), nora.email)
    elif end == "another password":
        app.test_client().post("/password/forgotten", data={"email": nora.email})
        app.test_client().post(link("password_reset"), data={"password": "four words beside a river"})
    elif end == "stopped by an owner":
        assert owner.post(f"{address}/stop", data={"reset": str(reset)}).status_code == 303
    else:
        with app.app_context():
            kim = factories.user(staff=True)
        assert log_in(user=kim).post(f"/staff/lost-factors/{reset}/stop").status_code == 303
    travel.shift(WAIT + timedelta(seconds=1))
    settle(app)
    assert had(app, nora) == 1
    assert row_of(app, reset).outcome == ("stopped" if "stopped" in end else "withdrawn")


@pytest.mark.parametrize(
    "who", ["demoted", "removed", "disabled", "the person is disabled", "one partner more"]
)
def test_an_agreement_counts_only_while_it_would_be_given_today(
    app: Flask, partner: Tenant, nora: User, log_in: LogIn, travel: Any, who: str
) -> None:
    with app.app_context():
        olga, _ = factories.member(partner), factories.member(partner)
    reset = asked(app, nora)
    agree(log_in(user=olga), place(app, partner, nora), reset)
    assert row_of(app, reset).due_at is not None
    with app.app_context():
        if who in ("demoted", "removed"):
            number = int(place(app, partner, olga).split("/")[-2])
            with tenant_scope(partner.id):
                if who == "demoted":
                    team.set_role(factories.ACTOR, number, "reader")
                else:
                    team.remove(factories.ACTOR, number)
                db.session.commit()
        elif who == "one partner more":
            contoso = factories.tenant("contoso")
            with tenant_scope(contoso.id):
                db.session.add(Membership(tenant_id=contoso.id, user_id=nora.id, role="reader"))
                db.session.commit()
        else:
            whose = olga if who == "disabled" else nora
            disabling.disable_user(factories.ACTOR, db.session.get_one(User, whose.id))
            db.session.commit()
    travel.shift(WAIT + timedelta(seconds=1))
    settle(app)
    assert (had(app, nora), row_of(app, reset).outcome) == (1, "stopped")
    gone = (
        "the login is disabled"
        if who == "the person is disabled"
        else "not everybody who has to agree does so any more"
    )
    assert kept_by(app, nora) == f"the portal, because {gone}"


def test_without_an_agreement_it_runs_out_after_a_week(app: Flask, nora: User, travel: Any) -> None:
    reset = asked(app, nora)
    travel.shift(timedelta(days=7, seconds=1))
    settle(app)
    assert (had(app, nora), row_of(app, reset).outcome) == (1, "run_out")
    assert kept_by(app, nora) == "the portal, because nobody agreed within a week"


def test_with_too_few_agreements_it_runs_out_too_and_says_so(
    app: Flask, nora: User, log_in: LogIn, travel: Any
) -> None:
    reset = asked(app, nora)
    with app.app_context():
        kim = factories.user(staff=True)
    agree(log_in(user=kim), f"/staff/lost-factors/{reset}", reset)
    travel.shift(timedelta(days=7, seconds=1))
    settle(app)
    assert (had(app, nora), row_of(app, reset).outcome) == (1, "run_out")
    assert kept_by(app, nora) == "the portal, because not everybody who has to agree did so within a week"


def at_two_partners(app: Flask, partner: Tenant, nora: User) -> tuple[Tenant, User, User]:
    """Nora belongs to Contoso too; Olga owns the partner, Carl Contoso."""
    with app.app_context():
        contoso = factories.tenant("contoso", name="Contoso Ltd")
        with tenant_scope(contoso.id):
            db.session.add(Membership(tenant_id=contoso.id, user_id=nora.id, role="reader"))
            db.session.commit()
        olga, carl = (
            factories.member(one, name=name) for one, name in ((partner, "Olga"), (contoso, "Carl"))
        )
        return contoso, olga, carl


def test_the_wait_begins_once_everybody_who_still_has_to_agree_does(
    app: Flask, partner: Tenant, nora: User, log_in: LogIn, link: Link, travel: Any
) -> None:
    """The other partner removes the person: nobody is left who would agree and begin it."""
    contoso, olga, _ = at_two_partners(app, partner, nora)
    reset = asked(app, nora)
    agree(log_in(user=olga), place(app, partner, nora), reset)
    settle(app)
    assert row_of(app, reset).due_at is None
    with app.app_context(), tenant_scope(contoso.id):
        number = db.session.scalars(db.select(Membership.id).where(Membership.user_id == nora.id)).one()
        team.remove(factories.ACTOR, number)
        db.session.commit()
    for _ in range(2):
        settle(app)
    row = row_of(app, reset)
    assert (row.due_at is not None, row.ended_at) == (True, None)
    assert told(app, "factors_to_go") == ["nora@example.com"]
    assert app.test_client().get(link("factors_to_go")).status_code == 200
    with app.app_context():
        assert lost_factors.due() == []
    travel.shift(WAIT + timedelta(seconds=1))
    settle(app)
    assert (had(app, nora), row_of(app, reset).outcome) == (0, "done")


def test_nothing_begins_for_a_person_who_is_disabled(
    app: Flask, partner: Tenant, nora: User, log_in: LogIn
) -> None:
    contoso, olga, _ = at_two_partners(app, partner, nora)
    reset = asked(app, nora)
    agree(log_in(user=olga), place(app, partner, nora), reset)
    with app.app_context():
        with tenant_scope(contoso.id):
            number = db.session.scalars(db.select(Membership.id).where(Membership.user_id == nora.id)).one()
            team.remove(factories.ACTOR, number)
        disabling.disable_user(factories.ACTOR, db.session.get_one(User, nora.id))
        db.session.commit()
        assert (lost_factors.due(), lost_factors.settle(reset)) == ([], None)
    assert row_of(app, reset).due_at is None


def activity(browser: FlaskClient, partner: str) -> str:
    return words(browser, f"/p/{partner}/activity")


def test_the_logs_tell_each_agreement_and_the_end_of_them_and_no_partner_hears_of_another(
    app: Flask, partner: Tenant, nora: User, log_in: LogIn
) -> None:
    _, olga, carl = at_two_partners(app, partner, nora)
    reset, here, there = asked(app, nora), log_in(user=olga), log_in(user=carl)
    agree(here, place(app, partner, nora), reset)
    assert f"Olga made sure that it is Nora who has lost the second factors: {HOW}" in activity(
        here, "northwind"
    )
    page = activity(there, "contoso")
    assert (
        "another partner of theirs made sure that it is Nora who has lost the second factors: how stands"
        in page
    )
    assert [word for word in ("Olga", "Northwind", HOW) if word in page] == []
    to_go = "The second factors of Nora are to go in a day"
    assert to_go not in activity(here, "northwind") + page
    agree(there, place(app, next_to(app), nora), reset)
    assert activity(here, "northwind").count(to_go) == activity(there, "contoso").count(to_go) == 1
    assert "Carl" not in activity(here, "northwind")
    assert there.post(f"{place(app, next_to(app), nora)}/stop", data={"reset": str(reset)}).status_code == 303
    assert "stay: the request was ended by another partner of theirs" in activity(here, "northwind")
    assert "stay: the request was ended by Carl" in activity(there, "contoso")


def next_to(app: Flask) -> Tenant:
    with app.app_context():
        return db.session.scalars(db.select(Tenant).where(Tenant.slug == "contoso")).one()


ENDED_BY = {
    "a code": "their login with a second factor",
    "a recovery code": "their login with a second factor",
    "another password": "their new password",
    "not me": "their answer “This was not me”",
}


@pytest.mark.parametrize("end", ENDED_BY)
def test_what_the_person_does_themselves_to_end_it_stands_in_the_log_of_their_partners(
    app: Flask, partner: Tenant, nora: User, log_in: LogIn, link: Link, end: str
) -> None:
    act = acting(app, nora, link, end)
    reset = asked(app, nora)
    with app.app_context():
        act()
    assert row_of(app, reset).outcome == "withdrawn"
    assert f"The second factors of Nora stay: the request was ended by {ENDED_BY[end]}" in activity(
        log_in(partner), "northwind"
    )
    assert kept_by(app, nora) == ENDED_BY[end].replace("their", "your")


def acting(app: Flask, user: User, link: Link, what: str) -> Callable[[], object]:
    """What a person, or somebody for them, does about their factors: all is prepared, the last step is returned."""
    browser = half_way(app, user)
    if what == "a code":
        code = pyotp.TOTP(SECRET).now()
        return lambda: sent(browser, "/prove", {"code": code})
    if what == "a recovery code":
        with app.app_context():
            codes = recovery_codes.make_anew(db.session.get_one(User, user.id))
            db.session.commit()
        return lambda: sent(browser, "/prove", {"code": codes[0]})
    if what == "another password":
        browser.post("/password/forgotten", data={"email": user.email})
        path = link("password_reset")
        return lambda: sent(browser, path, {"password": "four words beside a river"})
    if what == "not me":
        with app.app_context():
            security_events.tell(db.session.get_one(User, user.id), security_events.PASSWORD_CHANGED)
            db.session.commit()
        path = link("security_event")
        return lambda: sent(browser, path, {}, 200)
    if what == "one factor more":
        inside = with_factor_proved(app.test_client(), user.email)
        page = inside.get("/you/factors/authenticator").text
        secret, offer = value_of_secret(page), value(page, "offer")
        form = {"name": "Second", "offer": offer, "code": pyotp.TOTP(secret).now()}
        return lambda: sent(inside, "/you/factors/authenticator", form, 303, 201)

    def operator() -> None:
        factors.take_all(db.session.get_one(User, user.id), reason="Phone and codes lost")
        db.session.commit()

    return operator


def sent(browser: FlaskClient, path: str, form: dict[str, str], *statuses: int) -> None:
    answer = browser.post(path, data=form)
    assert answer.status_code in (statuses or (303,)), answer.text


def value_of_secret(page: str) -> str:
    return str(element(page, ".factor-secret, code").get_text()).replace(" ", "")


TAKEN = ("app_user", "factor", "recovery_code", "login_session", "login_link")


@pytest.mark.parametrize("what", [*ENDED_BY, "one factor more", "an operator"])
def test_whoever_needs_the_request_takes_it_before_the_person_and_their_factors(
    app: Flask, partner: Tenant, nora: User, link: Link, superuser: Any, what: str
) -> None:
    """The end of the wait holds the request, and needs all of them: the other way round both would wait."""
    act = acting(app, nora, link, what)
    reset = asked(app, nora)
    locks = "; ".join(f"SELECT FROM {table} FOR UPDATE" for table in TAKEN)
    assert free_meanwhile(app, superuser, "SELECT FROM factor_reset FOR UPDATE", act, locks)
    assert row_of(app, reset).ended_at is not None


def test_who_changes_factors_lets_others_write_of_the_person(app: Flask, nora: User, superuser: Any) -> None:
    """They hold a log, whose events name people, and the change needs the log."""
    with app.app_context(), superuser.transaction():
        superuser.execute("SELECT FROM app_user FOR KEY SHARE")
        db.session.execute(db.text("SET LOCAL lock_timeout = '200ms'"))
        assert factors.locked(nora.id).email == nora.email


def test_the_page_of_all_requests_asks_no_more_for_six_than_for_two(
    app: Flask, partner: Tenant, log_in: LogIn, count_queries: Callable[..., int]
) -> None:
    with app.app_context():
        kim, owner = factories.user(staff=True), factories.member(partner)
        factories.member(factories.tenant("contoso"))
    browser, seen = log_in(user=kim), []
    for place_of in range(6):
        with app.app_context():
            person = with_factor(factories.member(partner, "clerk", email=f"p{place_of}@example.com"))
        reset = asked(app, person)
        with app.app_context(), tenant_scope(partner.id):
            number = int(place(app, partner, person).split("/")[-2])
            lost_factors.agree_as_owner(Actor.of(owner.id), number, reset, HOW)
            db.session.commit()
        seen.append(count_queries(lambda: browser.get("/staff/lost-factors")))
    assert browser.get("/staff/lost-factors").text.count("Nobody more") == 6
    assert seen[1] == seen[5]
    with app.app_context():
        assert {tenant for tenant, _ in factor_resets._places([person.id])} == {partner.id}


@pytest.mark.parametrize("where", ["an owner", "staff"])
def test_what_was_typed_stays_when_the_page_was_open_too_long(
    app: Flask, partner: Tenant, nora: User, log_in: LogIn, where: str
) -> None:
    with app.app_context():
        kim = factories.user(staff=True)
    reset = asked(app, nora)
    address = place(app, partner, nora) if where == "an owner" else f"/staff/lost-factors/{reset}"
    browser = log_in(partner) if where == "an owner" else log_in(user=kim)
    form = {"how": HOW, "sure": "y", "reset": str(reset)}
    answer = browser.post(f"{address}/agree", data=form, token=STALE)
    assert (answer.status_code, value(answer.text, "how")) == (400, HOW)
    assert "What you typed is still here" in answer.text
    assert row_of(app, reset).due_at is None


def test_an_old_page_agrees_to_no_newer_request_and_a_used_one_to_none(
    app: Flask, partner: Tenant, nora: User, log_in: LogIn
) -> None:
    """Replay: whoever has the first form cannot use it for what was asked after it."""
    owner, address, old = log_in(partner), place(app, partner, nora), asked(app, nora)
    with_factor_proved(app.test_client(), nora.email)
    new = asked(app, nora)
    agree(owner, address, old)
    assert "This request is over" in owner.get("/p/northwind/settings/people").text
    assert row_of(app, new).due_at is None
    assert agree(owner, address, new + 1).status_code == 404
    assert agree(owner, address, new, reset="x").status_code == 404
    assert agree(owner, address, new, sure="").status_code == 422
    assert agree(owner, address, new, how="yes").status_code == 422


def test_asking_again_is_the_same_request_and_three_a_day_are_all(app: Flask, nora: User) -> None:
    assert asked(app, nora) == asked(app, nora)
    assert told(app, "factors_lost") == ["nora@example.com"]
    for _ in range(2):
        with_factor_proved(app.test_client(), nora.email)
        asked(app, nora)
    with_factor_proved(app.test_client(), nora.email)
    refused = half_way(app, nora).post(ASK)
    assert (refused.status_code, "several times today" in refused.text) == (422, True)


def test_only_who_proved_the_password_asks(app: Flask, nora: User) -> None:
    browser = app.test_client()
    assert browser.post(ASK).location.startswith("/login")
    browser.post("/login", data={"email": nora.email, "password": "wrong wrong wrong"})
    assert browser.post(ASK).location.startswith("/login")
    with app.app_context():
        assert factor_resets.open_one(nora.id) is None


def together(number: int, job: Callable[[], object]) -> list[Callable[[], object]]:
    barrier = Barrier(number)

    def run() -> object:
        barrier.wait(10)
        return job()

    return [run] * number


def test_two_agreements_at_once_begin_one_wait_and_two_settlings_take_once(
    app: Flask, partner: Tenant, nora: User, at_once: Callable[..., list[Any]], travel: Any
) -> None:
    with app.app_context():
        owners = [factories.member(partner).id for _ in range(2)]
    reset, number = asked(app, nora), int(place(app, partner, nora).split("/")[-2])
    barrier = Barrier(2)

    def agreeing(owner: int) -> Callable[[], str]:
        def act() -> str:
            barrier.wait(10)
            with tenant_scope(partner.id):
                lost_factors.agree_as_owner(Actor.of(owner), number, reset, HOW)
                db.session.commit()
            return "agreed"

        return act

    assert at_once(*map(agreeing, owners)) == ["agreed", "agreed"]
    assert told(app, "factors_to_go") == ["nora@example.com"]
    travel.shift(WAIT + timedelta(seconds=1))
    outcomes = at_once(*together(3, lambda: lost_factors.settle(reset)))
    assert sorted(map(str, outcomes)) == ["None", "None", "done"]
    assert sum("All second factors were taken away" in line for line in told(app)) == 1


def test_the_link_and_the_end_of_the_wait_at_once_have_one_winner(
    app: Flask,
    partner: Tenant,
    nora: User,
    log_in: LogIn,
    link: Link,
    at_once: Callable[..., list[Any]],
    travel: Any,
) -> None:
    reset = asked(app, nora)
    agree(log_in(partner), place(app, partner, nora), reset)
    token = link("factors_to_go").rpartition("/")[2]
    travel.shift(WAIT + timedelta(seconds=1))
    barrier = Barrier(2)

    def stop() -> object:
        barrier.wait(10)
        lost_factors.withdraw(token)
        db.session.commit()
        return "withdrawn"

    def end() -> object:
        barrier.wait(10)
        return lost_factors.settle(reset)

    answers = at_once(stop, end)
    outcome = row_of(app, reset).outcome
    assert outcome in ("withdrawn", "done")
    assert [answer for answer in answers if answer in ("withdrawn", "done")] == [outcome]
    assert had(app, nora) == (1 if outcome == "withdrawn" else 0)


def test_a_link_that_is_used_while_the_wait_ends_is_told_that_it_is_over(
    app: Flask, partner: Tenant, nora: User, log_in: LogIn, link: Link, superuser: Any
) -> None:
    """It waits for whoever ends the request, and does not say that the second factors stay."""
    reset = asked(app, nora)
    agree(log_in(partner), place(app, partner, nora), reset)
    browser, path = app.test_client(), link("factors_to_go")
    with psycopg.connect(superuser.info.dsn, password=superuser.info.password) as ending:
        done = "UPDATE factor_reset SET ended_at = now(), outcome = 'done' WHERE id = %s"
        ending.execute(done, [reset])
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(browser.post, path)
            for _ in range(500):
                if answer.done() or superuser.execute(WAITS).fetchone()[0]:
                    break
                wait([answer], timeout=0.01)
            ending.commit()
            assert answer.result(timeout=10).status_code == 404


def test_what_the_tables_keep_of_the_links_opens_nothing(
    app: Flask, partner: Tenant, nora: User, log_in: LogIn, link: Link, superuser: Any
) -> None:
    reset = asked(app, nora)
    agree(log_in(partner), place(app, partner, nora), reset)
    stored = str(superuser.execute("SELECT t::text FROM factor_reset t").fetchall())
    for kind in ("factors_lost", "factors_to_go"):
        assert link(kind).rpartition("/")[2] not in stored
    with app.app_context(), tenant_scope(partner.id):
        for table in (FactorReset, FactorResetAgreement):
            assert db.session.query(table).count() == 0, "inside a partner they do not exist"
        with people_scope():
            assert db.session.query(FactorReset).count() == 1


def test_a_form_that_is_over_and_was_open_too_long_is_told_so(
    app: Flask, partner: Tenant, nora: User, log_in: LogIn
) -> None:
    reset, address, browser = asked(app, nora), place(app, partner, nora), log_in(partner)
    with_factor_proved(app.test_client(), nora.email)
    form = {"how": HOW, "sure": "y", "reset": str(reset)}
    answer = browser.post(f"{address}/agree", data=form, token=STALE)
    assert (answer.status_code, "This form was open too long" in answer.text) == (400, True)
    assert "look it over and send it again" not in answer.text
