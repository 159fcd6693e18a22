"""Faults of the wire: each ends within the deadline, as our own error in plain words (F1 to F5, F18)."""

import gzip
import socket
import time
import zlib

import pytest

from portal.autotask.client import Client
from portal.autotask.errors import NoAnswer, Permanent, Unavailable, Untrusted
from tests.autotask.conftest import PATIENT, SHORT, credentials
from tests.autotask.fault_server import FaultServer, Wire

GOOD = b'{"item": {"id": 7}}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
# Room for a slow machine: the call ends by itself, long before the server lets go (10 s).
AT_MOST = 5


def broken(client: Client, *, write: bool = False) -> Unavailable:
    started = time.monotonic()
    with pytest.raises(NoAnswer) as caught:
        client.patch("Invoices", {"id": 7}) if write else client.get("Invoices", 7)
    assert time.monotonic() - started < AT_MOST
    return caught.value


def says_nothing(wire: Wire) -> None:
    wire.wait()


def head_then_silence(wire: Wire) -> None:
    wire.send(HEAD + b"Content-Length: 500\r\n\r\n{")
    wire.wait()


def drips_body(wire: Wire) -> None:
    wire.send(HEAD + b"Content-Length: 100000\r\n\r\n")
    wire.drip(b"{ ")


def drips_headers(wire: Wire) -> None:
    wire.drip(b"HTTP/1.1 200 OK\r\nX-Slow: aaaaaaaaaa")


def continues_for_ever(wire: Wire) -> None:
    while not wire.wait(0.01):
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")


def drips_chunks(wire: Wire) -> None:
    wire.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while not wire.wait(0.02):
        wire.send(b"1\r\n \r\n")


def resets_at_once(wire: Wire) -> None:
    wire.reset()


def closes_at_once(wire: Wire) -> None:
    wire._sock.close()


def resets_in_the_body(wire: Wire) -> None:
    wire.send(HEAD + b'Content-Length: 500\r\n\r\n{"item":')
    wire.wait(0.05)
    wire.reset()


def closes_in_the_body(wire: Wire) -> None:
    wire.send(HEAD + b'Content-Length: 500\r\n\r\n{"item":')
    wire._sock.shutdown(socket.SHUT_RDWR)


def closes_in_a_chunk(wire: Wire) -> None:
    wire.send(HEAD + b'Transfer-Encoding: chunked\r\n\r\n50\r\n{"item":')
    wire._sock.shutdown(socket.SHUT_RDWR)


def speaks_no_http(wire: Wire) -> None:
    wire.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    wire._sock.shutdown(socket.SHUT_RDWR)


def lies_about_gzip(wire: Wire) -> None:
    wire.answer(GOOD, headers=("Content-Encoding: gzip",))


SLOW = [says_nothing, head_then_silence, drips_body, drips_headers, continues_for_ever, drips_chunks]
CUT = [
    resets_at_once,
    closes_at_once,
    resets_in_the_body,
    closes_in_the_body,
    closes_in_a_chunk,
    speaks_no_http,
    lies_about_gzip,
]


@pytest.mark.parametrize("fault", SLOW)
def test_a_slow_answer_ends_at_the_deadline(facing, fault):
    client, _ = facing(fault, SHORT)
    assert str(broken(client)) == "Autotask did not answer in time."


@pytest.mark.parametrize("fault", CUT)
def test_a_cut_answer_is_never_half_taken(facing, fault):
    client, _ = facing(fault)
    error = broken(client)
    assert str(error) == "The connection to Autotask broke off."
    assert not error.maybe_applied


@pytest.mark.parametrize("fault", [*SLOW, *CUT])
def test_a_write_whose_answer_is_lost_is_unknown_and_not_repeated(facing, fault):
    client, server = facing(fault, SHORT if fault in SLOW else PATIENT)
    assert broken(client, write=True).maybe_applied
    assert len(server.requests) == client.calls == 1


@pytest.mark.parametrize("write", [False, True])
def test_a_refused_connection_reached_nobody(write):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    client = Client(
        f"http://{address}/", credentials(), trusted_hosts=[address], timeouts=PATIENT, sleep=print
    )
    error = broken(client, write=write)
    assert str(error) == "Autotask could not be reached."
    assert not error.maybe_applied


@pytest.mark.parametrize("write", [False, True])
def test_a_connection_that_nobody_accepts_ends_after_the_connect_time(monkeypatch, write):
    def never(self: socket.socket, address: object) -> None:
        time.sleep(self.gettimeout() or 60)
        raise TimeoutError

    monkeypatch.setattr(socket.socket, "connect", never)
    client = Client("http://127.0.0.1:9/", credentials(), trusted_hosts=["127.0.0.1"], timeouts=SHORT)
    error = broken(client, write=write)
    assert str(error) == "Autotask could not be reached."
    assert not error.maybe_applied


