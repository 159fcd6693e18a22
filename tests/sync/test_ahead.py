"""Pages are asked for while the one before is written, large reads side by side: order, errors, leaving early, counts."""

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from portal.autotask.errors import Unavailable
from portal.database.outside_transaction import TransactionOpen
from portal.extensions import db
from portal.models import Invoice, InvoiceLine
from portal.sync import ahead, read_pages
from portal.sync.ahead import ROWS_A_RANGE, WORTH_IT, Source
from sandbox import Sandbox
from tests.sync.conftest import rows, sync

PAGES = [[1], [2], [3], [4]]
NOW = datetime(2026, 11, 30, tzinfo=UTC)


class Asked:
    """Pages, and how many of them were asked for. A page of None fails."""

    def __init__(self, pages: list[Any]) -> None:
        self.count, self.changed, self.pages = 0, threading.Condition(), pages

    def each(self, *_: Any) -> Iterator[list[Any]]:
        for page in self.pages:
            with self.changed:
                self.count += 1
                self.changed.notify_all()
            if page is None:
                raise Unavailable("Autotask is away.")
            yield page

    def ahead(self) -> Any:
        return ahead.ahead(source(self.each, expected=0))

    def reaches(self, count: int) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: self.count >= count, 10)


def source(pages: Any, expected: int) -> Source:
    return Source(None, "Invoices", pages, 0, expected, lambda: NOW, lambda _: nullcontext())  # type: ignore[arg-type]


class Ids:
    """A query over these ids, in pages of 500. Notes the calls: (above, up to, how many came)."""

    def __init__(self, ids: list[int]) -> None:
        self.ids, self.calls = ids, list[tuple[int, int | None, int]]()

    def pages(self, _: Any, conditions: list[Any], after: int) -> Iterator[list[Any]]:
        high = conditions[0]["value"] if conditions else None
        found = [id for id in self.ids if id > after and (high is None or id <= high)]
        for start in range(0, max(len(found), 1), 500):
            page = found[start : start + 500]
            self.calls.append((after, high, len(page)))
            if page:
                yield [{"id": id} for id in page]

    def read(self, expected: int | None = None) -> list[int]:
        wanted = source(self.pages, len(self.ids) if expected is None else expected)
        with ahead.ahead(wanted) as pages:
            return [row["id"] for came in pages for row in came.page]


DENSE = list(range(1, 12_001))
WITH_GAPS = [*range(1, 4_001), *range(500_000, 504_000), *range(9_000_000, 9_003_000)]
SPARSE = list(range(7, 500_000, 37))
EVER_DENSER = [int(number**0.5 * 1000) for number in range(1, 9_000)]
EVER_SPARSER = [number * number for number in range(1, 9_000)]


@pytest.mark.parametrize(
    "ids", [DENSE, WITH_GAPS, SPARSE, EVER_DENSER, EVER_SPARSER], ids=lambda ids: str(ids[-1])
)
@pytest.mark.parametrize("off", [0.4, 1, 3])
def test_ranges_bring_every_record_once_and_in_order_whatever_was_expected(partner, ids, off) -> None:
    ids = sorted(set(ids))
    query = Ids(ids)
    assert query.read(int(len(ids) * off)) == ids


def test_dense_ids_cost_no_call_more_and_others_few(partner) -> None:
    """Requests are the scarce thing: at most one in five is lost by guessing."""
    for ids, most in ((DENSE, 24), (SPARSE, 33), (WITH_GAPS, 32)):
        query = Ids(ids)
        query.read()
        assert len(query.calls) <= most, query.calls


def test_a_small_read_is_one_query(partner) -> None:
    query = Ids(list(range(1, WORTH_IT)))
    query.read()
    assert {call[:2] for call in query.calls} == {(0, None)}


