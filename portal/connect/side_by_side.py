"""Calls to one endpoint side by side: each thread has a client and a place of its own, so never more than three."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

from flask import current_app

from portal.autotask.client import Client
from portal.connect import slots
from portal.connect.opening import PartnerClient
from portal.connect.slots import PLACES
from portal.extensions import db

Item = TypeVar("Item")
Result = TypeVar("Result")


class Crew:
    """The clients at work. The first has its place for as long as the crew; the others come while places are free."""

    def __init__(self, client: Client, endpoint: str, threads: ThreadPoolExecutor) -> None:
        self.clients: list[Client] = [client]
        self._first, self._endpoint, self._threads = client, endpoint, threads

    @contextmanager
    def grown_to(self, wanted: int) -> Iterator[None]:
        """With so many clients inside the block, or as many as have a place now; nobody waits for one."""
        try:
            while len(self.clients) < min(wanted, PLACES) and self._grow():
                pass
            yield
        except BaseException:
            db.session.rollback()  # what the block had begun is lost with it; places must not stay taken for that
            raise
        finally:
            while len(self.clients) > 1:
                self._let_go(self.clients.pop())

    def each(
        self, work: Callable[[Client, Item], Result], items: Sequence[Item], stop: Callable[[], bool]
    ) -> list[Result | None]:
        """`work(client, item)` for each item; None for those that were not begun when `stop()` became true.

        Raises what `work` raises, once all threads are done.
        """
        found: list[Result | None] = [None] * len(items)
        coming, failed = iter(range(len(items))), threading.Event()
        turn = threading.Lock()

        def go_on(client: Client) -> None:
            while not failed.is_set() and not stop():
                with turn:
                    number = next(coming, None)
                if number is None:
                    return
                try:
                    found[number] = work(client, items[number])
                except BaseException:
                    failed.set()
                    raise

        others = [self._begin(go_on, client) for client in self.clients[1 : len(items)]]
        try:
            go_on(self._first)
        finally:
            failures = [one.exception() for one in others]
        for failure in filter(None, failures):
            raise failure
        return found

    def _begin(self, go_on: Callable[[Client], None], client: Client):  # type: ignore[no-untyped-def]
        """In a thread with a context of its own, so that its database session is another one."""
        app, context = current_app._get_current_object(), copy_context()  # type: ignore[attr-defined]

        def inside() -> None:
            with app.app_context():
                go_on(client)

        return self._threads.submit(context.run, inside)

    def _grow(self) -> bool:
        if not isinstance(self._first, PartnerClient):
            return False
        another = self._first.another()
        if not another.slots.hold_if_free(self._endpoint):
            another.close()
            return False
        self.clients.append(another)
        return True

    def _let_go(self, client: Client) -> None:
        assert isinstance(client, PartnerClient)
        client.slots.let_go(self._endpoint)
        client.close()


@contextmanager
def crew(client: Client, endpoint: str) -> Iterator[Crew]:
    """A crew whose first client has its place; waits for that as long as its purpose may."""
    with slots.held(client, endpoint), ThreadPoolExecutor(PLACES, thread_name_prefix="calls") as threads:
        yield Crew(client, endpoint, threads)
