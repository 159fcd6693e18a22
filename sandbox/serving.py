"""Joins the wire to the API, the control calls and the people's page."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from sandbox.api import dispatch
from sandbox.api.messages import Answer, Call, json_bytes
from sandbox.faults.certificates import context
from sandbox.web import pages
from sandbox.wire.server import Connection, Server, keeps_alive
from sandbox.wire.writer import whole
from sandbox.world import World

LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")


class Serving:
    """One world on one port. `extra` holds further listeners that faults opened; `control` answers /_sandbox."""

    def __init__(
        self, world: World, control: Callable[[Call], Answer], host: str = "127.0.0.1", port: int = 0
    ) -> None:
        if host not in LOOPBACK:
            raise ValueError("the sandbox listens on loopback addresses only")
        self.world, self.control = world, control
        self.server = Server(self.serve, host, port)
        self.extra: list[Server] = []
        self.ca = ""
        world.port = self

    def start(self) -> None:
        self.server.start()

    def stop(self) -> None:
        self.world.stopped.set()
        for server in [self.server, *self.extra]:
            server.stop()

    def open_tls(self, certificate: str) -> tuple[str, Callable[[], None]]:
        """A further port with TLS: its address and what closes it. `ca` holds the CA that signed it."""
        made = Server(self.serve, self.server.host)
        made.tls, self.ca = context(certificate)
        made.start()
        self.extra.append(made)
        return made.base, made.stop

    def serve(self, connection: Connection, call: Call) -> bool:
        """Answers one call; gives whether the connection goes on."""
        keep = keeps_alive(call)
        if not dispatch.is_api(call.path):
            connection.send(whole(self._own(call), keep, call.method == "HEAD"))
            return keep
        outcome = self._outcome(call)
        for fault in outcome.delivery:
            return bool(fault.shape.deliver(fault.params, connection, outcome.answer))  # type: ignore[misc]
        connection.send(whole(outcome.answer, keep, call.method == "HEAD"))
        return keep

    def _outcome(self, call: Call) -> dispatch.Outcome:
        """The API's outcome. A mistake of the sandbox itself is told as one, never as Autotask's."""
        try:
            return dispatch.handle(self.world, call)
        except Exception:
            traceback.print_exc()
            body = json_bytes(
                {"errors": ["The sandbox made a mistake; its standard error output says which."]}
            )
            return dispatch.failed(self.world, call, Answer(500, body, headers={"Sandbox-Says": "mistake"}))

    def _own(self, call: Call) -> Answer:
        if not _local(call):
            return Answer(403, b"This server answers its own machine only.", "text/plain")
        if call.path.startswith("/_sandbox"):
            return self.control(call)
        return pages.handle(self.world, call)


def _local(call: Call) -> bool:
    """Keeps web sites open in the same browser away from the pages that change things."""
    host = call.headers.get("host", "")
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    origin = call.headers.get("origin", "")
    same = not origin or call.method == "GET" or origin.split("://")[-1] == host
    return name in LOOPBACK and same