def test_what_waits_to_be_written_stays_bounded(partner) -> None:
    """Memory is flat: however fast Autotask answers, four ranges at most are under way."""
    query = Ids(list(range(1, 30_001)))
    with ahead.ahead(source(query.pages, 30_000)) as pages:
        written = 0
        for came in pages:
            written += len(came.page)
            asked = sum(count for _, _, count in list(query.calls))
            assert asked - written <= 4 * ROWS_A_RANGE


def test_one_page_is_asked_for_ahead_and_never_two(partner) -> None:
    asked, seen = Asked(PAGES), []
    with asked.ahead() as pages:
        for number, came in enumerate(pages, 1):
            seen.append(came.page)
            assert asked.reaches(min(number + 1, len(PAGES)))
            assert asked.count <= number + 1
    assert seen == PAGES


def test_what_goes_wrong_is_raised_in_the_place_of_its_page(partner) -> None:
    with Asked([[1], [2], None]).ahead() as pages:
        assert [next(pages).page, next(pages).page] == [[1], [2]]
        with pytest.raises(Unavailable):
            next(pages)


def test_leaving_early_ends_the_threads(partner) -> None:
    with Asked(PAGES).ahead() as pages:
        next(pages)
        assert _reading()
    assert not _reading()
    with ahead.ahead(source(Ids(DENSE).pages, len(DENSE))) as pages:
        next(pages)
    assert not _reading()


def _reading() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def test_nobody_waits_for_a_page_with_a_transaction_open(partner) -> None:
    with Asked(PAGES).ahead() as pages:
        db.session.execute(text("SELECT 1"))
        with pytest.raises(TransactionOpen):
            next(pages)
        db.session.rollback()


def test_a_large_read_asks_side_by_side_and_never_four_at_once(
    partner, large: Sandbox, connect, monkeypatch
) -> None:
    """Rule 3.6: three at a time; two where payments go, so that none queues behind reading."""
    large.switches.latency = 0.05
    large.add_other_usage(5000)  # Autotask slows down from half of the budget on
    monkeypatch.setattr("portal.connect.usage.Budget.before_call", lambda *_: None)

    run = sync(connect(large))

    assert run.state == "completed", run.error
    assert large.stats.max_parallel("BillingItems") == 3
    assert large.stats.max_parallel("Invoices") == 2
    assert len(rows(Invoice)) == len(large.rows("Invoices"))
    assert run.items["line_items"]["created"] == len(rows(InvoiceLine))
    assert run.api_calls == len(large.requests)


def test_a_large_read_that_was_stopped_goes_on_after_its_last_page(
    partner, large: Sandbox, connect, monkeypatch
) -> None:
    """S5, side by side: what was asked for ahead and not written is asked for again, and nothing else."""
    real, seen = read_pages._take_in, []

    def failing(running: Any, client: Any, step: Any, resource: Any, *rest: Any) -> None:
        if resource.entity == "BillingItems":
            seen.append(step.last_id)
            if len(seen) == 5:
                raise Unavailable("Autotask is away.")
        real(running, client, step, resource, *rest)

    monkeypatch.setattr(read_pages, "_take_in", failing)
    monkeypatch.setattr("portal.sync.perform.SHORT_PAUSES", (0,))
    integration = connect(large)
    run = sync(integration)
    assert run.state == "waiting"
    assert run.checkpoint["steps"]["lines"]["last_id"] == seen[-1]

    from portal.sync import perform

    perform.perform(run.id)
    db.session.commit()
    assert one_state(run.id) == "completed"
    assert len(rows(InvoiceLine)) == run.items["line_items"]["created"]
    assert seen == sorted(seen)


def one_state(run_id: int) -> str:
    from portal.sync import runs

    db.session.expire_all()
    return runs.get(run_id).state


@pytest.fixture
def large(app) -> Iterator[Sandbox]:
    """More invoices and lines than are worth one query at a time."""
    with Sandbox(customers=20, invoices=WORTH_IT + 700) as running:
        app.config["AUTOTASK_DISCOVERY_URL"] = running.discovery_url
        app.config["AUTOTASK_TRUSTED_HOSTS"] = ["127.0.0.1"]
        yield running


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
