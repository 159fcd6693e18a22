"""Nobody learns from a login who has one: known and unknown addresses get the same words for the same work."""

import re
from functools import partial

import pytest
from argon2 import PasswordHasher

from portal.extensions import db
from portal.web import limits
from tests import factories


@pytest.fixture
def compared(monkeypatch):
    """How many hashes were compared so far; counted, because times are noise."""
    made: list[str] = []
    real = PasswordHasher.verify
    monkeypatch.setattr(
        PasswordHasher, "verify", lambda *with_hash: made.append(with_hash[1]) or real(*with_hash)
    )
    return made


def told(answer, email):
    """The page without what was typed and what is drawn by chance."""
    text = answer.text.replace(email, "…")
    return re.sub(r'(csrf_token" value|challenge" value|data-passkey)="[^"]*"', "", text)


@pytest.fixture
def known(app):
    """Twenty people of a partner; and the name of the other one, who belongs to nobody."""
    with app.app_context():
        partner = factories.tenant()
        for number in range(20):
            factories.member(partner, "owner" if number % 2 else "reader", email=f"known{number}@example.com")


def test_twenty_known_and_twenty_unknown_addresses_ask_for_a_password_alike(app, known, asked):
    seen = {"known": set(), "nobody": set()}
    for number in range(20):
        for kind, answers in seen.items():
            email, given = f"{kind}{number}@example.com", []
            ask = partial(
                app.test_client().post,
                "/password/forgotten",
                data={"email": email},
                environ_overrides={"REMOTE_ADDR": f"10.{number}.0.{len(kind)}"},
            )
            work = asked(lambda ask=ask, given=given: given.append(ask()))
            answers.add((given[0].status_code, len(work), told(given[0], email)))
    assert seen["known"] == seen["nobody"]
    assert [status for status, *_ in seen["known"]] == [200]


def test_an_owner_learns_from_an_invitation_not_who_has_a_login_elsewhere(app, known, asked, log_in):
    with app.app_context():
        partner = factories.tenant("northwind")
    owner, people = log_in(partner), "/p/northwind/settings/people"
    seen = {"known": set(), "nobody": set()}
    for number in range(20):
        for kind, answers in seen.items():
            email, given = f"{kind}{number}@example.com", []
            ask = partial(owner.post, f"{people}/invitations", data={"email": email, "role": "clerk"})
            work = asked(lambda ask=ask, given=given: given.append(ask()))
            page = owner.get(people)
            text = told(page, email)
            row = re.search(r'<th scope="row">…</th>.*?</tr>', text, re.S)[0]
            shown = re.sub(r"/invitations/\d+/|name=.csrf_token.[^>]*|datetime=.[^>]*", "/", row)
            flashed = text.count("An invitation is written to …. Its link works once")
            answers.add((given[0].status_code, len(work), re.sub(r"\d\d:\d\d", "", shown), flashed))
    assert seen["known"] == seen["nobody"]
    assert [(status, flashed) for status, _, _, flashed in seen["known"]] == [(303, 1)]


def test_twenty_known_twenty_unknown_and_twenty_disabled_addresses_are_refused_alike(
    app, known, compared, asked
):
    """Also with the right password of a disabled person, who is told no more than a stranger."""
    with app.app_context():
        for number in range(20):
            factories.user(f"off{number}@example.com", disabled_at=db.func.now())
    seen = {"known": set(), "nobody": set(), "off": set()}
    for number in range(20):
        for kind, answers in seen.items():
            email, before, given = f"{kind}{number}@example.com", len(compared), []
            typed = factories.PASSWORD if kind == "off" and number % 2 else "not the password"
            ask = partial(
                app.test_client().post,
                "/login",
                data={"email": email, "password": typed},
                environ_overrides={"REMOTE_ADDR": f"10.{number}.0.{len(kind)}"},
            )
            work = asked(lambda ask=ask, given=given: given.append(ask()))
            answers.add((given[0].status_code, len(compared) - before, len(work), told(given[0], email)))
    assert seen["known"] == seen["nobody"] == seen["off"]
    assert [(status, hashes) for status, hashes, *_ in seen["known"]] == [(422, 1)]


def test_too_many_tries_are_refused_alike_for_known_and_unknown_addresses(app, known):
    """From a new address each time, so that what stops them is the account's own limit."""
    seen = {}
    for kind in ("known", "nobody"):
        email = f"{kind}1@example.com"
        answers = [
            app.test_client().post(
                "/login",
                data={"email": email, "password": "not the password"},
                environ_overrides={"REMOTE_ADDR": f"10.1.{number}.{len(kind)}"},
            )
            for number in range(limits.LOGIN_ACCOUNT.tries + 1)
        ]
        seen[kind] = [
            (answer.status_code, re.sub(r"in \d+ seconds?", "", told(answer, email))) for answer in answers
        ]
    assert seen["known"] == seen["nobody"]
    assert [status for status, _ in seen["known"]] == [422] * limits.LOGIN_ACCOUNT.tries + [429]
