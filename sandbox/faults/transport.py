"""F3 to F6 and F18: true answers, badly delivered. With `applied` false the call has no effect."""

from __future__ import annotations

import gzip
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

from sandbox.api.messages import Answer
from sandbox.faults.kinds import Kind, register
from sandbox.wire.server import Connection
from sandbox.wire.writer import head, whole

MEGABYTE = 1024 * 1024
Params = dict[str, Any]


def _gone(connection: Connection) -> bool:
    """Whether the client has hung up."""
    readable, _, _ = select.select([connection.sock], [], [], 0)
    if not readable:
        return False
    try:
        return connection.sock.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


def _linger(connection: Connection, seconds: float) -> None:
    """Stays silent until the time is over, the client hangs up, or the sandbox stops."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and not _gone(connection):
        if connection.stopped.wait(0.02):
            return


def _reset(connection: Connection) -> None:
    """Makes the coming close a RST."""
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _drop(params: Params, connection: Connection, answer: Answer) -> bool:
    _reset(connection)
    return False


def _hang(params: Params, connection: Connection, answer: Answer) -> bool:
    connection.send(head(answer, keep=True) + answer.body[: int(params["sent"])])
    _linger(connection, float(params["seconds"]))
    return False


def _drip(params: Params, connection: Connection, answer: Answer) -> bool:
    connection.send(head(answer, keep=True))
    ends = time.monotonic() + float(params["seconds"])
    for at in range(len(answer.body)):
        connection.send(answer.body[at : at + 1])
        if time.monotonic() > ends or connection.stopped.wait(float(params["every"])):
            return False
    return True


def _cut(params: Params, connection: Connection, answer: Answer) -> bool:
    connection.send(whole(answer, keep=True)[: -max(1, len(answer.body) // 2)])
    time.sleep(0.02)  # let the client read what was sent before the RST throws it away
    _reset(connection)
    return False


def _short(params: Params, connection: Connection, answer: Answer) -> bool:
    """The head promises more than comes: all of the body or, with `missing` 0, half of it."""
    missing = int(params["missing"])
    body = answer.body if missing else answer.body[: len(answer.body) // 2]
    length = len(body) + missing if missing else len(answer.body)
    connection.send(head(answer, keep=False, length=length) + body)
    return False


def _streamed(connection: Connection, answer: Answer, length: int, parts: Iterator[bytes]) -> bool:
    try:
        connection.send(head(answer, keep=False, length=length))
        for part in parts:
            connection.send(part)
            if connection.stopped.is_set():
                break
    except OSError:
        pass
    return False


def _bomb(params: Params, connection: Connection, answer: Answer) -> bool:
    """Gzip members of 16 MB each: some kilobytes on the wire, gigabytes when unpacked."""
    count = max(1, int(params["megabytes"]) // 16)
    member = gzip.compress(b" " * (16 * MEGABYTE), 9, mtime=0)
    packed = Answer(200, b"x", headers={"Content-Encoding": "gzip"})
    return _streamed(connection, packed, len(member) * count, (member for _ in range(count)))


def _huge(params: Params, connection: Connection, answer: Answer) -> bool:
    size = int(params["megabytes"]) * MEGABYTE
    start = b'{"items":[],"pageDetails":'
    chunk = b" " * MEGABYTE
    parts = (start.ljust(MEGABYTE) if at == 0 else chunk for at in range(int(params["megabytes"])))
    return _streamed(connection, Answer(200, b"x"), size, parts)


def _deep(params: Params, connection: Connection, answer: Answer) -> bool:
    depth = int(params["depth"])
    connection.send(whole(Answer(200, b"[" * depth + b"]" * depth), keep=False))
    return False


def _add(number: str, name: str, says: str, deliver: Callable[..., bool], **defaults: Any) -> None:
    register(Kind(number, name, says, {**defaults, "applied": True}, deliver=deliver))


_add("F3", "body_hangs", "headers and a few bytes, then silence", _hang, seconds=30.0, sent=20)
_add("F4", "slow_drip", "one byte at a time", _drip, every=0.2, seconds=60.0)
_add("F5", "reset_mid_body", "half of the body, then a TCP reset", _cut)
_add("F6", "truncated_body", "a Content-Length longer than the body", _short, missing=0)
_add("F18", "gzip_bomb", "a small gzip body that unpacks to gigabytes", _bomb, megabytes=10_240)
_add("F18", "huge_body", "a body of two gigabytes", _huge, megabytes=2_048)
_add("F18", "deep_nesting", "a million nested arrays", _deep, depth=1_000_000)
_add("F1", "connection_dropped", "a TCP reset instead of any answer", _drop)
