"""Large files: worked on part by part in a worker, with few statements, and to their end whoever dies."""

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient

from jobs import uploads as job
from portal.access.tenancy import current_tenant_id
from portal.csv_in import UnreadableFile
from portal.extensions import db
from portal.models import Customer, ImportFile, ImportKind, ImportRun, Tenant
from portal.uploads import asking, judging, steps, undoing, work
from tests import factories, uploaded
from tests.faults import children
from tests.reading import words_of
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


def trying(desk: Desk, superuser: psycopg.Connection[Any], number: int) -> int:
    """Works on a file again and again, each time after its lease; how often that failed."""
    for failed in range(20):
        superuser.execute("UPDATE import_file SET lease_until = now() - interval '1 second'")
        try:
            desk.inside(lambda: work.work(number))
            return failed
        except ArithmeticError:
            pass
    raise AssertionError("It is tried for ever.")


def test_a_record_that_cannot_be_worked_on_is_passed_over_in_the_end_and_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, superuser: psycopg.Connection[Any]
) -> None:
    number = desk.look(many(5))
    judge, of_what = judging.judge, undoing._of_what

    def fail_taking(file: Any, places: Any, *, take: bool) -> Any:
        if 4 in places:
            raise ArithmeticError
        return judge(file, places, take=take)

    def fail_undoing(file: Any, kind: Any, rows: Any) -> Any:
        if any(row.place == 5 for row in rows):
            raise ArithmeticError
        return of_what(file, kind, rows)

    monkeypatch.setattr(work, "AT_ONCE", 0)
    monkeypatch.setattr(judging, "judge", fail_taking)
    monkeypatch.setattr(undoing, "_of_what", fail_undoing)
    desk.take(number)
    assert trying(desk, superuser, number) == work.MOST_TRIES
    assert desk.results(number) == {"created": 4, "refused": 1}
    assert "An error on our side kept this record from being taken in" in desk.page(number)
    desk.undo(number)
    assert trying(desk, superuser, number) == work.MOST_TRIES
    assert [row[0] for row in desk.invoices()] == ["A-4"]
    ((run, results),) = [one for one in desk.rows(ImportRun, "id", "results") if "created" not in one[1]]
    assert results == {"changed": 3, "refused": 1}
    told = words_of(desk.browser.get(f"/p/northwind/imports/{run}").text)
    assert "An error on our side kept this record from being undone" in told


def test_once_what_failed_lies_behind_parts_are_whole_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, superuser: psycopg.Connection[Any]
) -> None:
    number = desk.look(many(9))
    judge, sizes = judging.judge, list[int]()

    def fail_once(file: Any, places: Any, *, take: bool) -> Any:
        sizes.append(len(places))
        if len(sizes) == 1:
            raise ArithmeticError
        return judge(file, places, take=take)

    monkeypatch.setattr(work, "AT_ONCE", 0)
    monkeypatch.setattr(steps, "RECORDS_AT_ONCE", 3)
    monkeypatch.setattr(judging, "judge", fail_once)
    desk.take(number)
    assert trying(desk, superuser, number) == 1
    assert sizes == [3, 1, 1, 1, 3, 3]
    assert desk.results(number) == {"created": 9}


def waits_for_the_partners_lock(
    desk: Desk, superuser: psycopg.Connection[Any], act: Callable[[], Any], change: str
) -> None:
    """What is changed by another, while this waits for it, is seen by it."""
    tenant = desk.inside(lambda: current_tenant_id())
    with ThreadPoolExecutor(1) as threads:
        with superuser.transaction():
            superuser.execute("SELECT pg_advisory_xact_lock(8301, hashtext(%s))", (str(tenant),))
            acting = threads.submit(desk.inside, act)
            waiting = (
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid = 8301"
            )
            deadline = time.monotonic() + 20
            while superuser.execute(waiting).fetchone() == (0,):
                assert not acting.done(), "it does not wait"
                assert time.monotonic() < deadline
                time.sleep(0.01)
            superuser.execute(change)
        acting.result(timeout=20)


