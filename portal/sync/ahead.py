"""Asks Autotask for the next page while the one before is written."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from flask import current_app

from portal.connect.opening import refuse_open_transaction

Page = list[Any]


@contextmanager
def one_ahead(pages: Iterator[Page]) -> Iterator[Iterator[Page]]:
    """The same pages; each is asked for, in a thread, once the one before is handed over.

    What goes wrong is raised in the place of its page, after the pages before it. Nobody waits for a page with a
    transaction open. Leaving the block early waits for the call under way.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
        yield _handed_over(reader, pages)


def _handed_over(reader: ThreadPoolExecutor, pages: Iterator[Page]) -> Iterator[Page]:
    app = current_app._get_current_object()  # type: ignore[attr-defined]

    def ask() -> Page | None:
        # A context of its own has a database session of its own, which is never used.
        with app.app_context():
            return next(pages, None)

    coming = reader.submit(ask)
    while True:
        refuse_open_transaction()
        page = coming.result()
        if page is None:
            return
        coming = reader.submit(ask)
        yield page
