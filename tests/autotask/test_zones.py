"""Zone discovery: one question without credentials, and an answer that is not trusted blindly."""

import pytest
import responses

from portal.autotask.errors import Rejected, Unauthorized, Unavailable, UnknownUser, Untrusted
from portal.autotask.zones import Zone, discover
from tests.autotask.conftest import SHORT
from tests.autotask.fault_server import FaultServer

DISCOVERY = "https://webservices.autotask.net/atservicesrest/v1.0/zoneInformation"
ANSWER = {
    "zoneName": "Zone 5",
    "url": "https://webservices5.autotask.net/ATServicesRest/",
    "webUrl": "https://ww5.autotask.net/",
    "ci": 123456,
}


def found(**changes: object) -> Zone:
    with responses.RequestsMock() as mock:
        mock.get(DISCOVERY, json={**ANSWER, **changes})
        return discover("key@msp.example", discovery_url=DISCOVERY, trusted_hosts=[])


def test_the_zone_of_a_user_is_found_without_sending_credentials(autotask):
    autotask.get(DISCOVERY, json=ANSWER)
    zone = discover("k+y@msp.example", discovery_url=DISCOVERY, trusted_hosts=[])
    assert zone == Zone(ANSWER["url"], "https://ww5.autotask.net/", "Zone 5", 123456)
    request = autotask.calls[0].request
    assert request.url.endswith("?user=k%2By%40msp.example")
    assert not {"secret", "username", "apiintegrationcode"} & {name.lower() for name in request.headers}


def test_a_url_without_its_slash_gets_one():
    assert found(url="https://webservices5.autotask.net/ATServicesRest").url == ANSWER["url"]


def test_an_unknown_user_is_told_in_its_own_words(autotask):
    autotask.get(DISCOVERY, status=500, json={"errors": ["Zone information could not be determined"]})
    with pytest.raises(UnknownUser, match="does not know this user name"):
        discover("nobody", discovery_url=DISCOVERY, trusted_hosts=[])
    assert len(autotask.calls) == 1


@pytest.mark.parametrize("username", ["", "  ", "a\r\nHost: evil", "x" * 256, "a\x00"])
def test_a_user_name_that_cannot_be_one_is_not_even_asked_for(autotask, username):
    with pytest.raises(UnknownUser):
        discover(username, discovery_url=DISCOVERY, trusted_hosts=[])
    assert len(autotask.calls) == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/",
        "https://evil.example/",
        "http://webservices5.autotask.net/",
        "javascript:1",
        "x",
    ],
)
def test_a_zone_outside_autotask_is_not_trusted(url):
    with pytest.raises(Untrusted):
        found(url=url)


@pytest.mark.parametrize("url", [None, "", 7, [], {}])
def test_an_answer_without_a_zone_is_no_answer(url):
    with pytest.raises(Unavailable):
        found(url=url)


def test_a_page_url_or_name_that_makes_no_sense_is_left_out():
    zone = found(webUrl="javascript:alert(1)", zoneName=["x"], ci="7")
    assert (zone.web_url, zone.name, zone.ci) == ("", "", None)


@pytest.mark.parametrize(("status", "error"), [(401, Unauthorized), (503, Unavailable), (400, Rejected)])
def test_discovery_asks_once_only(autotask, status, error):
    autotask.get(DISCOVERY, status=status)
    with pytest.raises(error):
        discover("key", discovery_url=DISCOVERY, trusted_hosts=[])
    assert len(autotask.calls) == 1


def test_discovery_is_not_led_elsewhere():
    with FaultServer(lambda wire: wire.answer(b"{}")) as elsewhere:

        def redirect(wire):
            wire.answer(b"", status="302 Found", headers=(f"Location: {elsewhere.url}",))

        with FaultServer(redirect) as server, pytest.raises(Untrusted):
            discover("key", discovery_url=server.address, trusted_hosts=["127.0.0.1"], timeouts=SHORT)
        assert elsewhere.connections == 0


def test_a_silent_discovery_ends_at_the_deadline():
    with (
        FaultServer(lambda wire: wire.wait()) as server,
        pytest.raises(Unavailable, match="did not answer in time"),
    ):
        discover("key", discovery_url=server.address, trusted_hosts=[server.address], timeouts=SHORT)
