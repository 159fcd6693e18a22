"""Files that people take away: CSV tables and PDFs, with headers that keep them from acting as pages."""

import csv
import io
from collections.abc import Iterable, Sequence
from urllib.parse import quote

import structlog
from flask import Response

from portal.formatters import csv_text

PDF_START = b"%PDF-"
INERT = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"}
NO_PAGE = "sandbox; default-src 'none'"

log = structlog.get_logger(__name__)


def table(name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """A CSV file in UTF-8 with a mark for Excel; every cell is made harmless for spreadsheets."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([csv_text(cell) for cell in row] for row in rows)
    log.info("export.made", file=name)
    answer = Response("\ufeff" + text.getvalue(), mimetype="text/csv")
    return _named(answer, name, "attachment")


def is_pdf(data: bytes) -> bool:
    """Whether the bytes begin as a PDF does."""
    return data.startswith(PDF_START)


def pdf(name: str, data: bytes) -> Response:
    """A PDF that opens in the browser. The caller has checked `is_pdf`."""
    assert is_pdf(data)
    return _named(Response(data, mimetype="application/pdf"), name, "inline")


def _named(answer: Response, name: str, disposition: str) -> Response:
    plain = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-_. ") else "_" for sign in name)
    answer.headers["Content-Disposition"] = (
        f"{disposition}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    )
    answer.headers["Content-Security-Policy"] = NO_PAGE
    answer.headers.update(INERT)
    return answer
