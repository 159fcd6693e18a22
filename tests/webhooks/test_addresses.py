"""Where messages may go: refused as an endpoint is saved and again as each message connects."""

import ipaddress
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from portal.webhooks import addresses, post, send
from portal.webhooks.addresses import NotAllowed
from sandbox.faults import certificates
from tests.fixtures.network import OutsideNetworkUsed
from tests.webhooks.receiver import Receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
Names = Callable[[dict[str, list[str]]], None]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """`names({"a.example": ["1.2.3.4", "127.0.0.1"]})`: what a name leads to, one number at each look-up."""
    real = socket.getaddrinfo

    def choose(known: dict[str, list[str]]) -> None:
        def look_up(host: Any, port: Any, *rest: Any, **named: Any) -> Any:
            if host not in known:
                return real(host, port, *rest, **named)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (known[host].pop(0), port))]

        monkeypatch.setattr(addresses.socket, "getaddrinfo", look_up)

    return choose


@pytest.mark.parametrize(
    ("number", "fine"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1:248:1893:25c8:1946", True), ("127.0.0.1", False), ("127.9.9.9", False),
        ("0.0.0.0", False), ("10.0.0.1", False), ("172.16.0.1", False), ("192.168.1.1", False), ("100.64.0.1", False),
        ("169.254.169.254", False), ("100.100.100.200", False), ("168.63.129.16", False), ("192.0.0.192", False),
        ("224.0.0.1", False), ("240.0.0.1", False), ("255.255.255.255", False), ("198.18.0.1", False),
        ("::1", False), ("::", False), ("fe80::1", False), ("fec0::1", False), ("fc00::1", False), ("fd00:ec2::254", False), ("ff02::1", False),
        ("::ffff:127.0.0.1", False), ("::ffff:93.184.216.34", True), ("::7f00:1", False), ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False), ("2002:7f00:1::", False), ("2002:a00:1::1", False), ("2001:db8::1", False),
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", False),
    ],
)  # fmt: skip
def test_only_public_numbers_are_connected_to(number: str, fine: bool) -> None:
    assert addresses.is_public(ipaddress.ip_address(number)) == fine


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "ftp://a.example/", "http://a.example/", "https://", "https:///x", "https://a.example:0/", "https://a.example:25/",
        "https://a.example:99999/", "https://user:pass@a.example/", "https://a.example/#x", "https://a.example/ x",
        "https://a.example/\r\nX: y", "https://ä.example/", "https://[::1", "javascript:alert(1)", "//a.example/",
        "https://a.example/" + "x" * 2000, "https://a.example\\@b.example/",
    ],
)  # fmt: skip
def test_what_can_be_no_receiver_is_refused_before_anything_is_looked_up(app: Flask, url: str) -> None:
    with app.app_context(), pytest.raises(NotAllowed):
        addresses.target(url)


@pytest.mark.parametrize(
    "host", ["localhost", "127.1", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_private_numbers_are_refused_however_they_are_written(app: Flask, host: str, names: Names) -> None:
    names({name: ["127.0.0.1"] for name in ("127.1", "2130706433", "0x7f000001")})  # as resolvers read them
    with app.app_context(), pytest.raises(NotAllowed, match=r"private network|leads nowhere"):
        addresses.checked(addresses.target(f"https://{host}:8443/"))


def test_a_name_that_leads_elsewhere_at_the_second_look_up_is_not_followed_there(
    app: Flask, names: Names, receiver: Receiver
) -> None:
    """DNS rebinding: each message looks up once, checks that, and connects to what was checked."""
    port = receiver.server.server_port
    names({"rebinding.example": ["93.184.216.34", "127.0.0.1"]})
    with app.app_context():
        url = f"https://rebinding.example:{port}/"
        with pytest.raises(OutsideNetworkUsed, match=r"93\.184\.216\.34"):
            send.deliver(url, "evt_1", b"{}", [SECRET])
        answer = send.deliver(url, "evt_1", b"{}", [SECRET])
    assert (answer.code, "private network" in answer.words) == (None, True)
    assert receiver.taken == []


def test_a_host_that_the_configuration_names_is_reached_by_one_look_up(
    app: Flask, names: Names, receiver: Receiver
) -> None:
    port = receiver.server.server_port
    names({"erp.internal": ["127.0.0.1", "10.0.0.1"]})
    app.config["WEBHOOK_TRUSTED_HOSTS"] = ["erp.internal"]
    with app.app_context():
        answer = send.deliver(f"http://erp.internal:{port}/x?y=1", "evt_1", b"{}", [SECRET])
    assert answer.is_well
    assert receiver.taken[0][0]["host"] == f"erp.internal:{port}"


def test_only_a_certificate_of_that_name_is_talked_to(
    app: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = {}
    for kind in ("good", "wrong_host"):
        context, authority = certificates.context(kind)
        (tmp_path / kind).write_text(authority)
        monkeypatch.setattr(post, "authorities", lambda file=tmp_path / kind: str(file))
        post._tls.cache_clear()
        served = Receiver(context)
        app.config["WEBHOOK_TRUSTED_HOSTS"] = [served.authority]
        with app.app_context():
            found[kind] = send.deliver(f"https://{served.authority}/", "evt_1", b"{}", [SECRET])
        served.close()
    post._tls.cache_clear()
    assert (found["good"].code, found["wrong_host"].code) == (200, None)
    assert found["wrong_host"].words.startswith("Its certificate is not good:")


def test_a_receiver_that_reads_slowly_over_https_is_left_when_time_is_up(
    app: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    context, authority = certificates.context("good")
    (tmp_path / "ca").write_text(authority)
    monkeypatch.setattr(post, "authorities", lambda: str(tmp_path / "ca"))
    monkeypatch.setattr(post, "ALL_SECONDS", 0.4)
    post._tls.cache_clear()
    body, read, over = b"x" * 2**23, [0], threading.Event()

    def serve() -> None:
        plain, _ = listener.accept()
        with suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
            while part := connection.recv(2**14):
                read[0] += len(part)
                over.wait(0.02)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**14)
        served = threading.Thread(target=serve, daemon=True)
        served.start()
        name = f"127.0.0.1:{listener.getsockname()[1]}"
        app.config["WEBHOOK_TRUSTED_HOSTS"] = [name]
        with app.app_context():
            answer = send.deliver(f"https://{name}/", "evt_1", body, [SECRET])
        taken = read[0]
        over.set()
        served.join(30)
    post._tls.cache_clear()
    assert (answer.code, answer.words) == (None, "No answer within 0.4 seconds.")
    assert 0 < taken < len(body) // 4


def test_the_specifications_example_is_signed_as_it_says() -> None:
    from datetime import UTC, datetime

    from portal.webhooks import signing

    at = datetime.fromtimestamp(1614265330, UTC)
    made = signing.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}', [SECRET])
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
