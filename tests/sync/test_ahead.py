"""A page is asked for while the one before is written: order, errors, leaving early, and how old a page is."""

import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text

from portal.autotask.errors import Unavailable
from portal.database.outside_transaction import TransactionOpen
from portal.extensions import db
from portal.sync import read_pages
from portal.sync.ahead import one_ahead
from sandbox import Sandbox
from tests.sync.conftest import sync

PAGES = [[1], [2], [3], [4]]


class Asked:
    """Pages, and how many of them were asked for. A page of None fails."""

    def __init__(self, pages: list[Any]) -> None:
        self.count, self.changed = 0, threading.Condition()
        self.pages = self._each(pages)

    def _each(self, pages: list[Any]) -> Iterator[list[Any]]:
        for page in pages:
            with self.changed:
                self.count += 1
                self.changed.notify_all()
            if page is None:
                raise Unavailable("Autotask is away.")
            yield page

    def reaches(self, count: int) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: self.count >= count, 10)


def test_one_page_is_asked_for_ahead_and_never_two(partner) -> None:
    asked, seen = Asked(PAGES), []
    with one_ahead(asked.pages) as pages:
        for number, page in enumerate(pages, 1):
            seen.append(page)
            assert asked.reaches(min(number + 1, len(PAGES)))
            assert asked.count <= number + 1
    assert seen == PAGES


def test_what_goes_wrong_is_raised_in_the_place_of_its_page(partner) -> None:
    with one_ahead(Asked([[1], [2], None]).pages) as pages:
        assert [next(pages), next(pages)] == [[1], [2]]
        with pytest.raises(Unavailable):
            next(pages)


def test_leaving_early_ends_the_thread(partner) -> None:
    with one_ahead(Asked(PAGES).pages) as pages:
        next(pages)
        assert _reading()
    assert not _reading()


def _reading() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def test_nobody_waits_for_a_page_with_a_transaction_open(partner) -> None:
    with one_ahead(Asked(PAGES).pages) as pages:
        db.session.execute(text("SELECT 1"))
        with pytest.raises(TransactionOpen):
            next(pages)
        db.session.rollback()


def test_a_page_never_counts_as_newer_than_its_request(empty: Sandbox, connect, monkeypatch) -> None:
    """A value read earlier never overwrites one read later, such as a delivery's read-back."""
    company = empty.add_company(companyName="Contoso")
    for _ in range(1100):
        empty.add_invoice(companyID=company, invoiceTotal="10.00")
    integration = connect(empty)
    read_at: list[datetime] = []
    real = read_pages._take_in

    def noting(running: Any, client: Any, step: Any, resource: Any, *rest: Any) -> None:
        if resource.entity == "Invoices":
            read_at.append(running.clock.read_at)
        real(running, client, step, resource, *rest)

    monkeypatch.setattr(read_pages, "_take_in", noting)
    sync(integration)

    asked_at = [call.at for call in empty.calls("Invoices") if call.verb in ("query", "next")]
    assert len(read_at) == len(asked_at) == 3
    assert all(ours <= theirs for ours, theirs in zip(read_at, asked_at, strict=True))
