"""Asks Autotask for the next pages while the one before is written; large reads in ranges of ids, side by side.

Threads ask in whatever order, pages are handed over by id. What a range holds is not known before: its width is
guessed from the one before it, and a wrong guess costs a call and never a record.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from queue import Queue
from typing import Any

from flask import current_app

from portal.autotask.client import Client
from portal.autotask.conditions import Condition, id_up_to
from portal.autotask.paging import LARGEST_PAGE, ids_of
from portal.connect.opening import PartnerClient, refuse_open_transaction
from portal.connect.slots import PLACES
from portal.extensions import db

Page = list[Any]
PAGES_A_RANGE = 3
ROWS_A_RANGE = PAGES_A_RANGE * LARGEST_PAGE
WORTH_IT = 2 * ROWS_A_RANGE  # so many records must be left before ranges are asked for


@dataclass(frozen=True)
class Source:
    """A query: `pages(client, conditions, after_id)` asks it, and brings about `expected` records.

    `time()` is a time of the database's clock that is past; clients beside the first are counted by `counted()`.
    """

    client: Client
    entity: str
    pages: Callable[[Client, list[Condition], int], Iterator[Page]]
    after_id: int
    expected: int
    time: Callable[[], datetime]
    counted: Callable[[Client], Any]


@dataclass(frozen=True)
class Came:
    """A page, and a time of the database's clock before it was asked for."""

    page: Page
    asked_at: datetime


@dataclass
class Range:
    """Ids above `low` up to `high`. What came of it ends with None, or with what went wrong.

    So many pages are asked for ahead as there is room. A `probe` finds out where ids go on: of an open range only the
    first page, if that is full.
    """

    low: int
    high: int | None = None
    probe: bool = False
    pages: int = 1
    is_cut: bool = False
    came: "Queue[Came | BaseException | None]" = field(default_factory=Queue)

    def __post_init__(self) -> None:
        self.room = threading.Semaphore(self.pages)


@contextmanager
def ahead(source: Source) -> Iterator[Iterator[Came]]:
    """The pages of a query, ascending by id.

    What goes wrong is raised in the place of its page, after the pages before it. Nobody waits for a page with a
    transaction open. Leaving the block early waits for the calls under way.
    """
    with ExitStack() as opened, ThreadPoolExecutor(PLACES, thread_name_prefix="read-ahead") as threads:
        readers = _Readers(source, threads, opened)
        try:
            yield _pages(source, readers)
        except BaseException:
            db.session.rollback()  # what the block had begun is lost with it; places must not stay taken for that
            raise
        finally:
            readers.stop()


def _pages(source: Source, readers: "_Readers") -> Iterator[Came]:
    if source.expected <= WORTH_IT:
        yield from readers.taken(readers.begin(Range(source.after_id)))
        return
    plan = _Plan(source.after_id, source.expected)
    under_way = deque[Range]()
    while True:
        refuse_open_transaction()
        while len(under_way) <= readers.number and (coming := plan.next(alone=not under_way)) is not None:
            readers.grow()
            under_way.append(readers.begin(coming))
        if not under_way:
            return
        at, rows, ids = under_way.popleft(), 0, list[int]()
        for came in readers.taken(at):
            rows, ids = rows + len(came.page), ids_of(came.page)
            yield came
        plan.learn(at, rows, ids)


class _Plan:
    """Which range of ids is asked for next."""

    def __init__(self, low: int, left: int) -> None:
        self._low, self._left = low, left
        self._width: int | None = None
        self._ended = False

    def next(self, *, alone: bool) -> Range | None:
        """None at the end, and while nobody knows where ids go on."""
        if self._ended or (self._width is None and not alone):
            return None
        if self._width is None:
            return Range(self._low, probe=True)
        if self._left <= ROWS_A_RANGE:
            self._ended = True
            return Range(self._low, pages=PAGES_A_RANGE)
        found = Range(self._low, self._low + self._width, pages=PAGES_A_RANGE)
        self._low += self._width
        self._left -= ROWS_A_RANGE
        return found

    def learn(self, at: Range, rows: int, last_ids: list[int]) -> None:
        """How many records a range brought; `last_ids` are those of its last page."""
        if at.probe:
            self._left -= rows
            self._ended = not at.is_cut or not last_ids
            if last_ids:
                self._low = max(last_ids)
                self._width = _width(rows, self._low - min(last_ids) + 1)
        elif at.high is not None:
            self._left += ROWS_A_RANGE - rows
            # Nearly nothing: there is a gap, and the next full page tells how far it goes.
            self._width = None if rows < ROWS_A_RANGE // 10 else _width(rows, at.high - at.low)


def _width(rows: int, ids: int) -> int:
    return max(ceil(ROWS_A_RANGE * ids / rows), 1)


class _Readers:
    """Threads, each with a client and a place of its own. They take ranges in the order in which these begin."""

    def __init__(self, source: Source, threads: ThreadPoolExecutor, opened: ExitStack) -> None:
        self._source, self._threads, self._opened = source, threads, opened
        self._app = current_app._get_current_object()  # type: ignore[attr-defined]
        self._waiting: Queue[Range | None] = Queue()
        self._stopping, self._begun = threading.Event(), list[Range]()
        self.number, self._is_whole = 0, False
        self._failed: BaseException | None = None
        self._start(source.client)

    def grow(self) -> None:
        """More clients, if there are free places for them when the second range begins."""
        first = self._source.client
        while self._begun and not self._is_whole:
            another = first.another() if isinstance(first, PartnerClient) else None
            self._is_whole = another is None or not another.slots.hold_if_free(self._source.entity)
            if another is None:
                return
            self._opened.callback(another.close)
            if not self._is_whole:
                self._opened.callback(another.slots.let_go, self._source.entity)
                self._opened.enter_context(self._source.counted(another))
                self._start(another)
                self._is_whole = self.number == PLACES

    def _start(self, client: Client) -> None:
        # A context of its own has a database session of its own, which is never used.
        self._threads.submit(copy_context().run, self._read_all, client)
        self.number += 1

    def begin(self, at: Range) -> Range:
        self._begun.append(at)
        self._waiting.put(at)
        return at

    def taken(self, at: Range) -> Iterator[Came]:
        """The pages of a range as they come."""
        while True:
            refuse_open_transaction()
            came = at.came.get()
            if came is None:
                self._begun.remove(at)
                return
            if isinstance(came, BaseException):
                raise came
            at.room.release()
            yield came

    def stop(self) -> None:
        self._stopping.set()
        for at in self._begun:
            at.room.release()
        for _ in range(self.number):
            self._waiting.put(None)

    def _read_all(self, client: Client) -> None:
        while (at := self._waiting.get()) is not None:
            if self._failed is not None:  # ranges are begun in order: this one lies behind what failed
                at.came.put(self._failed)
                continue
            try:
                with self._app.app_context():
                    self._ask(client, at)
                at.came.put(None)
            except BaseException as error:
                self._failed = error
                at.came.put(error)

    def _ask(self, client: Client, at: Range) -> None:
        conditions = [] if at.high is None else [id_up_to(at.high)]
        pages = self._source.pages(client, conditions, at.low)
        while True:
            at.room.acquire()
            asked_at = self._source.time()
            page = None if self._stopping.is_set() else next(pages, None)
            if page is None:
                return
            at.came.put(Came(page, asked_at))
            if at.probe and len(page) >= LARGEST_PAGE and ids_of(page):
                at.is_cut = True
                return
