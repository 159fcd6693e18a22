"""The secret and the integration code show up nowhere but in the request headers (rule 1.4)."""

import logging
import traceback

import pytest
import requests

from portal.autotask.client import Client, Credentials
from portal.autotask.errors import AutotaskError, Unauthorized
from tests.autotask.conftest import CODE, SECRET, V1, ZONE, credentials

HIDDEN = (SECRET, CODE)


def assert_silent(text: str) -> None:
    assert not [secret for secret in HIDDEN if secret in text]


def test_nothing_shows_the_secret_when_printed(client):
    for thing in (
        credentials(),
        client,
        client._calls,
        client._calls._transport,
        client._calls._transport._auth,
    ):
        assert_silent(repr(thing) + str(thing))


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 401},
        {"status": 500, "json": {"errors": [f"Bad header Secret={SECRET} for {CODE}", f"again {SECRET}"]}},
        {"status": 403, "json": {"errors": [f"permission denied for {SECRET}"]}},
        {"status": 200, "body": f"<html>{SECRET}"},
        {"body": requests.ConnectionError(f"cannot send {SECRET}")},
        {"status": 302, "headers": {"Location": f"https://evil.example/{SECRET}"}},
    ],
)
def test_no_error_and_no_log_line_repeats_the_secret(autotask, client, caplog, answer):
    caplog.set_level(logging.DEBUG)
    autotask.patch(f"{V1}Invoices", **answer)
    with pytest.raises(AutotaskError) as caught:
        client.patch("Invoices", {"id": 7})
    assert_silent(str(caught.value) + repr(caught.value) + repr(caught.value.texts) + caplog.text)
    assert_silent("".join(traceback.format_exception(caught.value)))


def test_no_variable_on_the_way_of_an_error_holds_the_secret(autotask, client):
    """Error trackers send local variables along."""
    autotask.get(f"{V1}Invoices/7", status=401)
    with pytest.raises(Unauthorized) as caught:
        client.get("Invoices", 7)
    frames = traceback.walk_tb(caught.value.__traceback__)
    ours = [frame for frame, _ in frames if "portal" in frame.f_code.co_filename]
    assert ours
    for frame in ours:
        assert_silent(repr(frame.f_locals))


def test_no_error_carries_along_the_request_that_failed(autotask, client):
    autotask.patch(f"{V1}Invoices", body=requests.ConnectionError("cut"))
    with pytest.raises(AutotaskError) as caught:
        client.patch("Invoices", {"id": 7})
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(
    "secret", ["", " x", "x ", "a\r\nEvil: 1", "a\nb", "pässword", "“quoted”", "a\x00", "a\x7f"]
)
@pytest.mark.parametrize("which", ["username", "secret", "integration_code"])
def test_credentials_that_no_header_can_carry_are_refused_without_a_call(secret, which):
    fields = {"username": "key", "secret": "s", "integration_code": "c", which: secret}
    with pytest.raises(Unauthorized, match="characters that Autotask does not accept") as caught:
        Client(ZONE, Credentials(**fields), trusted_hosts=[])
    assert len(secret) < 3 or secret not in str(caught.value)
