"""No URL that comes from outside leads the portal away from Autotask (P31, rule 1.4)."""

import itertools

import pytest

from portal.autotask.addresses import base_address, discovery_address, page_address, trusted
from portal.autotask.client import Client
from portal.autotask.errors import Untrusted
from tests.autotask.conftest import SHORT, credentials
from tests.autotask.fault_server import FaultServer

GOOD = [
    "https://webservices5.autotask.net/ATServicesRest/",
    "https://webservices5.autotask.net/ATServicesRest",
    "https://webservices.autotask.net/",
    "https://webservices123.autotask.net:443/atservicesrest/",
    "https://WEBSERVICES29.AUTOTASK.NET/ATServicesRest/",
]

HOSTS = [
    "webservices5.autotask.net.evil.example",
    "webservices5.autotask.net.",
    "webservices5.autotask.net:8443",
    "webservices5.autotask.net:80",
    "webservices5.autotask.net:0",
    "webservices5.autotask.net:99999",
    "webservices5.autotask.net:abc",
    "webservices5.autotask.net:４４３",
    "webservices5.autotask.net@evil.example",
    "webservices5.autotask.net%40evil.example",
    "webservices5.autotask.net%2eevil.example",
    "evil.example#webservices5.autotask.net",
    "evil.example?webservices5.autotask.net",
    "evil.example\\@webservices5.autotask.net",
    "evil.example\\.webservices5.autotask.net",
    "user:secret@webservices5.autotask.net",
    "@webservices5.autotask.net",
    "webservices1234.autotask.net",
    "webservices-5.autotask.net",
    "webservices5x.autotask.net",
    "xwebservices5.autotask.net",
    "a.webservices5.autotask.net",
    "webservices５.autotask.net",
    "webservices٥.autotask.net",
    "webservices5.autotask。net",
    "webservices5.autotаsk.net",  # Cyrillic a
    "webservices5.xn--autotsk-8fg.net",
    "webservices5.autotask.com",
    "webservices5.autotask.net.local",
    "webservices5-autotask.net",
    "webservices5.autotask.net,evil.example",
    "webservices5.autotask.net evil.example",
    "webservices5.autotask.net\tevil",
    "webservices5.autotask.net\r\nHost: evil.example",
    "webservices5.autotask.net\x00.evil.example",
    "ww5.autotask.net",
    "autotask.net",
    "localhost",
    "localhost:6379",
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0",
    "0.0.0.0",
    "169.254.169.254",
    "2852039166",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[fe80::1%25eth0]",
    "[webservices5.autotask.net]",
    "metadata.google.internal",
    "10.0.0.1",
    "192.168.0.1",
    "",
]
FORMS = [
    "https://{}/ATServicesRest/",
    "http://{}/ATServicesRest/",
    "https://{}",
    "//{}/",
    "HTTPS://{}/x/",
    "{}",
]
ODD = [
    "http://webservices5.autotask.net/ATServicesRest/",
    "ftp://webservices5.autotask.net/",
    "javascript:alert(1)//webservices5.autotask.net/",
    "data:text/plain,webservices5.autotask.net",
    "file:///etc/passwd",
    "gopher://webservices5.autotask.net/",
    "https:webservices5.autotask.net/",
    "https:/webservices5.autotask.net/",
    "https:///webservices5.autotask.net/",
    "https:\\\\webservices5.autotask.net\\",
    " https://webservices5.autotask.net/",
    "https://webservices5.autotask.net/\n",
    "https://webservices5.autotask.net/ATServicesRest/?next=https://evil.example/",
    "https://webservices5.autotask.net/ATServicesRest/#x",
    "https://webservices5.autotask.net/../x/",
    "https://webservices5.autotask.net/%2e%2e/x/",
    "https://webservices5.autotask.net/a//../b/",
    "https://webservices5.autotask.net/a;b/",
    "https://webservices5.autotask.net/" + "a" * 8192,
    "https://" + "a" * 8192 + ".autotask.net/",
    "",
]
BYPASSES = [form.format(host) for form, host in itertools.product(FORMS, HOSTS)] + ODD


@pytest.mark.parametrize("url", GOOD)
def test_autotasks_own_hosts_are_trusted_over_https(url):
    assert base_address(url, []).host.endswith(".autotask.net")


def test_at_least_300_ways_around_the_list_are_tried():
    assert len(set(BYPASSES)) >= 300


