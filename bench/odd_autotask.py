"""An Autotask that is not well: it hangs, answers without an end, or answers what is no JSON."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
GARBAGE = b"\xff\x00<html>[[[["


def hanging(_: socket.socket, over: threading.Event) -> None:
    over.wait()


def flooding(client: socket.socket, over: threading.Event) -> None:
    client.sendall(HEAD % 999_999_999)
    while not over.wait(0.05):
        client.sendall(b"[" * 1000)


def garbage(client: socket.socket, _: threading.Event) -> None:
    client.sendall(HEAD % len(GARBAGE) + GARBAGE)


KINDS: dict[str, Callable[[socket.socket, threading.Event], None]] = {
    "hanging": hanging, "flooding": flooding, "garbage": garbage,
}  # fmt: skip


@contextmanager
def serving(kind: str) -> Iterator[str]:
    """Its address, on this machine."""
    over, listener = threading.Event(), socket.create_server(("127.0.0.1", 0))

    def serve(client: socket.socket) -> None:
        with client, suppress(OSError):
            while client.recv(65536):
                KINDS[kind](client, over)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        listener.close()
