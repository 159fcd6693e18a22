"""A passkey's answer is good for its challenge, its browser, its purpose and its time; each of these holds by itself."""

import hashlib
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from html import unescape

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from flask import Flask
from flask.testing import FlaskClient

from portal import clock
from portal.extensions import db
from portal.models import Factor, FactorKind
from tests import factories

DANA = "dana@northwind.example"
PRESENT_AND_VERIFIED = b"\x05"
Answer = dict[str, str]


def text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


class Passkey:
    """A device of the tests' own, at http://localhost; `count` is what it says of how often it was used."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        numbers = self.key.public_key().public_numbers()
        x, y = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
        self.id, self.public = b"the passkey of dana", cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})

    def answer(self, page: str, count: int = 0) -> Answer:
        """The form that a browser sends, for the challenge of this page."""
        options = json.loads(unescape(re.search(r'data-passkey="([^"]*)"', page)[1]))  # type: ignore[index]
        signed = re.search(r'name="challenge" value="([^"]*)"', page)[1]  # type: ignore[index]
        told = {"type": "webauthn.get", "challenge": options["challenge"], "origin": "http://localhost"}
        client = json.dumps(told).encode()
        device = hashlib.sha256(b"localhost").digest() + PRESENT_AND_VERIFIED + count.to_bytes(4, "big")
        signature = self.key.sign(device + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": text(client),
            "authenticatorData": text(device),
            "signature": text(signature),
        }
        whole = {"id": text(self.id), "rawId": text(self.id), "type": "public-key", "response": response}
        return {"answer": json.dumps({**whole, "clientExtensionResults": {}}), "challenge": signed}


@pytest.fixture
def passkey(app: Flask) -> Passkey:
    made = Passkey()
    with app.app_context():
        dana = db.session.merge(factories.member(factories.tenant("northwind"), email=DANA))
        dana.second_factor_at = clock.now()
        row = Factor(user_id=dana.id, kind=FactorKind.PASSKEY, name="Laptop", credential_id=made.id)
        row.public_key = made.public
        db.session.add(row)
        db.session.commit()
    return made


@pytest.fixture
def half_way(app: Flask, passkey: Passkey) -> Callable[[], FlaskClient]:
    """A browser of Dana's after the password."""

    def after_password() -> FlaskClient:
        browser = app.test_client()
        browser.post("/login", data={"email": DANA, "password": factories.PASSWORD})
        return browser

    return after_password


def prove(browser: FlaskClient, answer: Answer) -> int:
    return browser.post("/prove/passkey", data=answer).status_code


def test_one_answer_proves_once_also_in_its_own_browser(passkey: Passkey, half_way) -> None:
    """Passkeys that are kept in a cloud count nothing, so that the count refuses none of theirs."""
    browser = half_way()
    answer = passkey.answer(browser.get("/prove").text)
    assert [prove(browser, answer) for _ in range(2)] == [303, 422]


def test_an_answer_is_good_in_no_other_browser_of_the_same_person(passkey: Passkey, half_way) -> None:
    browser, other = half_way(), half_way()
    answer = passkey.answer(browser.get("/prove").text)
    other.get("/prove")
    assert (prove(other, answer), prove(browser, answer)) == (422, 303)


def test_an_answer_for_the_login_proves_nothing_else_and_the_other_way_round(
    passkey: Passkey, half_way
) -> None:
    browser = half_way()
    for_login, for_proof = (passkey.answer(browser.get(page).text) for page in ("/login", "/prove"))
    assert prove(browser, for_login) == 422
    assert browser.post("/login/passkey", data=for_proof).status_code == 422
    assert prove(browser, for_proof) == 303


@pytest.mark.parametrize(("second", "status"), [(6, 303), (5, 422), (4, 422)])
def test_a_copy_of_a_device_whose_count_does_not_go_up_is_refused(
    passkey: Passkey, half_way, second: int, status: int
) -> None:
    browsers = half_way(), half_way()
    first, later = (
        passkey.answer(one.get("/prove").text, n) for one, n in zip(browsers, (5, second), strict=True)
    )
    assert (prove(browsers[0], first), prove(browsers[1], later)) == (303, status)
