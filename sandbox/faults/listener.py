"""F1, F2 and F17: faults of the connection itself, before any call is made."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sandbox.api.messages import Answer, Call
from sandbox.faults.edits import edited
from sandbox.faults.kinds import Kind, register
from sandbox.world import Port, World

if TYPE_CHECKING:
    from sandbox.faults.rules import Fault

Undo = Callable[[], None]


def _once(action: Undo) -> Undo:
    """An undo that two threads may call and that acts once."""
    lock, done = threading.Lock(), [False]

    def run() -> None:
        with lock:
            if done[0]:
                return
            done[0] = True
        action()

    return run


def _for_a_while(world: World, seconds: float, undo: Undo) -> Undo:
    undo = _once(undo)
    if seconds > 0:
        timer = threading.Timer(seconds, undo)
        timer.daemon = True
        timer.start()
    return undo


def _port(world: World) -> Port:
    if world.port is None:
        raise ValueError("This Autotask does not listen anywhere yet.")
    return world.port


def _refuse(rule: Fault, world: World) -> Undo:
    """Closes the port; it opens again after `seconds`, or when the fault is cleared."""
    server = _port(world).server
    server.close_listener()
    server.close_connections()
    return _for_a_while(world, float(rule.params["seconds"]), server.listen)


def _stall(rule: Fault, world: World) -> Undo:
    """Keeps the port with a full queue: the kernel lets new connections wait without an answer."""
    server = _port(world).server
    server.close_listener()
    server.close_connections()
    full = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    full.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    full.bind((server.host, server.port))
    full.listen(0)
    fillers = [_knocking(server.host, server.port) for _ in range(3)]

    def undo() -> None:
        for one in [*fillers, full]:
            one.close()
        server.listen()

    return _for_a_while(world, float(rule.params["seconds"]), undo)


def _knocking(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setblocking(False)
    made.connect_ex((host, port))
    return made


def _tls(rule: Fault, world: World) -> Undo:
    """Opens a TLS port with a bad certificate and lets zone discovery answer its URL."""
    url, stop = _port(world).open_tls(rule.params["certificate"])
    rule.params["url"] = url + world.zone_path()
    return _once(stop)


def _tls_zone(rule: Fault, world: World, call: Call, answer: Answer) -> Answer:
    def change(document: Any) -> None:
        if isinstance(document, dict) and "url" in document:
            document["url"] = rule.params["url"]

    return edited(answer, change)


register(
    Kind(
        "F1",
        "connection_refused",
        "nobody listens at the port",
        {"seconds": 0.0},
        times=0,
        begin=_refuse,
    )
)
register(
    Kind("F2", "connect_hangs", "connecting gets no answer at all", {"seconds": 0.0}, times=0, begin=_stall)
)
register(
    Kind(
        "F17",
        "bad_certificate",
        "zone discovery leads to a TLS port whose certificate is expired, for another host, or self-signed",
        {"certificate": "self_signed", "url": ""},
        times=0,
        verb="zone",
        begin=_tls,
        reshape=_tls_zone,
        choices={"certificate": ("self_signed", "expired", "wrong_host", "good")},
    )
)
