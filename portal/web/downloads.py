"""Files that people take away: CSV tables and PDFs, with headers that keep them from acting as pages."""

from collections.abc import Iterable
from urllib.parse import quote

from flask import Response

PDF_START = b"%PDF-"
INERT = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"}
NO_PAGE = "sandbox; default-src 'none'; base-uri 'none'; frame-ancestors 'none'"


def table(name: str, lines: Iterable[str]) -> Response:
    """A CSV file in UTF-8 with a mark for Excel, sent as its lines come."""
    marked = (part.encode() for whole in (["\ufeff"], lines) for part in whole)
    return _named(Response(marked, mimetype="text/csv"), name, "attachment")


def is_pdf(data: bytes) -> bool:
    """Whether the bytes begin as a PDF does."""
    return data.startswith(PDF_START)


def pdf(name: str, data: bytes) -> Response:
    """A PDF that opens in the browser. The caller has checked `is_pdf`."""
    assert is_pdf(data)
    return _named(Response(data, mimetype="application/pdf"), name, "inline")


def png(name: str, data: bytes) -> Response:
    """A picture that we drew ourselves."""
    return _named(Response(data, mimetype="image/png"), name, "inline")


def _named(answer: Response, name: str, disposition: str) -> Response:
    plain = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-_. ") else "_" for sign in name)
    answer.headers["Content-Disposition"] = (
        f"{disposition}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    )
    answer.headers["Content-Security-Policy"] = NO_PAGE
    answer.headers.update(INERT)
    return answer
