"""The listener: a thread per connection, kept alive, stopped at once when asked."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from typing import BinaryIO, cast

from sandbox.api.messages import Answer, Call
from sandbox.wire.reader import BadRequest, read_call
from sandbox.wire.writer import whole

Send = Callable[["Connection", Call], bool]
BACKLOG = 256
LONGEST_GOODBYE = 5.0
_current = threading.local()


class Connection:
    """One client's socket. A fault may do with it what it likes."""

    def __init__(self, sock: socket.socket, stopped: threading.Event) -> None:
        self.sock = sock
        self.stopped = stopped
        self.stream: BinaryIO = cast(BinaryIO, sock.makefile("rb", buffering=64 * 1024))

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def close(self) -> None:
        for close in (self.stream.close, self.sock.close):
            try:
                close()
            except OSError:
                pass


class Server:
    """Listens on a loopback port and hands each call to `serve`, which sends and says whether to go on."""

    def __init__(self, serve: Send, host: str = "127.0.0.1", port: int = 0) -> None:
        self.serve = serve
        self.host = host
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self._accepting: threading.Thread | None = None
        self.port = port
        self.tls: ssl.SSLContext | None = None

    @property
    def base(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    def start(self) -> None:
        """Opens the port (a free one for port 0) and takes calls from then on."""
        self.listen()
        self.port = self._listener.getsockname()[1] if self._listener else self.port

    def listen(self) -> None:
        """Opens the port; does nothing when it is open."""
        if self._listener is not None:
            return
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.host, self.port))
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
        self._listener = listener
        self._accepting = threading.Thread(
            target=self._accept, args=(listener,), daemon=True, name="sandbox-accept"
        )
        self._accepting.start()

    def close_listener(self) -> None:
        """New connections are refused from now on; `listen` opens the port again."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        address = listener.getsockname()
        try:
            listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            _knock(address)
        if self._accepting is not None:
            # Or it would take the first client of whoever listens next, under the same number of file.
            self._accepting.join(LONGEST_GOODBYE)
        listener.close()

    def close_connections(self) -> None:
        """Cuts off every client but the one whose call is just being answered."""
        mine = getattr(_current, "sock", None)
        with self._lock:
            held = [one for one in self._open if one is not mine]
        for sock in held:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self) -> None:
        self.stopped.set()
        self.close_listener()
        self.close_connections()

    def _accept(self, listener: socket.socket) -> None:
        while not self.stopped.is_set() and self._listener is listener:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            if self._listener is not listener:
                sock.close()
                return
            threading.Thread(target=self._converse, args=(sock,), daemon=True, name="sandbox-call").start()

    def _converse(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open.add(sock)
        _current.sock = sock
        try:
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
            connection = Connection(sock, self.stopped)
            try:
                self._calls(connection)
            finally:
                connection.close()
        except OSError:
            pass
        finally:
            sock.close()
            with self._lock:
                self._open.discard(sock)

    def _calls(self, connection: Connection) -> None:
        going = True
        while going and not self.stopped.is_set():
            try:
                call = read_call(connection.stream, connection.send, self.base)
            except BadRequest as error:
                connection.send(whole(Answer(error.status, str(error).encode(), "text/plain"), keep=False))
                return
            if call is None:
                return
            going = self.serve(connection, call)


def _knock(address: tuple[str, int]) -> None:
    """Wakes an accept that a shutdown of its listener does not wake (macOS)."""
    try:
        socket.create_connection(address[:2], timeout=0.2).close()
    except OSError:
        pass


def keeps_alive(call: Call) -> bool:
    """Whether the client wants the connection kept."""
    wish = call.headers.get("connection", "").lower()
    return "close" not in wish and (call.headers.get(":version") != "HTTP/1.0" or "keep-alive" in wish)
