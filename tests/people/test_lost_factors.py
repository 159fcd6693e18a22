"""All second factors lost: others make sure that it is the person, a day passes, and a mail's link stops it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from portal import clock
from portal.access import factor_resets, totp
from portal.access.actor import Actor
from portal.access.tenancy import people_scope, tenant_scope
from portal.extensions import db
from portal.models import Factor, FactorReset, FactorResetAgreement, Mail, Membership, Tenant, User
from portal.people import disabling, lost_factors, team
from portal.people.lost_factors import WAIT
from tests import factories
from tests.fixtures.people import with_factor_proved

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
    assert "one staff person more" in second.get(f"{address}/{reset}").text
    agree(second, f"{address}/{reset}", reset)
    assert row_of(app, reset).due_at is not None
    travel.shift(WAIT + timedelta(seconds=1))
    settle(app)
    assert had(app, nora) == 0
    travel.shift(-WAIT)
    assert "Made sure that it is nora@example.com" in log_in(user=kim).get("/staff/audit").text


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
    with app.app_context():
        contoso = factories.tenant("contoso", name="Contoso Ltd")
        with tenant_scope(contoso.id):
            db.session.add(Membership(tenant_id=contoso.id, user_id=nora.id, role="reader"))
            db.session.commit()
        olga, carl = (
            factories.member(one, name=name) for one, name in ((partner, "Olga"), (contoso, "Carl"))
        )
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


def test_without_an_agreement_it_runs_out_after_a_week(app: Flask, nora: User, travel: Any) -> None:
    reset = asked(app, nora)
    travel.shift(timedelta(days=7, seconds=1))
    settle(app)
    assert (had(app, nora), row_of(app, reset).outcome) == (1, "run_out")


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
    assert outcome in answers
    assert had(app, nora) == (1 if outcome == "withdrawn" else 0)


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
