"""Tables that people take away whole: streamed row by row, however many there are, as they stood at one instant."""

import csv
import io
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from flask import Response, g, request
from sqlalchemy import Select
from sqlalchemy.orm import Session
from werkzeug.exceptions import ServiceUnavailable, UnprocessableEntity

from portal import plain_text
from portal.access import audit, tenancy
from portal.extensions import db
from portal.queries import refused_filters
from portal.web import downloads
from portal.web.csv_cells import csv_text

# Rows that are held at a time; the database keeps the rest behind a cursor.
CHUNK = 500
# Characters of a filter that are kept in the activity log.
LONGEST = 100
CUT = (
    "THIS FILE IS INCOMPLETE: the portal failed while it was written. Do not use it; download it once more.",
)

BUSY = (
    "Other files are being downloaded at the moment, and this one would keep the pages waiting. Nothing was lost: "
    "download it again in half a minute."
)

log = structlog.get_logger()


@dataclass(frozen=True)
class Table:
    """A file of rows. `statement` has an order and no limit; `prepared` may look up more for a chunk of rows."""

    name: str
    columns: Sequence[str]
    statement: Select[Any]
    cells: Callable[[Any], Sequence[object]]
    prepared: Callable[[Session, Sequence[Any]], Sequence[Any]] = lambda _, rows: rows


class Place:
    """One of the files that a process may write at once: whoever reads slowly leaves a connection to the pages."""

    _lock = threading.Lock()
    _taken = 0

    def __init__(self) -> None:
        """Raises ServiceUnavailable when all are taken."""
        most = max(db.engine.pool.size() - 1, 1)  # type: ignore[attr-defined]
        with Place._lock:
            if Place._taken >= most:
                raise ServiceUnavailable(BUSY, retry_after=30)
            Place._taken += 1
        self._held = True

    def free(self) -> None:
        with Place._lock:
            Place._taken -= self._held
            self._held = False


def send(table: Table) -> Response:
    """The file as it is written. Tells the audit log and commits; the first rows are read before the answer
    begins, so that what fails until then is a page. Later faults end the answer in the middle.

    Raises ServiceUnavailable while the process writes as many files as it may, and UnprocessableEntity for a filter
    that there is not: a file has no place to say so.
    """
    if table.statement._limit_clause is not None:
        raise ValueError(f"{table.name} would be cut")
    if unknown := refused_filters.of_file(request.endpoint, request.args):
        told = ". ".join(unknown)
        raise UnprocessableEntity(f"{told}. There is no file: it would hold other rows than were asked for.")
    chosen = {
        name: value[:LONGEST]
        for name, value in request.args.items()
        if value and len(name) <= LONGEST and plain_text.is_text(name + value)
    }
    place = Place()
    try:
        audit.record(g.actor, "file.downloaded", "file", None, file=table.name, chosen=chosen)
        db.session.commit()
        lines = _lines(table, g.partner.id, log.bind(**structlog.contextvars.get_contextvars()), place)
        first = next(lines)
    except BaseException:
        place.free()
        raise
    answer = downloads.table(table.name, _all(first, lines))
    answer.call_on_close(lines.close)
    return answer


def _all(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _lines(table: Table, tenant_id: int, log: Any, place: Place) -> Generator[str]:
    """The header with the first chunk, then chunk by chunk; one line to `log` at the end, whatever it is."""
    written, event = 0, "export.abandoned"
    try:
        with _snapshot(tenant_id) as session:
            text = _csv([table.columns])
            for rows in _chunks(session, table):
                text += _csv(table.cells(row) for row in rows)
                written += len(rows)
                yield text
                text = ""
            if text:
                yield text
        event = "export.sent"
    except GeneratorExit:
        raise
    except BaseException:
        event = "export.failed"
        if written:
            yield _csv([CUT])
        raise
    finally:
        place.free()
        log.info(event, file=table.name, tenant_id=tenant_id, rows=written)


def _chunks(session: Session, table: Table) -> Iterator[Sequence[Any]]:
    found = session.execute(table.statement.execution_options(yield_per=CHUNK))
    for rows in found.partitions():
        yield table.prepared(session, [row[0] if len(row) == 1 else row for row in rows])


@contextmanager
def _snapshot(tenant_id: int) -> Iterator[Session]:
    """A read-only transaction of its own on one partner's rows: the request's ends when the answer begins."""
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with db.engine.connect().execution_options(**options) as connection, Session(bind=connection) as session:
        tenancy.enter(session.connection(), tenant_id)
        yield session


def _csv(rows: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([csv_text(cell) for cell in row] for row in rows)
    return text.getvalue()