@pytest.mark.parametrize("outcome", [socket.gaierror(-2, "unknown"), None])
def test_a_name_that_does_not_resolve_ends_in_time(monkeypatch, outcome):
    def look_up(*args: object, **named: object) -> None:
        if outcome is None:
            time.sleep(AT_MOST)
        raise outcome or socket.gaierror(-3, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    zone = "https://webservices5.autotask.net/ATServicesRest/"
    error = broken(Client(zone, credentials(), trusted_hosts=[], timeouts=SHORT), write=True)
    assert str(error) == "Autotask could not be reached."
    assert not error.maybe_applied


def test_a_second_address_is_tried_when_the_first_refuses(facing, monkeypatch):
    client, server = facing(lambda wire: wire.answer(GOOD))
    port = int(server.address.partition(":")[2])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dead = listener.getsockname()
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", where) for where in (dead, ("127.0.0.1", port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **named: both)
    assert client.get("Invoices", 7) == {"id": 7}


def test_tls_with_a_server_that_speaks_none_is_unavailable(facing):
    _, server = facing(lambda wire: wire.answer(GOOD))
    url = server.url.replace("http://", "https://")
    error = broken(Client(url, credentials(), trusted_hosts=[server.address], timeouts=SHORT))
    assert not error.maybe_applied
    assert server.requests == []


def drips_a_handshake() -> FaultServer:
    """Answers the first bytes of TLS with a record that never ends."""

    def script(wire: Wire) -> None:
        wire.drip(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")

    return FaultServer(script, hears_first=False)


@pytest.mark.parametrize("server", [drips_a_handshake, lambda: FaultServer(says_nothing, hears_first=False)])
def test_a_tls_handshake_that_never_ends_is_ended(server):
    with server() as running:
        url = running.url.replace("http://", "https://")
        error = broken(
            Client(url, credentials(), trusted_hosts=[running.address], timeouts=SHORT), write=True
        )
        assert error.status is None


def test_a_dead_address_leaves_time_for_the_next(facing, monkeypatch):
    client, server = facing(lambda wire: wire.answer(GOOD))
    port = int(server.address.partition(":")[2])
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.9", "127.0.0.1")]
    real = socket.socket.connect

    def connect(self: socket.socket, address: tuple[str, int]) -> None:
        if address[0] == "127.0.0.9":
            assert 0 < (self.gettimeout() or 0) <= PATIENT.connect / 2
            raise TimeoutError
        real(self, address)

    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **named: both)
    monkeypatch.setattr(socket.socket, "connect", connect)
    assert client.get("Invoices", 7) == {"id": 7}


def test_connections_are_kept_and_used_again(facing):
    client, server = facing(lambda wire: wire.answer(GOOD))
    for _ in range(5):
        client.get("Invoices", 7)
    assert (len(server.requests), server.connections) == (5, 1)


def test_a_connection_that_autotask_closed_meanwhile_is_replaced(facing):
    def answer_and_close(wire: Wire) -> None:
        wire.answer(GOOD)
        wire._sock.shutdown(socket.SHUT_RDWR)

    client, server = facing(answer_and_close)
    for _ in range(3):
        assert client.get("Invoices", 7) == {"id": 7}
    assert server.connections == 3


def test_a_read_is_tried_three_times_and_then_given_up(facing):
    client, server = facing(resets_at_once)
    broken_client_calls = client.calls
    with pytest.raises(Unavailable):
        client.get("Invoices", 7)
    assert broken_client_calls == 0
    assert len(server.requests) == client.calls == 3


def test_a_read_that_goes_well_at_the_second_try_is_simply_there(facing):
    def second_time_lucky(wire: Wire) -> None:
        wire.answer(GOOD) if server_side["seen"] else wire.reset()
        server_side["seen"] += 1

    server_side = {"seen": 0}
    client, _ = facing(second_time_lucky)
    assert client.get("Invoices", 7) == {"id": 7}
    assert client.calls == 2


def test_in_an_outage_few_reads_are_repeated(facing):
    client, server = facing(resets_at_once)
    for _ in range(50):
        with pytest.raises(Unavailable):
            client.get("Invoices", 7)
    assert len(server.requests) <= 55


def test_compressed_answers_are_read(facing):
    client, _ = facing(lambda wire: wire.answer(gzip.compress(GOOD), headers=("Content-Encoding: gzip",)))
    assert client.get("Invoices", 7) == {"id": 7}


@pytest.mark.parametrize("write", [False, True])
def test_an_answer_that_unpacks_to_far_too_much_is_cut_off(facing, write):
    packer = zlib.compressobj(level=1, wbits=31)
    bomb = b"".join(packer.compress(bytes(1024 * 1024)) for _ in range(24)) + packer.flush()
    client, _ = facing(
        lambda wire: wire.answer(bomb, headers=("Content-Encoding: gzip",)),
    )
    with pytest.raises(Unavailable if write else Permanent, match="too large"):
        client.patch("Invoices", {"id": 7}) if write else client.get("Invoices", 7)
    assert client.calls == 1


def test_an_endless_answer_is_cut_off(facing):
    def endless(wire: Wire) -> None:
        wire.send(HEAD + b"\r\n")
        while not wire.stopped.is_set():
            wire.send(b" " * 1024 * 1024)

    client, _ = facing(endless)
    with pytest.raises(Permanent, match="too large"):
        client.get("Invoices", 7)


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
)
@pytest.mark.parametrize("target", ["http://169.254.169.254/latest", "https://evil.example/", "{own}/other"])
def test_a_redirect_is_never_followed(facing, status, target):
    with FaultServer(lambda wire: wire.answer(GOOD)) as elsewhere:
        where = target.replace("{own}", elsewhere.url)
        client, server = facing(lambda wire: wire.answer(b"", status=status, headers=(f"Location: {where}",)))
        with pytest.raises(Untrusted, match="does not follow"):
            client.get("Invoices", 7)
        assert (len(server.requests), elsewhere.connections) == (1, 0)


def test_proxies_and_netrc_of_the_machine_are_ignored(facing, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    client, server = facing(lambda wire: wire.answer(GOOD))
    client.get("Invoices", 7)
    assert b"authorization" not in server.requests[0].lower()


def test_cookies_are_not_kept(facing):
    client, server = facing(lambda wire: wire.answer(GOOD, headers=("Set-Cookie: a=b; Path=/",)))
    client.get("Invoices", 7)
    client.get("Invoices", 7)
    assert b"cookie" not in server.requests[1].lower()
