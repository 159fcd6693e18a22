"""What every engine of ours does: errors that repeat no row."""

from typing import Any

import psycopg
from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

from portal import tracebacks


def prepare(engine: Engine) -> None:
    """To be called once for each engine."""
    event.listen(engine, "handle_error", _forget_rows)


def _forget_rows(context: ExceptionContext) -> None:
    """PostgreSQL's DETAIL repeats whole rows; whoever keeps the error's text would keep those."""
    error: Any = context.original_exception
    if isinstance(error, psycopg.Error):
        error.args = (tracebacks.said(error),)
        wrapped: Any = context.sqlalchemy_exception
        if wrapped is not None:
            kind = f"{type(error).__module__}.{type(error).__name__}"
            wrapped.args = (f"({kind}) {error.args[0]}",)
