"""Large files: worked on part by part in a worker, with few statements, and to their end whoever dies."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient

from jobs import uploads as job
from portal.csv_in import UnreadableFile
from portal.extensions import db
from portal.models import ImportFile, ImportKind, ImportRun, Tenant
from portal.uploads import steps, work
from tests import uploaded
from tests.uploads.conftest import URL, Desk

HEADING = "Invoice number,Customer,Invoice date,Item,Line amount\n"


def many(number: int) -> str:
    return HEADING + "".join(f"A-{n},Fabrikam,2026-11-01,Hosting,{n}.50\n" for n in range(1, number + 1))


def test_every_row_of_a_file_is_kept_however_many_blocks_it_is_read_in(desk: Desk) -> None:
    """And the row that is cut off is missed at the end of a long file, too."""
    words = many(3000)
    desk.inside(lambda: uploaded.staged(words, ImportKind.INVOICES))
    assert desk.rows(ImportFile, "rows") == [(3000,)]
    with pytest.raises(UnreadableFile, match="ends in the middle of a row"):
        desk.inside(lambda: uploaded.staged(f"{words}A-3001,Fab", ImportKind.INVOICES))


def test_a_large_file_waits_for_a_worker_while_its_page_says_how_far_it_is(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[Any] = []
    monkeypatch.setattr("portal.queue.bell", lambda *call: rung.append(call))
    monkeypatch.setattr(work, "AT_ONCE", 3)
    number = desk.look(many(5), by_pages=True)
    assert [call[1] for call in rung] == ["jobs.uploads.work_on"]
    assert "Looking at the records" in desk.page(number)
    assert "0 of 5 records" in desk.page(number)
    with desk.app.app_context():
        assert [one for _, one in work.due()] == [number]
        assert job.work_on(*rung[0][2:])
        assert not job.work_on(*rung[0][2:]), "it was worked on"
        assert work.due() == []
    desk.take(number)
    assert "Taking them in" in desk.page(number)
    with desk.app.app_context():
        assert job.work_on(*rung[-1][2:])
    assert len(desk.invoices()) == 5


@pytest.mark.parametrize("dies_in", ["check", "take"])
def test_a_worker_that_dies_in_the_middle_is_taken_over_and_nothing_is_done_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, superuser: psycopg.Connection[Any], dies_in: str
) -> None:
    monkeypatch.setattr(work, "AT_ONCE", 3)
    monkeypatch.setattr(steps, "RECORDS_AT_ONCE", 2)
    number = desk.look(many(5), by_pages=True)
    if dies_in == "take":
        desk.inside(lambda: work.work(number))
        desk.take(number)
    real, parts = getattr(steps, dies_in), []

    def die(*arguments: Any) -> Any:
        parts.append(1)
        if len(parts) == 2:
            raise SystemExit
        return real(*arguments)

    monkeypatch.setattr(steps, dies_in, die)
    with pytest.raises(SystemExit):
        desk.inside(lambda: work.work(number))
    assert not desk.inside(lambda: work.work(number)), "its lease goes on"
    superuser.execute("UPDATE import_file SET lease_until = now() - interval '1 second'")
    assert desk.inside(lambda: work.work(number))
    if dies_in == "check":
        desk.take(number)
        desk.inside(lambda: work.work(number))
    assert [row[0] for row in desk.invoices()] == [f"A-{n}" for n in range(1, 6)]
    assert desk.rows(ImportRun, "results") == [({"created": 5},)]


def test_a_file_that_cannot_be_looked_at_waits_for_a_person_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = desk.inside(lambda: uploaded.waiting(many(2), ImportKind.INVOICES).id)

    def fail(*_: Any) -> None:
        raise ArithmeticError

    monkeypatch.setattr(steps, "check", fail)
    with pytest.raises(ArithmeticError):
        desk.inside(lambda: work.work(number))
    assert desk.rows(ImportFile, "state", "lease_token") == [("staged", None)]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("C:\\files\\a.csv", "a.csv"), ("../../etc/x.csv", "x.csv"), ("a\x00b.csv", "a_b.csv"),
        ("\ud800.csv", "_.csv"), ("a\n\tb.csv", "a b.csv"), ("", "file.csv"), ("x" * 300 + ".csv", "x" * 96 + ".csv"),
    ],
)  # fmt: skip
def test_a_files_name_is_kept_as_text_without_its_folders(desk: Desk, name: str, kept: str) -> None:
    desk.inside(lambda: uploaded.staged("Name\nA\n", name=name))
    assert desk.rows(ImportFile, "name") == [(kept,)]


def test_more_records_cost_no_more_statements_within_a_part(
    desk: Desk, asked: Callable[[Callable[[], Any]], list[str]]
) -> None:
    def statements(rows: int, first: int) -> tuple[int, int, int]:
        words = many(rows).replace("A-", f"{first}-")
        made: list[int] = []
        looking = len(asked(lambda: made.append(desk.look(words))))
        taking = len(asked(lambda: desk.take(made[0])))
        return looking, taking, len(asked(lambda: desk.undo(made[0])))

    few, some = statements(5, 1), statements(300, 2)
    assert [more - less <= 2 for less, more in zip(few, some, strict=True)] == [True] * 3, (few, some)


def test_a_reader_looks_and_takes_nothing_in(desk: Desk, log_in: Callable[..., FlaskClient]) -> None:
    number = desk.look(many(1))
    with desk.app.app_context():
        reader = log_in(db.session.query(Tenant).one(), "reader")
    page = reader.get(f"{URL}/{number}").text
    assert "A-1" in page
    assert "Take in" not in page
    assert reader.post(f"{URL}/{number}/take").status_code == 403
    assert desk.rows(ImportFile, "state") == [("checked",)]
