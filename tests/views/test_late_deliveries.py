"""Late is not stuck, and both need a person: count, since when and why are the same on every page."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text, update

from portal import clock
from portal.extensions import db
from portal.ledger import unconfirmed
from portal.models import Delivery, Integration, Tenant
from portal.queries import needs
from tests import factories
from tests.reading import words, words_of

LogIn = Callable[..., FlaskClient]
AWAY = "Autotask did not answer within 20 seconds."


@pytest.fixture
def partner(app: Flask) -> Tenant:
    """A partner with four deliveries of this moment."""
    with app.app_context():
        tenant = factories.tenant(slug="northwind", time_zone="UTC")
        with factories.inside(tenant):
            customer = factories.customer(factories.integration(app), name="Acme")
            for _ in range(4):
                factories.payment((factories.invoice(customer, "100.00"), "100.00"), on=date(2026, 11, 19))
    with app.app_context():
        return db.session.query(Tenant).one()


def change(app: Flask, partner: Tenant, *, minutes: int, integration: Any = None, **values: Any) -> None:
    """Makes all deliveries this old."""
    with app.app_context(), factories.inside(partner):
        then = clock.now() - timedelta(minutes=minutes)
        due = values.pop("next_try_at", then)
        db.session.execute(update(Delivery).values(wished_at=then, next_try_at=due, **values))
        if integration:
            db.session.execute(update(Integration).values(**integration))
        db.session.commit()


def soon() -> Any:
    return clock.now() + timedelta(minutes=2)


REASONS: dict[str, tuple[dict[str, Any], str]] = {
    "no worker": ({}, "the portal's own sender does not take them up"),
    "a worker that stopped after a failed try": (
        {"attempts": 3, "error": AWAY, "error_kind": "unavailable"},
        "the portal's own sender does not take them up",
    ),
    "Autotask away": (
        {"attempts": 3, "error": AWAY, "error_kind": "unavailable", "next_try_at": soon},
        "Autotask did not answer within 20 seconds",
    ),
    "the herd waiting": (
        {"error": AWAY, "error_kind": "unavailable", "next_try_at": soon},
        "Autotask did not answer within 20 seconds",
    ),
    "an hourly budget used up": (
        {"error": "The hourly budget is used up.", "error_kind": "throttled", "next_try_at": soon},
        "the hourly budget is used up",
    ),
    "a refused login": (
        {"integration": {"state": "needs_reconnecting", "reconnect_since": clock.now()}},
        "Autotask refuses the key and secret",
    ),
    "a disconnected integration": (
        {"integration": {"state": "disconnected", "disconnected_at": clock.now()}},
        "Autotask is disconnected",
    ),
}  # fmt: skip


def badges(reader: FlaskClient, path: str) -> list[str]:
    """What the list of payments says of each one's way to Autotask."""
    cells = BeautifulSoup(reader.get(path).text, "lxml").select('#payments td[data-label="In Autotask"]')
    return [cell.get_text(" ", strip=True) for cell in cells]


def made(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value() if callable(value) else value for name, value in values.items()}


@pytest.mark.parametrize("reason", REASONS)
def test_what_is_not_confirmed_within_five_minutes_needs_a_person_everywhere(
    app: Flask, partner: Tenant, log_in: LogIn, reason: str
) -> None:
    values, because = REASONS[reason]
    change(app, partner, minutes=40, **made(values))
    since = (clock.now() - timedelta(minutes=40)).strftime("%H:%M UTC")
    said = f"Payments of 4 invoices wait for Autotask since {since}, because {because}"
    reader = log_in(partner, "reader")
    home = words(reader, "/p/northwind/")
    assert said in home
    assert "4 deliveries are late" in home
    exceptions = words(reader, "/p/northwind/exceptions")
    assert "No exception is open. 4 deliveries are late." in exceptions
    assert "Nothing needs you" not in home + exceptions
    assert badges(reader, "/p/northwind/payments") == ["Late"] * 4
    assert badges(reader, "/p/northwind/payments?show=late") == ["Late"] * 4
    assert badges(reader, "/p/northwind/payments?show=waiting") == []
    assert said in words(reader, "/p/northwind/deliveries")
    assert "4 of payments need you" in words(reader, "/p/northwind/settings")
    with app.app_context():
        staff = log_in(user=factories.user(staff=True))
    page = words(staff, "/staff/partners")
    assert said in page
    assert "1 has late payments" in page


@pytest.mark.parametrize("reason", REASONS)
def test_what_is_younger_than_five_minutes_is_on_the_way_and_says_why_it_is_held_up(
    app: Flask, partner: Tenant, log_in: LogIn, reason: str
) -> None:
    values, because = REASONS[reason]
    change(app, partner, minutes=3, **made(values))
    reader = log_in(partner, "reader")
    home = words(reader, "/p/northwind/")
    nothing_goes_out, is_idle = "integration" in values, "sender" in because
    waits = not is_idle  # as the box below says of them: "Payments wait"
    assert ("4 wait for Autotask" if waits else "4 are on the way") in home
    assert ("Payments wait" in home) == waits
    assert ("4 deliveries wait for Autotask" in words(reader, "/p/northwind/deliveries")) == waits
    assert "late" not in home
    assert (because in home) == (not is_idle), "a sender that is late by minutes needs nobody yet"
    with app.app_context():
        staff = log_in(user=factories.user(staff=True))
        [(paid,)] = db.session.execute(text("SELECT max(id) FROM payment")).all()
    of_staff = words(staff, "/staff/partners/northwind")
    assert ("In trouble." in of_staff) == (because == "Autotask refuses the key and secret")
    pages = ("exceptions", "payments", f"payments/{paid}", "deliveries")
    told = " ".join([home, of_staff, *(words(reader, f"/p/northwind/{page}") for page in pages)])
    assert "support should hear" not in told
    assert nothing_goes_out or "Nothing needs you." in home
    assert "Nothing needs you." in words(reader, "/p/northwind/exceptions")
    assert "Late" not in badges(reader, "/p/northwind/payments")
    assert len(badges(reader, "/p/northwind/payments?show=waiting")) == 4
    assert badges(reader, "/p/northwind/payments?show=late") == []


