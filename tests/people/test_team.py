"""Roles given and taken away; never so that no owner is left."""

import re
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import clock
from portal.access import api_keys
from portal.access.actor import Actor
from portal.access.tenancy import scoped, tenant_scope
from portal.extensions import db
from portal.models import ApiKey, Invitation, Membership, Tenant, User
from portal.people import invitations, team
from tests import factories

LogIn = Callable[..., FlaskClient]
PEOPLE = "/p/northwind/settings/people"


def membership(app: Flask, partner: Tenant, user: User) -> int:
    with app.app_context(), tenant_scope(partner.id):
        return db.session.scalars(scoped(Membership).where(Membership.user_id == user.id)).one().id


def roles(app: Flask, partner: Tenant) -> list[str]:
    with app.app_context(), tenant_scope(partner.id):
        return [row.role for row in db.session.scalars(scoped(Membership).order_by(Membership.id))]


def removal(browser: FlaskClient, number: int, **more: Any) -> Any:
    page = browser.get(f"{PEOPLE}/{number}/remove").text
    told = re.search(r'name="told" value="([\d,]+)"', page)
    return browser.post(f"{PEOPLE}/{number}/remove", data={"told": told[1] if told else "", **more})


def test_another_role_counts_at_once_and_ends_the_persons_sessions(
    app: Flask, partner: Tenant, log_in: LogIn
) -> None:
    with app.app_context():
        clerk = factories.member(partner, "clerk", name="Cleo Clerk")
    owner, theirs = log_in(partner), log_in(user=clerk)
    assert theirs.get("/p/northwind/payments").status_code == 200
    number = membership(app, partner, clerk)
    assert owner.post(f"{PEOPLE}/{number}/role", data={"role": "reader"}).status_code == 303
    assert theirs.get("/p/northwind/payments").location.startswith("/login")
    assert log_in(user=clerk).post("/p/northwind/payments", data={}).status_code == 403
    assert "got another role" in owner.get("/p/northwind/activity").text


def test_a_removed_person_is_out_at_once_and_what_they_did_keeps_their_name(
    app: Flask, partner: Tenant, log_in: LogIn
) -> None:
    with app.app_context():
        gone = factories.member(partner, name="Gina Gone")
        with tenant_scope(partner.id):
            key, secret = api_keys.create(Actor.of(gone.id), "Checkout", ["read"])
            _, kept_secret = api_keys.create(Actor.of(gone.id), "Kept", ["read"])
            db.session.commit()
            key_id = key.id
    owner, theirs = log_in(partner), log_in(user=gone)
    number = membership(app, partner, gone)
    page = owner.get(f"{PEOPLE}/{number}/remove").text
    assert "Revoke “Checkout”" in page
    assert "Revoke “Kept”" in page
    assert owner.post(f"{PEOPLE}/{number}/remove", data={"told": str(number)}).status_code == 422
    assert removal(owner, number, revoke=[str(key_id)]).status_code == 303
    assert theirs.get("/p/northwind/").location.startswith("/login")
    assert log_in(user=gone).get("/p/northwind/").status_code == 404
    for which, status in ((secret, 401), (kept_secret, 200)):
        call = {"Authorization": f"Bearer {which}"}
        assert app.test_client().get("/api/v1/invoices", headers=call).status_code == status
    assert "is removed and logged out" in owner.get(PEOPLE).text
    assert "Gina Gone" not in owner.get(PEOPLE).text
    assert "Gina Gone" in owner.get("/p/northwind/activity").text
    assert owner.post(f"{PEOPLE}/{number}/remove", data={"told": str(number)}).status_code == 404


def test_a_removed_person_can_come_back_and_be_removed_again(app: Flask, partner: Tenant) -> None:
    with app.app_context():
        user = factories.member(partner, "clerk")
        factories.member(partner)
        for _ in range(2):
            with tenant_scope(partner.id):
                team.remove(factories.ACTOR, membership(app, partner, user))
                db.session.add(Membership(tenant_id=partner.id, user_id=user.id, role="reader"))
                db.session.commit()


@pytest.mark.parametrize("deed", ["demote", "remove"])
def test_the_last_owner_stays_one(app: Flask, partner: Tenant, log_in: LogIn, deed: str) -> None:
    with app.app_context():
        last = factories.member(partner, name="Lara Last")
        factories.member(partner, name="Dora Disabled", disabled_at=db.func.now())
        factories.member(partner, "manager")
    owner, number = log_in(user=last), membership(app, partner, last)
    if deed == "demote":
        refused = owner.post(f"{PEOPLE}/{number}/role", data={"role": "manager"})
    else:
        assert "is the only owner who can log in" in owner.get(f"{PEOPLE}/{number}/remove").text
        refused = owner.post(f"{PEOPLE}/{number}/remove", data={"told": str(number)})
    assert (refused.status_code, "is the only owner who can log in" in refused.text) == (422, True)
    assert roles(app, partner) == ["owner", "owner", "manager"]
    assert owner.get("/p/northwind/").status_code == 200


