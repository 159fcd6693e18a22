"""Claims that ended without an answer: whoever held a lease died, and what killed it is put aside at the third death.

A lease that ran out with its token still there was a dead process's. Whoever lives takes its token away, by whatever error
or wish to stop it leaves its work, and lets the lease run; a token from before PostgreSQL's start tells of that start. So
neither is a death. Tokens count the deaths before them, where the row has no column for it.
"""

import os
import random
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Text, func, literal_column, select, update
from sqlalchemy.exc import SQLAlchemyError

from portal.access.tenancy import people_scope, tenant_in_scope, tenant_scope
from portal.extensions import db

log = structlog.get_logger(__name__)
MOST_DEATHS = 3
# What is taken up again after a death ends its lease at a time of its own: what died beside it is at work without it then.
APART = timedelta(seconds=30)
# Which start of PostgreSQL a claim was made under, in microseconds.
SERVER_SQL = "CAST(CAST(extract(epoch FROM pg_postmaster_start_time()) * 1000000 AS bigint) AS text)"
SERVER: ColumnElement[str] = literal_column(SERVER_SQL, Text())


@dataclass(frozen=True)
class Held:
    """A row in this process's hands."""

    model: Any
    row_id: int
    token: str
    tenant_id: int | None
    thread: int


_held: dict[str, Held] = {}
_changing = threading.Lock()
_here = threading.local()
os.register_at_fork(after_in_child=_held.clear)


def take(model: Any, row_id: int, server: str, deaths: int = 0) -> str:
    """A token for this row, which the caller writes; inside living() the row is in this thread's hands from now on."""
    token = f"{deaths}-{server}-{secrets.token_hex(8)}"
    if getattr(_here, "living", False):
        with _changing:
            _held[token] = Held(model, row_id, token, tenant_in_scope(), threading.get_ident())
    return token


def answered(*tokens: str) -> None:
    """What became of them is written down and committed."""
    with _changing:
        for token in tokens:
            _held.pop(token, None)


def deaths(token: str | None, server: str) -> int:
    """How many holders died in a row, the last of them with this token, which stands in a row whose lease ran out."""
    before, _, rest = (token or "").partition("-")
    return int(before) + 1 if rest.startswith(f"{server}-") else 0


def deaths_before(token: str) -> int:
    """How many died before the holder of this token."""
    return int(token.partition("-")[0])


def of_this_server(token: Any) -> Any:
    """As a condition: it was taken under the running PostgreSQL, so that who left it there died."""
    return token.like(func.concat("%-", SERVER, "-%"))


def longer(deaths: int) -> timedelta:
    """So much longer is the lease of what was taken up after deaths."""
    return APART * random.random() if deaths else timedelta(0)  # noqa: S311


@contextmanager
def living() -> Iterator[None]:
    """Whoever comes out of this block lives: what its thread holds still is left to others, and nobody died of it."""
    me = threading.get_ident()
    _here.living = True
    try:
        yield
    finally:
        _here.living = False
        _leave(lambda one: one.thread == me)


def told_to_stop() -> None:
    """What the threads of this process hold is left to others, once their time is over."""
    _leave(lambda _: True)


def _leave(which: Callable[[Held], bool]) -> None:
    with _changing:
        mine = [one for one in _held.values() if which(one)]
    if not mine:
        return
    try:
        db.session.rollback()
        for one in mine:
            _take_away(one)
            answered(one.token)
    except SQLAlchemyError as error:  # the database is away: its next start tells, or this process does later
        log.warning("claims.not_left", claims=len(mine), error=type(error).__name__)


def _take_away(one: Held) -> None:
    """The token goes, the lease stays: a write may be on its way. Waits for nobody who works on the row."""
    model = one.model
    with tenant_scope(one.tenant_id) if one.tenant_id else people_scope():
        free = select(model.id).where(
            model.tenant_id == one.tenant_id, model.id == one.row_id, model.lease_token == one.token
        )
        mine = free.with_for_update(skip_locked=True).scalar_subquery()
        db.session.execute(
            update(model)
            .where(model.tenant_id == one.tenant_id, model.id == mine)
            .values(lease_token=None)
            .execution_options(synchronize_session=False)
        )
        db.session.commit()
