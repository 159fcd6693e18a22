"""A receiving server as a partner might run it: it notes what comes, verifies it, and answers as it is told to."""

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask import Flask
from standardwebhooks import Webhook


class Receiver:
    """`taken` are (headers, body) of every message. `says` is a status, or a function that answers by itself.

    Nothing is taken while `go_on` is not set.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.says: Any = 200
        self.go_on = threading.Event()
        self.go_on.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.go_on.wait(60)
                receiver.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
                if callable(receiver.says):
                    receiver.says(self)
                    return
                self.send_response(receiver.says)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.server.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.authority}/hooks?from=portal"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def begin_anew(self) -> None:
        self.taken.clear()
        self.go_on.set()
        self.says = 200

    def events(self, secret: str) -> list[Any]:
        """What came, verified by the specification's own library; it raises for a wrong signature."""
        return [Webhook(secret).verify(body, headers) for headers, body in self.taken]

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.taken]


@pytest.fixture(scope="session")
def listening() -> Iterator[Receiver]:
    """One server for all tests."""
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def receiver(listening: Receiver, app: Flask) -> Receiver:
    """The server as it was for the first test, which the configuration lets messages go to."""
    listening.begin_anew()
    app.config["WEBHOOK_TRUSTED_HOSTS"] = [listening.authority]
    return listening