def test_one_of_two_owners_may_leave(app: Flask, partner: Tenant, log_in: LogIn) -> None:
    with app.app_context():
        leaving, _ = factories.member(partner), factories.member(partner)
    browser = log_in(user=leaving)
    assert removal(browser, membership(app, partner, leaving)).status_code == 303
    assert browser.get(PEOPLE).location.startswith("/login")


def change(partner_id: int, me: int, number: int, deed: str) -> Callable[[], str]:
    def act() -> str:
        with tenant_scope(partner_id):
            if deed == "demote":
                team.set_role(Actor.of(me), number, "reader")
            else:
                team.remove(Actor.of(me), number)
            db.session.commit()
        return "str"

    return act


@pytest.mark.parametrize("deed", ["demote", "remove"])
@pytest.mark.parametrize("whom", ["each other", "themselves"])
def test_of_two_owners_at_once_one_stays(
    app: Flask, partner: Tenant, at_once: Callable[..., list[Any]], deed: str, whom: str
) -> None:
    with app.app_context():
        people = [factories.member(partner) for _ in range(2)]
        ids = [person.id for person in people]
    numbers = [membership(app, partner, person) for person in people]
    if whom == "each other":
        numbers.reverse()
    jobs = [change(partner.id, me, number, deed) for me, number in zip(ids, numbers, strict=True)]
    answers = at_once(*jobs)
    refused = "Forbidden" if whom == "each other" else "CannotChange"
    assert sorted(type(answer).__name__ for answer in answers) == [refused, "str"]
    assert roles(app, partner).count("owner") == 1


def test_another_partners_people_and_invitations_do_not_exist(
    app: Flask, partner: Tenant, log_in: LogIn
) -> None:
    with app.app_context():
        other = factories.tenant("contoso")
        foreign = factories.member(other, "clerk")
    asked = {"email": "x@example.com", "role": "reader"}
    log_in(other).post("/p/contoso/settings/people/invitations", data=asked)
    owner, number = log_in(partner), membership(app, other, foreign)
    with app.app_context(), tenant_scope(other.id):
        invitation = db.session.scalars(scoped(Invitation)).one().id
    for path in (
        f"{number}/role", f"{number}/remove", f"invitations/{invitation}/send-again", f"invitations/{invitation}/revoke",
    ):  # fmt: skip
        data = {"role": "owner", "told": str(number)}
        assert owner.post(f"{PEOPLE}/{path}", data=data).status_code == 404
    assert roles(app, other) == ["clerk", "owner"]


@pytest.mark.parametrize("role", ["manager", "clerk", "reader"])
def test_only_owners_see_addresses_and_what_changes_people(
    app: Flask, partner: Tenant, log_in: LogIn, role: str
) -> None:
    with app.app_context():
        factories.member(partner, name="Olga Owner", email="olga@northwind.example")
    page = log_in(partner, role).get(PEOPLE).text
    assert "Olga Owner" in page
    assert "What each role may do" in page
    assert not [word for word in ("olga@", "Send invitation", "Change role", "Last here") if word in page]


def test_support_in_a_visit_touches_nobody(
    app: Flask, partner: Tenant, visit: Callable[..., FlaskClient]
) -> None:
    """Rule 7.2."""
    with app.app_context():
        owner = factories.member(partner)
    number, support = membership(app, partner, owner), visit(partner)
    for path in ("invitations", f"{number}/role", f"{number}/remove"):
        data = {"email": "x@example.com", "role": "owner"}
        assert support.post(f"{PEOPLE}/{path}", data=data).status_code == 403


def test_keys_of_others_are_not_revoked_with_a_person(app: Flask, partner: Tenant) -> None:
    with app.app_context():
        gone, stays = factories.member(partner, "clerk"), factories.member(partner)
        with tenant_scope(partner.id):
            key, _ = api_keys.create(Actor.of(stays.id), "Theirs", ["read"])
            db.session.commit()
            team.remove(factories.ACTOR, membership(app, partner, gone), [key.id])
            db.session.commit()
            assert db.session.scalars(scoped(ApiKey)).one().revoked_at is None


