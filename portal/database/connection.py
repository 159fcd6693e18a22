"""Connections to PostgreSQL that notice its absence within seconds, and errors that repeat no row."""

import socket
import struct
import time
from collections.abc import Generator
from typing import Any

import psycopg
from psycopg.errors import ConnectionTimeout
from psycopg.pq import TransactionStatus
from psycopg.waiting import Ready
from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

from portal.logs import tracebacks

# A frozen server keeps its connections and answers on none of them, and the network sees nothing wrong. So
# whoever waits this long asks on a connection of its own whether there is anybody, and goes on or gives up.
PATIENCE, PROBE_SECONDS = 1.0, 2.0
BELIEVED_SECONDS = 2.0  # for so long no new connection is tried after a server was found silent
WHAT_EVERY_SERVER_ANSWERS = struct.pack("!ii", 8, 80877103)  # the protocol's SSLRequest, before any login
SILENT = "PostgreSQL does not answer."

_found_silent: dict[tuple[str, int], float] = {}


class Watched(psycopg.Connection[Any]):
    """Waits for answers as long as the server answers others."""

    def wait(self, gen: Any, *timing: Any, **named: Any) -> Any:
        return super().wait(self._watch(gen), *timing, **named)

    def _watch(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        since = time.monotonic()
        try:
            state = next(gen)
            while True:
                came = yield state
                if came != Ready.NONE:
                    since = time.monotonic()
                elif time.monotonic() - since >= PATIENCE:
                    self._look_for_the_server()
                    since = time.monotonic()
                state = gen.send(came)
        except StopIteration as end:
            return end.value

    def _rollback_gen(self) -> Any:
        """Reading ends with a rollback; psycopg would forget its prepared statements, which outlive it in PostgreSQL.

        After an error they are forgotten: one of them may be at fault, as after a change of its table.
        """
        special = self._pipeline or self._tpc or self._num_transactions
        if self.pgconn.transaction_status == TransactionStatus.INTRANS and not special:
            yield from self._exec_command(b"ROLLBACK")
        else:
            yield from super()._rollback_gen()

    def _look_for_the_server(self) -> None:
        place = (self.info.hostaddr or self.info.host, self.info.port)
        if not answers(*place):
            _found_silent[self.info.host, self.info.port] = time.monotonic()
            self.pgconn.finish()
            raise psycopg.OperationalError(SILENT)


def prepare(engine: Engine) -> None:
    """To be called once for each engine."""
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "handle_error", _forget_rows)


def answers(host: str, port: int) -> bool:
    """Whether a PostgreSQL (or what stands in front of it) says a word there within two seconds."""
    try:
        with _dial(host, port) as connection:
            connection.settimeout(PROBE_SECONDS)
            connection.sendall(WHAT_EVERY_SERVER_ANSWERS)
            return bool(connection.recv(1))
    except OSError:
        return False


def _dial(host: str, port: int) -> socket.socket:
    if not host.startswith("/"):
        return socket.create_connection((host, port), PROBE_SECONDS)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PROBE_SECONDS)
    connection.connect(f"{host}/.s.PGSQL.{port}")
    return connection


def _connect(_: Any, __: Any, arguments: Any, options: dict[str, Any]) -> Watched:
    place = (str(options.get("host", "")), int(options.get("port") or 5432))
    if time.monotonic() - _found_silent.get(place, float("-inf")) < BELIEVED_SECONDS:
        raise psycopg.OperationalError(SILENT)
    try:
        return Watched.connect(*arguments, **options)
    except ConnectionTimeout:
        _found_silent[place] = time.monotonic()
        raise


def _forget_rows(context: ExceptionContext) -> None:
    """PostgreSQL's DETAIL repeats whole rows; whoever keeps the error's text would keep those."""
    error: Any = context.original_exception
    if isinstance(error, psycopg.Error):
        error.args = (tracebacks.said(error),)
        wrapped: Any = context.sqlalchemy_exception
        if wrapped is not None:
            kind = f"{type(error).__module__}.{type(error).__name__}"
            wrapped.args = (f"({kind}) {error.args[0]}",)
