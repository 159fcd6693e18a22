"""Writes one HTTP answer to a socket."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus

from sandbox.api.messages import Answer

NO_BODY = {204, 304}


def head(answer: Answer, keep: bool, length: int | None = None) -> bytes:
    """Status line and headers. `length` overrides the true Content-Length."""
    lines = [f"HTTP/1.1 {answer.status} {_reason(answer.status)}", f"Date: {formatdate(usegmt=True)}"]
    lines.append("Server: Microsoft-IIS/10.0")
    if answer.content_type and answer.body:
        lines.append(f"Content-Type: {answer.content_type}")
    if answer.status not in NO_BODY:
        lines.append(f"Content-Length: {len(answer.body) if length is None else length}")
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    lines.append("Connection: keep-alive" if keep else "Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def whole(answer: Answer, keep: bool, bare: bool = False) -> bytes:
    """The answer as it goes over a wire that is well; `bare` is for HEAD, which gets no body."""
    return head(answer, keep) + (b"" if bare or answer.status in NO_BODY else answer.body)
