"""Faults of the wire itself, seen from a plain socket or an ordinary client."""

import errno
import gzip
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from sandbox import Sandbox
from tests.sandbox.conftest import Api, where

pytestmark = pytest.mark.faults


class Line:
    """A plain connection: what it sends and every byte that comes back."""

    def __init__(self, sb: Sandbox, timeout: float = 5.0) -> None:
        self.sb = sb
        self.socket = socket.create_connection(("127.0.0.1", sb.port), timeout=timeout)
        self.received = b""

    def ask(self, path: str = "Currencies/1", method: str = "GET", body: bytes = b"") -> None:
        heads = "".join(f"{name}: {value}\r\n" for name, value in self.sb.headers.items())
        start = f"{method} /ATServicesRest/V1.0/{path} HTTP/1.1\r\nHost: 127.0.0.1:{self.sb.port}\r\n"
        self.socket.sendall(f"{start}{heads}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def read(self, size: int = 65536) -> bytes:
        found = self.socket.recv(size)
        self.received += found
        return found

    def read_all(self) -> bytes:
        while self.read():
            pass
        return self.received

    @property
    def body(self) -> bytes:
        return self.received.partition(b"\r\n\r\n")[2]

    @property
    def promised(self) -> int:
        head = self.received.partition(b"\r\n\r\n")[0].lower()
        return int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])


@pytest.fixture
def line(sb: Sandbox) -> Iterator[Line]:
    made = Line(sb)
    yield made
    made.socket.close()


def test_f1_nobody_listens_until_the_fault_is_cleared(api: Api, sb: Sandbox) -> None:
    port = sb.port
    assert api.get("Version").status_code == 200
    sb.faults.add("F1")

    with pytest.raises(requests.ConnectionError, match="refused"):
        api.get("Version")
    sb.faults.clear()

    assert api.get("Version").status_code == 200
    assert sb.port == port


def test_f1_lifts_by_itself_after_its_seconds(api: Api, sb: Sandbox) -> None:
    sb.faults.add("F1", seconds=0.1)
    refused = 0
    for _ in range(200):
        try:
            assert api.get("Version").status_code == 200
            break
        except requests.ConnectionError:
            refused += 1
            time.sleep(0.02)

    assert refused
    assert api.get("Version").status_code == 200
    sb.faults.clear()


def test_f1_twice_is_lifted_at_once(api: Api, sb: Sandbox) -> None:
    sb.faults.add("F1")
    sb.faults.add("F1")
    sb.faults.clear()

    assert api.get("Version").status_code == 200


def test_f1_a_call_can_be_dropped_without_an_answer(sb: Sandbox, line: Line) -> None:
    sb.faults.add("connection_dropped")
    line.ask()

    with pytest.raises(ConnectionResetError):
        line.read_all()
    assert line.received == b""
    assert sb.requests[-1].status == 0


def test_f2_connecting_gets_no_answer_at_all(api: Api, sb: Sandbox) -> None:
    sb.faults.add("F2")
    probe = socket.socket()
    probe.settimeout(0.3)

    with pytest.raises(TimeoutError):
        probe.connect(("127.0.0.1", sb.port))
    probe.close()
    sb.faults.clear()

    assert api.get("Version").status_code == 200


def test_f3_the_body_hangs_after_a_few_bytes(sb: Sandbox, line: Line) -> None:
    sb.faults.add("F3", sent=7)
    line.ask()
    line.socket.settimeout(0.3)

    with pytest.raises(TimeoutError):
        line.read_all()

    assert line.received.startswith(b"HTTP/1.1 200 OK")
    assert line.body == b'{"item"'
    assert line.promised > 100


def test_f3_a_write_whose_answer_hangs_has_taken_effect_or_not_as_asked(sb: Sandbox) -> None:
    invoice = sb.add_invoice(companyID=sb.add_company())
    for applied in (True, False):
        sb.faults.add("F3", verb="patch", applied=applied)
        line = Line(sb, timeout=0.3)
        line.ask("Invoices", "PATCH", json.dumps({"id": invoice, "invoiceNumber": f"N-{applied}"}).encode())
        with pytest.raises(TimeoutError):
            line.read_all()
        line.socket.close()

    held = sb.invoice(invoice)
    assert held is not None
    assert held["invoiceNumber"] == "N-True"


def test_f4_one_byte_comes_at_a_time(sb: Sandbox, line: Line) -> None:
    sb.faults.add("F4", every=0.005)
    line.ask()
    pieces = []
    while len(line.body) < (line.promised if b"\r\n\r\n" in line.received else 1):
        pieces.append(len(line.read()))

    assert len(pieces) > 20
    assert json.loads(line.body)["item"]["id"] == 1


def test_f5_a_reset_in_the_middle_of_the_body(sb: Sandbox, line: Line) -> None:
    sb.faults.add("F5")
    line.ask()

    with pytest.raises(ConnectionResetError):
        line.read_all()

    assert 0 < len(line.body) < line.promised


def test_f6_the_body_is_shorter_than_its_content_length(sb: Sandbox, line: Line) -> None:
    sb.faults.add("F6")
    line.ask()
    line.read_all()

    assert 0 < len(line.body) < line.promised
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(line.body)


def test_f6_a_whole_body_can_promise_more_than_it_is(sb: Sandbox, line: Line) -> None:
    sb.faults.add("F6", missing=5)
    line.ask()
    line.read_all()

    assert len(line.body) == line.promised - 5
    assert json.loads(line.body)


