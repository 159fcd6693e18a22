"""Autotask locks an API user after refused logins: three an hour reach it, whoever presses, Redis or not."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine

from portal import clock, connect
from portal.access.tenancy import tenant_scope
from portal.connect import ConnectRefused, verify
from portal.connect.tries import MOST, MOST_OF_PARTNER
from portal.extensions import db
from tests import factories

REQUEST = connect.ConnectRequest("dana@example.com", "api@example.com", "a-wrong-secret")


@pytest.fixture
def asked(monkeypatch):
    """Stands in for Autotask: refuses the login, or what else the list holds; counts how often it was asked."""
    made, answers = [], []

    def check(request, config, known=None):
        made.append(request)
        answer = answers.pop() if answers else ConnectRefused(["Autotask did not accept it."], login=True)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(verify, "check", check)
    return made, answers


def press(app, username=REQUEST.username) -> str:
    try:
        connect.check(replace(REQUEST, username=username), app.config)
    except ConnectRefused as refusal:
        return str(refusal)
    return "accepted"


def test_a_fourth_refused_login_within_an_hour_is_not_sent_and_says_why(app, partner, asked):
    app.config["REDIS_URL"] = "redis://127.0.0.1:1/0"  # nobody there: the count does not need it
    made, _ = asked
    with time_machine.travel(clock.now(), tick=False) as travel:
        told = [press(app) for _ in range(MOST + 2)]
        assert len(made) == MOST
        assert "Autotask locks an API user after more refusals" in told[-1]
        assert "possible in 60 minutes" in told[-1]
        travel.shift(timedelta(minutes=61))
        press(app)
        assert len(made) == MOST + 1


def test_an_api_user_that_autotask_may_lock_stops_no_other(app, partner, asked):
    """Capitals make no other user of it."""
    made, _ = asked
    told = [press(app) for _ in range(MOST + 1)]
    assert "of api@example.com 3 times within an hour" in told[-1]
    assert "possible in 60 minutes, of another one now." in told[-1]
    press(app, "API@example.com ")
    assert len(made) == MOST
    press(app, "second@example.com")
    assert len(made) == MOST + 1


def test_all_api_users_of_a_partner_together_have_a_bound(app, partner, asked):
    made, _ = asked
    told = [press(app, f"user-{number}@example.com") for number in range(MOST_OF_PARTNER + 2)]
    assert len(made) == MOST_OF_PARTNER
    assert f"refused {MOST_OF_PARTNER} tests of your company's API users within an hour" in told[-1]


@pytest.mark.parametrize("answer", ["accepted", ConnectRefused(["No right."]), RuntimeError("a fault")])
def test_only_a_refused_login_counts(app, partner, asked, answer):
    made, answers = asked
    for _ in range(MOST + 2):
        answers.append(answer)
        if isinstance(answer, RuntimeError):
            with pytest.raises(RuntimeError):
                press(app)
        else:
            press(app)
    assert len(made) == MOST + 2


def test_one_partners_refusals_do_not_stop_another(app, partner, asked):
    made, _ = asked
    for _ in range(MOST + 1):
        press(app)
    other = factories.tenant()
    with tenant_scope(other.id):
        press(app)
    assert len(made) == MOST + 1


def test_many_presses_at_once_send_no_more(app, partner, asked):
    made, _ = asked

    def in_a_thread() -> None:
        with app.app_context(), tenant_scope(partner.id):
            press(app)

    db.session.commit()
    threads = [threading.Thread(target=in_a_thread) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == MOST


def test_the_page_says_so_and_autotask_hears_of_three(app, log_in, sandbox, superuser):
    with app.app_context():
        owner = log_in(factories.tenant("northwind"))
    typed = {
        "email": "d@example.com",
        "username": sandbox.username,
        "secret": "wrong",
        "identifier": "id",
        "role": "primary",
    }
    page = "/p/northwind/integrations/autotask/connect"
    answers = [owner.post(page, data=typed) for _ in range(4)]
    assert sandbox.user.refusals == MOST
    assert "so nothing was sent to it now" in answers[-1].text
    assert sandbox.username in answers[-1].text
