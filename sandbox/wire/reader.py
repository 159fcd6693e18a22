"""Reads one HTTP request from a socket."""

from __future__ import annotations

from typing import BinaryIO

from sandbox.api.messages import Call

LONGEST_LINE = 64 * 1024
MOST_HEADERS = 100
LARGEST_BODY = 20 * 1024 * 1024


class BadRequest(Exception):
    """The bytes are no HTTP request that this server takes; the status says which."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def read_call(stream: BinaryIO, send: object, base: str) -> Call | None:
    """The next request, or None when the client is done. Raises BadRequest."""
    line = stream.readline(LONGEST_LINE)
    if not line.strip():
        return None
    words = line.decode("latin-1").split()
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequest(400, "not an HTTP/1.1 request line")
    if len(line) >= LONGEST_LINE:
        raise BadRequest(414, "request line too long")
    headers = _headers(stream)
    if headers.get("expect", "").lower() == "100-continue":
        send(b"HTTP/1.1 100 Continue\r\n\r\n")  # type: ignore[operator]
    headers[":version"] = words[2]
    host = headers.get("host", "")
    return Call(words[0], words[1], headers, _body(stream, headers), f"http://{host}" if host else base)


def _headers(stream: BinaryIO) -> dict[str, str]:
    headers: dict[str, str] = {}
    for _ in range(MOST_HEADERS + 1):
        line = stream.readline(LONGEST_LINE)
        if line in (b"\r\n", b"\n", b""):
            return headers
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise BadRequest(400, "header without a colon")
        headers[name.strip().lower()] = value.strip()
    raise BadRequest(431, "too many headers")


def _body(stream: BinaryIO, headers: dict[str, str]) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return _chunked(stream)
    text = headers.get("content-length", "0")
    if not text.isdigit() or int(text) > LARGEST_BODY:
        raise BadRequest(413 if text.isdigit() else 400, "body length")
    return stream.read(int(text)) if text != "0" else b""


def _chunked(stream: BinaryIO) -> bytes:
    parts: list[bytes] = []
    total = 0
    while True:
        size = _chunk_size(stream.readline(LONGEST_LINE))
        total += size
        if total > LARGEST_BODY:
            raise BadRequest(413, "body length")
        if size == 0:
            while stream.readline(LONGEST_LINE) not in (b"\r\n", b"\n", b""):
                pass
            return b"".join(parts)
        parts.append(stream.read(size))
        stream.readline(8)


def _chunk_size(line: bytes) -> int:
    try:
        return int(line.split(b";")[0], 16)
    except ValueError as error:
        raise BadRequest(400, "chunk size") from error
