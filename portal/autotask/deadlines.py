"""Connections whose every wait ends at one deadline. Per-read limits alone let a slow drip last for ever.

Ours, because no client library ends a name look-up, a TLS handshake and a dripping body by one limit for the whole call:
urllib3's and httpx's are for a connection and a read each.
"""

import http.client
import io
import socket
import threading
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from portal import clock


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, for one silence while reading, and for a call as a whole."""

    connect: float = 3.0
    read: float = 10.0
    total: float = 20.0


class Deadline:
    """The end of the call under way. A client belongs to one thread, so one serves all its connections."""

    def __init__(self, timeouts: Timeouts) -> None:
        self.timeouts = timeouts
        self._end = float("inf")

    def start(self, seconds: float) -> None:
        self._end = clock.monotonic() + seconds

    def wait(self, at_most: float) -> float:
        """How long the next wait may last; TimeoutError when nothing is left."""
        left = self._end - clock.monotonic()
        if left <= 0:
            raise TimeoutError("deadline reached")
        return min(left, at_most)


class TimedReader(io.RawIOBase):
    """The raw bytes of an answer, where each wait ends at the deadline at the latest."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: Deadline) -> None:
        self._raw, self._sock, self._deadline = raw, sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.wait(self._deadline.timeouts.read))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _open_socket(connection: HTTPConnection, deadline: Deadline) -> socket.socket:
    try:
        found = _resolve(connection._dns_host, connection.port, deadline.wait(deadline.timeouts.connect))
        return _connect(found, deadline)
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, "no connection in time") from error
    except OSError as error:
        raise NewConnectionError(connection, "no connection") from error


def _resolve(host: str, port: int, seconds: float) -> list[Any]:
    """getaddrinfo with a limit; the system's resolver has none, so it waits in a thread that is given up."""
    if _is_number(host):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    answer: list[Any] = []

    def look_up() -> None:
        try:
            answer.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:
            answer.append(error)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(seconds)
    if not answer:
        raise TimeoutError("name not resolved in time")
    if isinstance(answer[0], Exception):
        raise answer[0]
    return answer[0]


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _connect(found: list[Any], deadline: Deadline) -> socket.socket:
    """The first address that accepts. All share the connect time, so that a dead one leaves some to the next."""
    end = clock.monotonic() + deadline.wait(deadline.timeouts.connect)
    last: OSError = OSError("no address")
    for tried, (family, kind, protocol, _, address) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(max((end - clock.monotonic()) / (len(found) - tried), 0.001))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect(address)
            sock.settimeout(deadline.wait(deadline.timeouts.connect))  # for the TLS handshake
            return sock
        except OSError as error:
            sock.close()
            last = error
    raise last


def _pools(deadline: Deadline) -> dict[str, type]:
    """urllib3's pools, with connections that know the deadline."""

    class Response(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
            super().__init__(sock, *args, **options)
            self.fp = io.BufferedReader(TimedReader(self.fp.detach(), sock, deadline))

    class Plain(HTTPConnection):
        response_class = Response

        def _new_conn(self) -> socket.socket:
            return _open_socket(self, deadline)

    class Secure(HTTPSConnection):
        response_class = Response

        def _new_conn(self) -> socket.socket:
            return _open_socket(self, deadline)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


class DeadlineAdapter(HTTPAdapter):
    """requests' adapter on such connections; it never repeats a request by itself."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        super().__init__(max_retries=0, pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **options)
        self.poolmanager.pool_classes_by_scheme = _pools(self._deadline)