def test_the_invitations_of_a_removed_person_are_shown_at_the_removal_and_withdrawn(
    app: Flask, partner: Tenant, log_in: LogIn, link: Callable[..., str]
) -> None:
    with app.app_context():
        gone = factories.member(partner, "owner", name="Gina Gone")
    owner, theirs = log_in(partner), log_in(user=gone)
    number = membership(app, partner, gone)
    old = owner.get(f"{PEOPLE}/{number}/remove").text
    told = re.search(r'name="told" value="([\d,]+)"', old)
    assert told
    assert "Revoked with it" not in old
    theirs.post(f"{PEOPLE}/invitations", data={"email": "friend@example.com", "role": "owner"})
    path = link("invitation", partner)
    seen = owner.post(f"{PEOPLE}/{number}/remove", data={"told": told[1]})
    assert seen.status_code == 422, "an invitation that the page did not tell of"
    assert "the invitation of\n  friend@example.com as owner" in seen.text
    owner.post(f"{PEOPLE}/invitations", data={"email": "kept@example.com", "role": "reader"})
    assert removal(owner, number).status_code == 303
    assert app.test_client().get(path).status_code == 404
    people = owner.get(PEOPLE).text
    assert ("friend@example.com" in people, "kept@example.com" in people) == (False, True)
    assert "Invitation of friend@example.com revoked" in owner.get("/p/northwind/activity").text


def test_owners_see_who_has_a_second_factor(
    app: Flask, partner: Tenant, log_in: LogIn, superuser: Any
) -> None:
    with app.app_context():
        factories.member(partner, "clerk", name="Cleo Clerk")
        factories.member(partner, "manager", name="Mona Manager")
        factories.member(partner, "reader", name="Rita Reader", second_factor_at=clock.now())
    page = log_in(partner).get(PEOPLE).text
    state = {
        name: re.search(rf"{name}.*?data-label=\"Second factor\">(.*?)</td>", page, re.S)[1]  # type: ignore[index]
        for name in ("Cleo Clerk", "Mona Manager", "Rita Reader")
    }
    assert "None" in state["Cleo Clerk"]
    assert "Asked for at the next login" in state["Mona Manager"]
    assert "Set up" in state["Rita Reader"]
    assert "Second factor" not in log_in(partner, "clerk").get(PEOPLE).text


def while_it_is_open(app: Flask, first: Callable[[], None], second: Callable[[], None]) -> list[object]:
    """Runs `first`, then `second` while the first one's transaction is open; what each raised."""
    begun, go_on = Event(), Event()
    raised: list[object] = [None, None]

    def run(place: int, job: Callable[[], None]) -> None:
        with app.app_context():
            try:
                job()
                if place == 0:
                    begun.set()
                    go_on.wait(10)
                db.session.commit()
            except Exception as error:
                raised[place] = error
            finally:
                begun.set()
                db.session.remove()

    threads = [Thread(target=run, args=pair) for pair in enumerate((first, second))]
    threads[0].start()
    assert begun.wait(10)
    threads[1].start()
    threads[1].join(0.5)  # it waits for the first, or is done
    go_on.set()
    for thread in threads:
        thread.join(10)
    return raised


@pytest.mark.parametrize("what", ["invitation", "key"])
@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("first", ["letting in", "removal"])
def test_who_is_removed_meanwhile_lets_nobody_in_unseen(
    app: Flask, partner: Tenant, what: str, told: bool, first: str
) -> None:
    """Two connections: a person invites, or makes a key, while an owner who saw neither removes them."""
    with app.app_context():
        gone, owner = factories.member(partner), factories.member(partner)
        number, me, them = membership(app, partner, gone), owner.id, gone.id
    with app.app_context(), tenant_scope(partner.id):
        page = team.told(db.session.get_one(Membership, (partner.id, number)))

    def let_in() -> None:
        with tenant_scope(partner.id):
            if what == "key":
                api_keys.create(Actor.of(them), "Checkout", ["read"])
            else:
                invitations.invite(Actor.of(them), "friend@example.com", "owner")

    def remove() -> None:
        with tenant_scope(partner.id):
            team.remove(Actor.of(me), number, range(1000), page if told else "")

    jobs = [let_in, remove] if first == "letting in" else [remove, let_in]
    raised = [type(one).__name__ for one in while_it_is_open(app, *jobs)]
    second = "Forbidden" if first == "removal" else "Untold" if told else "NoneType"
    assert raised == ["NoneType", second]
    with app.app_context(), tenant_scope(partner.id):
        invited = scoped(Invitation).where(Invitation.revoked_at.is_(None), Invitation.used_at.is_(None))
        keys = scoped(ApiKey).where(ApiKey.revoked_at.is_(None))
        opening = len(db.session.scalars(invited).all()) + len(db.session.scalars(keys).all())
    still_here = second == "Untold"
    assert (opening, roles(app, partner)) == ((1, ["owner", "owner"]) if still_here else (0, ["owner"]))
