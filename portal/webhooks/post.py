"""One message over the wire: to a checked number, no redirect followed, bounded in bytes and in seconds.

Ours, because HTTP clients look the name up a second time as they connect, and count a time-out anew for every byte.
"""

import io
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http.client import HTTPException, HTTPResponse, RemoteDisconnected
from typing import Any

import structlog

from portal import clock
from portal.config.values import authorities
from portal.plain_text import cleaned
from portal.webhooks.addresses import Target

log = structlog.get_logger(__name__)
CONNECT_SECONDS, ALL_SECONDS = 5.0, 10.0
MOST_BYTES = 16 * 1024
SHOWN = 500
AGENT = "partner-portal-webhooks/1"
LONGEST_WAIT = 3600.0


@dataclass(frozen=True)
class Answer:
    """`code` is None where there was no answer; `shown` the beginning of its body; `wait` what it asks for, in seconds."""

    code: int | None
    words: str
    shown: str = ""
    wait: float | None = None

    @property
    def is_well(self) -> bool:
        return self.code is not None and 200 <= self.code < 300

    @property
    def is_gone(self) -> bool:
        """The receiver says that it will never take one again (the specification's 410)."""
        return self.code == 410


def post(to: Target, numbers: Sequence[str], headers: Mapping[str, str], body: bytes) -> Answer:
    """Sends once; never raises for what the receiver or the network does."""
    until = clock.monotonic() + ALL_SECONDS
    try:
        with _connected(to, numbers, until) as connection:
            connection.settimeout(_left(until))
            connection.sendall(_request(to, headers, body))
            return _read(_received(connection, until))
    except TimeoutError:
        return Answer(None, f"No answer within {ALL_SECONDS:g} seconds.")
    except ssl.SSLCertVerificationError as error:
        return Answer(None, f"Its certificate is not good: {error.verify_message}.")
    except ssl.SSLError:
        return Answer(None, "It does not speak https as it should.")
    except RemoteDisconnected:
        return Answer(None, "It closed the connection without an answer.")
    except OSError as error:
        return Answer(None, f"It cannot be reached: {error.strerror or type(error).__name__}.")
    except (HTTPException, ValueError):  # such as a number that is none
        return Answer(None, "What it answered is no HTTP.")


def _connected(to: Target, numbers: Sequence[str], until: float) -> socket.socket:
    """To the first of these numbers that takes the connection. Raises OSError."""
    refused: OSError | None = None
    for number in numbers[:3]:
        try:
            plain = socket.create_connection((number, to.port), min(CONNECT_SECONDS, _left(until)))
        except OSError as error:
            refused = error
            continue
        if not to.is_encrypted:
            return plain
        try:
            plain.settimeout(min(CONNECT_SECONDS, _left(until)))
            return _tls().wrap_socket(plain, server_hostname=to.host)
        except BaseException:
            plain.close()
            raise
    raise refused or OSError("It has no number.")


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authorities())


def _request(to: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    sent = {
        "Host": to.authority,
        "User-Agent": AGENT,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Accept-Encoding": "identity",
        "Connection": "close",
        **headers,
    }
    head = [f"POST {to.path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    return "\r\n".join(head).encode("ascii") + b"\r\n\r\n" + body


def _received(connection: socket.socket, until: float) -> bytes:
    """What came until it ended, was enough, or time was up. Raises TimeoutError where not even its head came."""
    found = bytearray()
    while len(found) < MOST_BYTES and not _is_whole(found):
        try:
            connection.settimeout(_left(until))
            part = connection.recv(MOST_BYTES)
        except (TimeoutError, ConnectionError):
            if b"\r\n\r\n" in found:
                break
            raise
        if not part:
            break
        found += part
    return bytes(found)


def _is_whole(found: bytearray) -> bool:
    """A server that leaves the connection open is not waited for once all that it announced is here."""
    head, end, rest = bytes(found).partition(b"\r\n\r\n")
    if not end:
        return False
    for line in head.lower().split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        value = value.strip()
        if name == b"content-length" and value.isdigit():
            return len(rest) >= int(value[:20])
        if name == b"transfer-encoding" and value == b"chunked":
            return rest.endswith(b"0\r\n\r\n")
    return False


def _read(found: bytes) -> Answer:
    response = HTTPResponse(_Said(found))  # type: ignore[arg-type]
    response.begin()
    try:
        body = response.read(MOST_BYTES)
    except HTTPException:  # cut short by us
        body = b""
    code, shown = response.status, cleaned(body.decode("utf-8", "replace"))[:SHOWN]
    return Answer(code, _words(code), shown, _wait(response.getheader("Retry-After", "")))


def _words(code: int) -> str:
    if 200 <= code < 300:
        return f"Taken ({code})."
    if 300 <= code < 400:
        return f"It answered with a redirect ({code}), and redirects are not followed. Enter the address it leads to."
    if code == 410:
        return "It says that it takes no messages any more (410)."
    return f"It answered {code}."


def _wait(asked: str | None) -> float | None:
    """Seconds of a Retry-After, as a number or a date; at most an hour."""
    if not asked:
        return None
    if asked.isascii() and asked.isdigit():
        return min(float(asked[:9]), LONGEST_WAIT)
    try:
        seconds = (parsedate_to_datetime(asked) - clock.now()).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT)


def _left(until: float) -> float:
    seconds = until - clock.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


class _Said:
    """What was received, as the library wants to read it."""

    def __init__(self, found: bytes) -> None:
        self.found = found

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self.found)