def test_what_stands_is_read_once_nobody_else_changes_it(
    desk: Desk, superuser: psycopg.Connection[Any]
) -> None:
    number = desk.look("Customer,City\nFabrikam,Portland\nAdatum,Portland\n", "customers")
    before: list[Any] = []

    def take() -> None:
        judged = judging.judge(db.session.query(ImportFile).one(), [2, 3], take=True)
        before.extend(one.before and one.before["phone"] for one in judged)
        db.session.rollback()

    waits_for_the_partners_lock(desk, superuser, take, "UPDATE customer SET phone = '9'")
    assert before == ["9", None]
    desk.take(number)
    assert desk.rows(Customer, "name", "phone") == [("Adatum", ""), ("Fabrikam", "9")]

    def undo() -> None:
        undoing.undo(db.session.query(ImportFile).one())
        db.session.commit()

    desk.inside(
        lambda: (asking.undo(factories.ACTOR, db.session.query(ImportFile).one()), db.session.commit())
    )
    waits_for_the_partners_lock(desk, superuser, undo, "SELECT 1")


def test_files_of_a_partner_are_taken_and_undone_one_at_a_time_as_they_were_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = desk.into(many(3))
    first, second = desk.look(many(4)), desk.look(many(5).replace(",1.50", ",7"))
    monkeypatch.setattr(work, "AT_ONCE", 0)
    for number in (first, second):
        desk.take(number)
    answer = desk.undo(taken)
    assert answer.status_code == 422
    assert "Another file is being taken in." in words_of(answer.text)
    assert not desk.inside(lambda: work.work(second)), "the one that was asked before it waits"
    for number in (first, second):
        assert desk.inside(lambda number=number: work.work(number))
    desk.undo(taken)
    assert desk.inside(lambda: work.work(taken))
    assert "A-1" in [row[0] for row in desk.invoices()], "another file changed it since"


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


def killed(
    desk: Desk, superuser: psycopg.Connection[Any], owner: Any, name: str, kills: Callable[..., bool]
) -> None:
    """Works on the file in three processes that the system kills in `name`, each after the one before."""
    tenant_id, number = desk.inside(lambda: db.session.query(ImportFile.tenant_id, ImportFile.id).one())

    def work_and_die() -> None:
        real = getattr(owner, name)

        def strike(*arguments: Any, **named: Any) -> Any:
            if kills(*arguments, **named):
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **named)

        setattr(owner, name, strike)
        work.work(number)

    for _ in range(3):
        assert children.start(desk.app, tenant_id, work_and_die).wait() == -signal.SIGKILL
        superuser.execute("UPDATE import_file SET lease_until = now() - interval '1 second'")


def test_a_record_that_kills_its_worker_three_times_is_passed_over_and_the_rest_is_taken_in(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, superuser: psycopg.Connection[Any]
) -> None:
    number = desk.look(many(5))
    monkeypatch.setattr(work, "AT_ONCE", 0)
    desk.take(number)
    killed(desk, superuser, judging, "judge", lambda _, places, **__: 4 in places)
    assert desk.inside(lambda: work.work(number))
    assert desk.results(number) == {"created": 4, "refused": 1}
    assert [row[0] for row in desk.invoices()] == ["A-1", "A-2", "A-4", "A-5"]
    assert "An error on our side kept this record from being taken in" in desk.page(number)


def test_a_file_that_kills_three_workers_who_look_at_it_is_refused_in_words(
    desk: Desk, superuser: psycopg.Connection[Any]
) -> None:
    """Nothing of it was taken in, and nobody works on it any more."""
    number = desk.inside(lambda: uploaded.waiting(many(2), ImportKind.INVOICES).id)
    killed(desk, superuser, steps, "check", lambda *_: True)
    assert not desk.inside(lambda: work.work(number))
    assert desk.rows(ImportFile, "state", "lease_token") == [("refused", None)]
    page = desk.page(number)
    assert "nothing of it was taken in" in page
    assert "Three times in a row the portal's own process died" in page
    assert "Upload another file" in page
    with desk.app.app_context():
        assert work.due() == []
    assert desk.invoices() == []
