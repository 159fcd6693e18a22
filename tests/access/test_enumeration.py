"""Nobody learns from a login who has one: known and unknown addresses get the same words for the same work."""

import re

import pytest

from portal.access import passwords
from tests import factories


@pytest.fixture
def compared(monkeypatch):
    """How many hashes were compared so far; counted, because times are noise."""
    made: list[str] = []
    real = passwords.matches
    monkeypatch.setattr(passwords, "matches", lambda stored, typed: made.append(typed) or real(stored, typed))
    return made


def told(answer, email):
    """The page without what was typed and what is drawn by chance."""
    text = answer.text.replace(email, "…")
    return re.sub(r'(csrf_token" value|challenge" value|data-passkey)="[^"]*"', "", text)


def test_twenty_known_and_twenty_unknown_addresses_are_refused_alike(app, compared):
    with app.app_context():
        partner = factories.tenant()
        for number in range(20):
            factories.member(partner, "owner" if number % 2 else "reader", email=f"known{number}@example.com")
    seen = {"known": set(), "nobody": set()}
    for number in range(20):
        for kind, answers in seen.items():
            email, before = f"{kind}{number}@example.com", len(compared)
            answer = app.test_client().post(
                "/login",
                data={"email": email, "password": "not the password"},
                environ_overrides={"REMOTE_ADDR": f"10.{number}.0.{len(kind)}"},
            )
            answers.add((answer.status_code, len(compared) - before, told(answer, email)))
    assert seen["known"] == seen["nobody"]
    assert [(status, hashes) for status, hashes, _ in seen["known"]] == [(422, 1)]
