"""An integration that is connected to the sandbox of the test, and servers that are no Autotask."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from flask import Flask

from portal.models import Integration, Tenant
from tests import factories


@pytest.fixture
def partner(app: Flask) -> Iterator[Tenant]:
    """A partner, in scope for the test."""
    with app.app_context():
        tenant = factories.tenant()
        with factories.inside(tenant):
            yield tenant


@pytest.fixture
def connect_to(app: Flask, partner: Tenant) -> Callable[..., Integration]:
    """Makes the partner's integration with a sandbox; further values replace the usual ones."""

    return lambda sandbox, **values: factories.connected_to(sandbox, app, **values)


@pytest.fixture
def answering(app: Flask) -> Iterator[Callable[..., str]]:
    """Makes a server that answers paths ending in a word with (status, content type, body); its address.

    `anything` answers all other calls, with whatever method.
    """
    app.config["AUTOTASK_TRUSTED_HOSTS"] = ["127.0.0.1"]
    with ExitStack() as running:

        def make(
            answers: dict[str, tuple[int, str, str]],
            anything: tuple[int, str, str] = (404, "text/plain", ""),
        ) -> str:
            class Handler(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    self.rfile.read(int(self.headers.get("Content-Length") or 0))
                    word = self.path.partition("?")[0].rpartition("/")[2]
                    status, kind, body = answers.get(word, anything)
                    self.send_response(status)
                    self.send_header("Content-Type", kind)
                    self.send_header("Location", "http://127.0.0.1:9/")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body.encode())

                do_POST = do_PATCH = do_PUT = do_GET

                def log_message(self, *_: object) -> None:
                    pass

            server = running.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            running.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}/ATServicesRest/"

        yield make
