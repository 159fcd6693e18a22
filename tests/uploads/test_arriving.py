"""Large files are kept as they were sent while a person waits, and taken apart in a worker."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from jobs import uploads as job
from portal.models import ImportFile, ImportFileRow, StoredFile
from portal.uploads import arriving, staging, work
from tests.reading import words_of
from tests.uploads.conftest import URL, Desk
from tests.uploads.test_work import many, trying

Rung = list[Any]


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> Rung:
    found: Rung = []
    monkeypatch.setattr("portal.queue.bell", lambda *call: found.append(call))
    monkeypatch.setattr(arriving, "AT_ONCE", 1000)
    monkeypatch.setattr(arriving, "BLOCK", 700)
    return found


@pytest.fixture
def arrived(desk: Desk, rung: Rung) -> int:
    """A file that is kept and not read yet."""
    desk.choose(many(60))
    ((number,),) = desk.rows(ImportFile, "id")
    return int(number)


def page(desk: Desk) -> str:
    ((number,),) = desk.rows(ImportFile, "id")
    return words_of(desk.browser.get(f"{URL}/{number}").text)


def test_a_large_file_is_here_at_once_and_read_by_a_worker(desk: Desk, rung: Rung) -> None:
    words = many(100)
    answer = desk.choose(words, name="large.csv")
    ((number, state),) = desk.rows(ImportFile, "id", "state")
    assert (answer.status_code, answer.location, state) == (303, f"{URL}/{number}", "arriving")
    assert len(desk.rows(StoredFile, "id")) == len(words) // 700 + 1
    assert "Reading the file. Then you say which column is what." in page(desk)
    assert "Being read" in words_of(desk.browser.get("/p/northwind/imports").text)
    assert desk.browser.get(f"{URL}/{number}/columns").location == f"{URL}/{number}"
    with desk.app.app_context():
        assert [one for _, one in work.due()] == [number]
        assert job.work_on(*rung[0][2:])
        assert work.due() == []
    assert "Say which column is what" in page(desk)
    assert "100 rows" in page(desk)
    assert len(desk.rows(ImportFileRow, "id")) == 100
    assert desk.rows(StoredFile, "id") == []
    assert [call[1] for call in rung] == ["jobs.uploads.work_on"]


def test_what_a_worker_cannot_read_is_told_on_its_page_and_can_be_thrown_away(desk: Desk, rung: Rung) -> None:
    desk.choose(many(60) + "A-61,Fab")
    with desk.app.app_context():
        assert job.work_on(*rung[0][2:])
    assert (
        "This file cannot be read, and nothing of it was taken in The file ends in the middle of a row"
        in page(desk)
    )
    assert desk.rows(ImportFileRow, "id") == desk.rows(StoredFile, "id") == []
    ((number,),) = desk.rows(ImportFile, "id")
    desk.browser.post(f"{URL}/{number}/discard")
    assert desk.rows(ImportFile, "id") == []


def test_one_of_another_kind_is_refused_before_it_is_kept(desk: Desk, rung: Rung) -> None:
    answer = desk.choose(b"PK\x03\x04" + b"x" * 5000, name="book.xlsx")
    assert answer.status_code == 422
    assert "an Excel workbook" in words_of(answer.text)
    assert desk.rows(ImportFile, "id") == desk.rows(StoredFile, "id") == []


def test_an_error_of_ours_is_not_tried_for_ever(
    desk: Desk, arrived: int, monkeypatch: pytest.MonkeyPatch, superuser: psycopg.Connection[Any]
) -> None:
    def fail(*_: Any) -> None:
        raise ArithmeticError

    with monkeypatch.context() as broken:
        broken.setattr(staging, "fill", fail)
        assert trying(desk, superuser, arrived) == work.MOST_TRIES
    assert "because of an error in the portal itself" in page(desk)
    assert desk.rows(StoredFile, "id") == []


def test_a_worker_that_dies_while_it_reads_is_taken_over(
    desk: Desk, arrived: int, monkeypatch: pytest.MonkeyPatch, superuser: psycopg.Connection[Any]
) -> None:
    def die(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as broken:
        broken.setattr(staging, "fill", die)
        with pytest.raises(SystemExit):
            desk.inside(lambda: work.work(arrived))
    assert not desk.inside(lambda: work.work(arrived)), "its lease goes on"
    superuser.execute("UPDATE import_file SET lease_until = now() - interval '1 second'")
    assert desk.inside(lambda: work.work(arrived))
    assert desk.rows(ImportFile, "state", "rows") == [("staged", 60)]


def test_while_one_is_read_for_longer_than_its_lease_nobody_waits_for_it(
    desk: Desk, arrived: int, superuser: psycopg.Connection[Any]
) -> None:
    """Whoever finds the lease ended takes nothing over, and keeps nobody from the partner's customers."""
    with ThreadPoolExecutor(1) as threads, superuser.transaction():
        superuser.execute("SELECT FROM import_file FOR UPDATE")
        claimed = threads.submit(desk.inside, lambda: work.work(arrived))
        assert claimed.result(timeout=5) is False