@pytest.mark.parametrize("url", BYPASSES)
def test_no_bypass_leaves_the_list(url):
    with pytest.raises(Untrusted, match="Nothing was sent there"):
        base_address(url, ["127.0.0.9:1", "sandbox.example"])


@pytest.mark.parametrize("url", [None, 7, b"https://webservices5.autotask.net/", ["x"], {}])
def test_what_is_no_text_is_no_address(url):
    with pytest.raises(Untrusted):
        trusted(url, [])


@pytest.mark.parametrize(
    ("url", "listed", "fine"),
    [
        ("http://127.0.0.1:8123/ATServicesRest/", "127.0.0.1:8123", True),
        ("http://127.0.0.1:8123/ATServicesRest/", "127.0.0.1", True),
        ("http://127.0.0.1:8124/ATServicesRest/", "127.0.0.1:8123", False),
        ("http://127.0.0.2:8123/ATServicesRest/", "127.0.0.1", False),
        ("http://127.0.0.1:8123@evil.example/", "127.0.0.1", False),
        ("http://2130706433:8123/", "127.0.0.1", False),
        ("http://127.1:8123/", "127.0.0.1", False),
        ("http://localhost:5000/", "localhost", True),
        ("http://localhost:5000/", "127.0.0.1", False),
        ("http://[::1]:5000/", "[::1]:5000", True),
        ("http://[::1]:5000/", "::1", True),
        ("https://sandbox.example/", "sandbox.example", True),
        ("https://sandbox.example:8443/", "sandbox.example:8443", True),
        ("https://sandbox.example:8443/", "sandbox.example", False),
        ("http://sandbox.example/", "sandbox.example", False),
        ("http://sandbox.example/", "sandbox.example:80", False),
        ("http://10.0.0.1/", "10.0.0.1", False),
        ("https://SANDBOX.example/", "Sandbox.Example", True),
    ],
)
def test_listed_hosts_are_trusted_but_plain_http_only_on_loopback(url, listed, fine):
    if fine:
        assert base_address(url, [listed]).url == base_address(url, f" x.example , {listed}").url
    else:
        with pytest.raises(Untrusted):
            base_address(url, [listed])


def test_nothing_is_sent_to_a_listener_that_is_not_listed():
    with FaultServer(lambda wire: wire.answer(b"{}")) as listener:
        port = listener.address.partition(":")[2]
        for host in ("127.0.0.1", "localhost", "2130706433", "127.1", "webservices5.autotask.net@127.0.0.1"):
            with pytest.raises(Untrusted):
                Client(f"http://{host}:{port}/", credentials(), trusted_hosts=["127.0.0.1:1"], timeouts=SHORT)
        assert listener.connections == 0


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("webservices.autotask.net", "https://webservices.autotask.net/atservicesrest/v1.0/zoneInformation"),
        (
            "https://webservices.autotask.net",
            "https://webservices.autotask.net/atservicesrest/v1.0/zoneInformation",
        ),
        (
            "https://webservices2.autotask.net/ATServicesRest/",
            "https://webservices2.autotask.net/ATServicesRest/v1.0/zoneInformation",
        ),
        (
            "https://webservices2.autotask.net/ATServicesRest/V1.0/",
            "https://webservices2.autotask.net/ATServicesRest/V1.0/zoneInformation",
        ),
        (
            "https://webservices.autotask.net/atservicesrest/v1.0/zoneInformation",
            "https://webservices.autotask.net/atservicesrest/v1.0/zoneInformation",
        ),
        ("127.0.0.1:8123", "http://127.0.0.1:8123/atservicesrest/v1.0/zoneInformation"),
        ("http://127.0.0.1:8123/", "http://127.0.0.1:8123/atservicesrest/v1.0/zoneInformation"),
    ],
)
def test_discovery_is_found_from_a_host_a_base_or_its_whole_url(given, asked):
    assert discovery_address(given, ["127.0.0.1:8123"]) == asked


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://ww5.autotask.net/", "https://ww5.autotask.net/"),
        ("https://ww5.autotask.net", "https://ww5.autotask.net/"),
        ("http://127.0.0.1:8123/web/", "http://127.0.0.1:8123/web/"),
        ("http://ww5.autotask.net/", ""),
        ("https://ww5.autotask.net.evil.example/", ""),
        ("javascript:alert(1)", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_links_to_autotasks_pages_lead_nowhere_else(url, kept):
    assert page_address(url, ["127.0.0.1:8123"]) == kept
