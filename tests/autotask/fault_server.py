"""A raw TCP server on loopback whose script, for each request, may send, wait, cut or stay silent."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

Script = Callable[["Wire"], None]
LONGEST = 10.0


class Wire:
    """One accepted connection, seen from the server."""

    def __init__(self, sock: socket.socket, stopped: threading.Event) -> None:
        self._sock, self.stopped = sock, stopped
        self._sock.settimeout(LONGEST)
        self.request = b""

    def hear(self) -> bytes:
        """The next request with its body; b"" when the client is gone."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += (more := self._sock.recv(65536))
            if not more:
                return b""
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(v) for k, _, v in _headers(head) if k == b"content-length"), 0)
        while len(body) < length:
            body += self._sock.recv(65536)
        self.request = head + b"\r\n\r\n" + body
        return self.request

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def answer(self, body: bytes, *, status: str = "200 OK", headers: tuple[str, ...] = ()) -> None:
        listed = (f"Content-Length: {len(body)}", "Content-Type: application/json", *headers)
        self.send(
            f"HTTP/1.1 {status}\r\n".encode() + "".join(f"{h}\r\n" for h in listed).encode() + b"\r\n" + body
        )

    def wait(self, seconds: float = LONGEST) -> bool:
        """True when the test is over."""
        return self.stopped.wait(seconds)

    def drip(self, data: bytes, pause: float = 0.02) -> None:
        """`data` byte by byte, then the last byte again for ever."""
        position = 0
        while not self.wait(pause):
            self.send(data[min(position, len(data) - 1) :][:1])
            position += 1

    def reset(self) -> None:
        """RST instead of FIN."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()


def _headers(head: bytes) -> list[tuple[bytes, bytes, bytes]]:
    return [
        (k.strip().lower(), s, v.strip())
        for k, s, v in (line.partition(b":") for line in head.split(b"\r\n"))
    ]


class FaultServer:
    """Runs `script` for every connection; `requests` and `connections` are what arrived."""

    def __init__(self, script: Script, *, hears_first: bool = True) -> None:
        self._script, self._hears_first = script, hears_first
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"http://{self.address}/ATServicesRest/"
        self.connections = 0
        self.requests: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "FaultServer":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self._stopped.is_set():
                sock, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        wire = Wire(sock, self._stopped)
        with sock, contextlib.suppress(OSError):
            if not self._hears_first:
                self._script(wire)
            while wire.hear():
                self.requests.append(wire.request)
                self._script(wire)