def test_what_a_refused_login_holds_up_does_not_wait_for_a_person_alone(
    app: Flask, partner: Tenant, log_in: LogIn
) -> None:
    """The portal tries the login once more by itself."""
    change(app, partner, minutes=40, **made(REASONS["a refused login"][0]))
    home = words(log_in(partner, "reader"), "/p/northwind/")
    assert "they go out by themselves once it accepts a login again" in home


def test_what_is_being_sent_one_after_the_other_is_no_dead_worker(
    app: Flask, partner: Tenant, log_in: LogIn
) -> None:
    change(app, partner, minutes=40)
    with app.app_context(), factories.inside(partner):
        first = db.session.query(Delivery).order_by(Delivery.id).first()
        assert first is not None
        first.state, first.lease_until = "sending", clock.now() + timedelta(seconds=60)
        db.session.commit()
    home = words(log_in(partner, "reader"), "/p/northwind/")
    assert "because many were due at once; they are being sent one after the other" in home
    assert "sender does not take them up" not in home


def test_what_a_person_asked_for_again_just_now_is_not_late_yet(
    app: Flask, partner: Tenant, log_in: LogIn
) -> None:
    change(app, partner, minutes=40, state="parked", error="No.", error_kind="rejected", attempts=1)
    manager = log_in(partner, "manager")
    assert "4 deliveries are stuck" in words(manager, "/p/northwind/")
    manager.post("/p/northwind/deliveries/retry")
    home = words(manager, "/p/northwind/")
    assert "4 are on the way" in home
    assert "late" not in home


def test_the_reason_of_one_delivery_is_told_as_that_of_many(app: Flask, partner: Tenant) -> None:
    """`why_of` in Python and `WHY` in SQL, for every state in every situation."""
    moment = clock.now()
    past, coming = moment - timedelta(minutes=10), moment + timedelta(minutes=10)
    situations = [
        {"state": state, "next_try_at": due, "lease_until": lease, "error": error}
        for state in ("waiting", "sending", "parked")
        for due in (None, past, moment - timedelta(seconds=20), coming)
        for lease in (None, past, coming)
        for error in (None, AWAY)
    ]
    with app.app_context(), factories.inside(partner):
        one = db.session.query(Delivery).order_by(Delivery.id).first()
        assert one is not None
        db.session.execute(update(Delivery).where(Delivery.id != one.id).values(state="confirmed"))
        for state in ("connected", "needs_reconnecting", "disconnected"):
            db.session.execute(update(Integration).values(state=state))
            for situation in situations:
                db.session.execute(update(Delivery).where(Delivery.id == one.id).values(**situation))
                db.session.refresh(one)
                [row] = db.session.execute(unconfirmed.groups()).all()
                assert row.why == unconfirmed.why_of(one, state, moment), (state, situation)


def test_one_delivery_is_late_where_the_count_of_many_says_so(app: Flask, partner: Tenant) -> None:
    """`is_late` in Python and `needs_a_person` in SQL."""
    moment = clock.now()
    past, coming = moment - timedelta(minutes=10), moment + timedelta(minutes=10)
    situations = [
        {"state": state, "next_try_at": due, "error": error, "attempts": attempts, "wished_at": wished}
        for state in ("waiting", "sending", "confirmed")
        for due in (None, past, moment - timedelta(seconds=20), coming)
        for error in (None, AWAY)
        for attempts in (0, 1)
        for wished in (past, moment - timedelta(minutes=4))
    ]
    with app.app_context(), factories.inside(partner):
        one = db.session.query(Delivery).order_by(Delivery.id).first()
        assert one is not None
        mine, found = Delivery.id == one.id, set()
        for situation in situations:
            db.session.execute(update(Delivery).where(mine).values(**situation))
            db.session.refresh(one)
            late = db.session.scalar(select(unconfirmed.needs_a_person()).where(mine))
            assert unconfirmed.is_late(one, moment) == late, situation
            found.add(late)
        assert found == {True, False}


def test_all_that_waits_is_one_statement_however_much_it_is(
    app: Flask, partner: Tenant, count_queries: Callable[..., int]
) -> None:
    change(app, partner, minutes=40)
    with app.app_context(), factories.inside(partner):
        db.session.execute(update(Delivery).values(error=AWAY))
        assert count_queries(needs.read) == 1


def test_a_page_reads_one_moment_whatever_commits_meanwhile(
    app: Flask, partner: Tenant, log_in: LogIn, superuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Menu, headline and list are read one after the other; a delivery ends between the first and the last."""
    change(app, partner, minutes=40)
    read = needs.read

    def then_all_is_confirmed() -> Any:
        found = read()
        superuser.execute("UPDATE delivery SET state = 'confirmed', confirmed_at = now()")
        return found

    reader = log_in(partner, "reader")
    monkeypatch.setattr(needs, "read", then_all_is_confirmed)
    page = reader.get("/p/northwind/deliveries?show=needs").text
    assert "4 of payments need you" in words_of(page)
    assert page.count('data-label="Why"') == 4
    monkeypatch.setattr(needs, "read", read)
    assert reader.get("/p/northwind/deliveries?show=needs").text.count('data-label="Why"') == 0