def test_f18_a_small_gzip_body_unpacks_to_gigabytes(sb: Sandbox, raw: Api) -> None:
    sb.faults.add("gzip_bomb", megabytes=10_240)
    unpacked = 0
    with raw.session.get(f"{sb.api_url}V1.0/Currencies/1", stream=True, timeout=5) as answer:
        for part in answer.iter_content(1_000_000):
            unpacked += len(part)
            if unpacked > 40_000_000:
                break

    assert unpacked > 40_000_000
    packed = int(answer.headers["Content-Length"])
    assert packed == 640 * len(gzip.compress(b" " * 16 * 1024 * 1024, 9)) < 12_000_000


def test_f18_a_body_of_two_gigabytes_is_sent_as_long_as_someone_reads(sb: Sandbox, line: Line) -> None:
    sb.faults.add("huge_body")
    line.ask()
    while len(line.received) < 3_000_000:
        line.read(1_000_000)

    assert line.promised == 2_048 * 1024 * 1024


def test_f18_a_million_nested_arrays(raw: Api, sb: Sandbox) -> None:
    sb.faults.add("deep_nesting")

    content = raw.get("Currencies/1").content

    assert content.startswith(b"[" * 1_000_000)
    with pytest.raises(RecursionError):
        json.loads(content)


def test_f31_a_pdf_of_two_hundred_megabytes(sb: Sandbox, line: Line) -> None:
    sb.faults.add("huge_pdf")
    invoice = sb.add_invoice(companyID=sb.add_company())
    line.ask(f"Invoices/{invoice}/InvoicePdf")
    while len(line.received) < 2_000_000:
        line.read(1_000_000)

    assert line.promised * 3 // 4 > 200 * 1024 * 1024
    assert line.body.startswith(b'{"id":1,"contentType":"application/pdf"')


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [("expired", "expired"), ("wrong_host", "mismatch"), ("self_signed", "self.signed")],
)
def test_f17_the_zone_leads_to_a_certificate_with_one_defect(
    api: Api, sb: Sandbox, tmp_path: Path, certificate: str, reason: str
) -> None:
    sb.faults.add("F17", certificate=certificate)
    url = api.get("zoneInformation", params={"user": sb.username}).json()["url"]
    authority = tmp_path / "ca.pem"
    authority.write_text(sb.ca_certificate)

    assert url.startswith("https://127.0.0.1:")
    with pytest.raises(requests.exceptions.SSLError, match=reason):
        requests.get(f"{url}V1.0/Version", headers=sb.headers, verify=str(authority), timeout=5)


def test_f17_a_good_certificate_works_for_who_knows_its_ca(api: Api, sb: Sandbox) -> None:
    sb.faults.add("F17", certificate="good")
    port = int(
        api.get("zoneInformation", params={"user": sb.username}).json()["url"].split(":")[2].split("/")[0]
    )
    context = ssl.create_default_context(cadata=sb.ca_certificate)

    plain = socket.create_connection(("127.0.0.1", port), timeout=5)
    with context.wrap_socket(plain, server_hostname="127.0.0.1") as tls:
        heads = "".join(f"{name}: {value}\r\n" for name, value in sb.headers.items())
        tls.sendall(f"GET /ATServicesRest/V1.0/Version HTTP/1.0\r\nHost: x\r\n{heads}\r\n".encode())
        assert tls.recv(15) == b"HTTP/1.1 200 OK"
    sb.faults.clear()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_connections_are_kept_alive(sb: Sandbox, line: Line) -> None:
    for _ in range(3):
        line.received = b""
        line.ask()
        while b"\r\n\r\n" not in line.received or len(line.body) < line.promised:
            line.read()
        assert b"Connection: keep-alive" in line.received


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nbroken header\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: much\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", b"431"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", b"400"),
    ],
)
def test_bytes_that_are_no_request_get_a_plain_refusal(line: Line, sent: bytes, status: bytes) -> None:
    line.socket.sendall(sent)

    assert line.read_all().startswith(b"HTTP/1.1 " + status)


def test_head_gets_no_body(sb: Sandbox, line: Line) -> None:
    for method in ("HEAD", "GET"):
        line.ask(method=method)
    while line.received.count(b"HTTP/1.1 ") < 2 or not line.received.endswith(b"}}"):
        line.read()

    assert line.received.count(b"{") == 2
    assert line.received.startswith(b"HTTP/1.1 405 ")


def test_a_chunked_body_is_read(api: Api) -> None:
    chunks = iter([b'{"filter":[{"op":"eq",', b'"field":"id","value":1}]}'])

    answer = api.call("POST", "Currencies/query", data=chunks)

    assert [row["id"] for row in answer.json()["items"]] == [1]


def test_a_stopped_sandbox_frees_its_port_and_drops_its_clients(api: Api, sb: Sandbox) -> None:
    api.get("Version")
    sb.stop()

    with pytest.raises(requests.ConnectionError):
        api.get("Version")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", sb.port)) == errno.ECONNREFUSED


def test_held_calls_go_on_when_they_are_released(api: Api, sb: Sandbox) -> None:
    with sb.hold("Invoices", "patch"):
        assert api.ids("Currencies", where("id", "eq", 1)) == [1]

    assert api.get("Version").status_code == 200


def test_a_stopped_sandbox_takes_nobody_from_the_next_one(start: Callable[..., Sandbox]) -> None:
    """Its thread has ended before its socket is closed, whose number the next listener gets."""
    for _ in range(50):
        start().stop()
        assert [one for one in threading.enumerate() if one.name == "sandbox-accept"] == []
