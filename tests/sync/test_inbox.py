"""The exceptions inbox: try one or all again, resolve many with a reason, undo, and the count in the menu."""

from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from portal.models import AuditEvent, ExceptionItem, Integration, Invoice, SyncRun
from portal.sync import perform
from sandbox import Sandbox
from tests.reading import element
from tests.sync.conftest import rows, sync

Browse = Callable[..., FlaskClient]
At = Callable[[str], str]


@pytest.fixture
def three_bad(connect: Callable[..., Integration], empty: Sandbox) -> list[int]:
    """Three of sixty invoices cannot be read; the others are here. Gives the ids of the three."""
    company = empty.add_company(companyName="Contoso")
    keys = [empty.add_invoice(companyID=company, invoiceTotal="10.00") for _ in range(60)]
    for key in keys[:3]:
        empty.change_invoice(key, companyID=None)
    sync(connect(empty))
    return keys[:3]


def mend(sandbox: Sandbox, keys: list[int]) -> None:
    for key in keys:
        sandbox.change_invoice(key, companyID=sandbox.rows("Companies")[-1]["id"])


def open_items() -> list[ExceptionItem]:
    return rows(ExceptionItem, state="open")


def menu_count(page: str) -> str:
    """The number beside Exceptions in the menu."""
    return element(page, 'nav li:has(> a[href$="/exceptions"])').get_text()


def test_one_is_read_again_and_closes_by_itself(three_bad, empty: Sandbox, browse: Browse, at: At) -> None:
    """Rule 3.4: only this record is asked for, and it closes when it came in well."""
    mend(empty, three_bad)
    item = next(one for one in open_items() if one.subject_key == str(three_bad[0]))
    empty.clear_requests()

    browse("manager").post(at(f"/exceptions/{item.id}/act"), data={"action": "retry"})
    (run,) = rows(SyncRun, trigger="retry")
    perform.perform(run.id)

    assert item.id not in [one.id for one in open_items()]
    assert {row.autotask_id for row in rows(Invoice)} >= {three_bad[0]}
    assert run.checkpoint["reread"] == {"invoice": [three_bad[0]]}


def test_all_of_a_cause_are_read_again_in_one_run(three_bad, empty: Sandbox, browse: Browse, at: At) -> None:
    assert len(open_items()) == 3
    mend(empty, three_bad)
    browser = browse("manager")

    browser.post(at("/exceptions/retry"), data={"cause": "bad_record"})
    (run,) = rows(SyncRun, trigger="retry")
    perform.perform(run.id)

    assert open_items() == []
    assert len(rows(Invoice)) == 60
    assert "Nothing needs you." in browser.get(at("/exceptions")).text


def test_many_are_resolved_with_one_reason_and_taken_back(three_bad, browse: Browse, at: At) -> None:
    ids = [str(item.id) for item in open_items()]
    browser = browse("clerk")
    page = browser.get(at("/exceptions")).text
    assert "3" in menu_count(page)

    browser.post(at("/exceptions/resolve"), data={"item": ids[:2], "reason": "Known, mended next week"})

    assert [str(item.id) for item in open_items()] == ids[2:]
    resolved = rows(ExceptionItem, state="resolved")
    assert {item.resolution for item in resolved} == {"Known, mended next week"}
    assert rows(AuditEvent, event="exceptions.resolved")[0].details["ids"] == [int(one) for one in ids[:2]]
    browser.post(at("/exceptions/reopen"), data={"item": ids[:2]})
    assert len(open_items()) == 3


def test_resolving_without_a_reason_keeps_the_ticks_and_says_so(three_bad, browse: Browse, at: At) -> None:
    ids = [str(item.id) for item in open_items()]
    browser = browse("clerk")
    asked = browser.post(at("/exceptions/resolve"), data={"item": ids[:2], "reason": "No"})
    assert asked.status_code == 422
    assert "Say why in at least 5 characters. Nothing was resolved." in asked.text
    assert 'value="No"' in asked.text
    boxes = BeautifulSoup(asked.text, "lxml").select("input[name=item][form=bulk][checked]")
    ticked = [str(box["value"]) for box in boxes]
    assert sorted(ticked) == sorted(ids[:2])
    alone = browser.post(at("/exceptions/resolve"), data={"item": ids[0], "alone": "yes", "reason": ""})
    assert (alone.status_code, "Resolve with this reason" in alone.text) == (422, True)
    assert len(open_items()) == 3


def test_what_somebody_else_closed_meanwhile_is_said_so(three_bad, browse: Browse, at: At) -> None:
    browser, ids = browse("manager"), [str(one.id) for one in open_items()]
    data = {"item": ids[0], "reason": "The customer called"}
    browser.post(at("/exceptions/resolve"), data=data)
    old_tab = browser.post(at("/exceptions/resolve"), data=data).text
    assert "What you chose was closed in the meantime. Nothing was resolved." in old_tab
    none = browser.post(at("/exceptions/resolve"), data={"reason": "The customer called"}).text
    assert "Choose at least one open exception. Nothing was resolved." in none


def test_what_was_resolved_stays_so_until_it_is_bad_in_another_way(
    three_bad, empty: Sandbox, browse: Browse, at: At
) -> None:
    """Rule 3.4: one open item for a record and cause; a decision holds while nothing changes."""
    ids = [str(item.id) for item in open_items()]
    browse("clerk").post(at("/exceptions/resolve"), data={"item": ids, "reason": "Known, mended next week"})

    sync(rows(Integration)[0])
    assert open_items() == []
    empty.change_invoice(three_bad[0], companyID=999_999)
    for _ in range(2):
        sync(rows(Integration)[0])

    assert [item.subject_key for item in open_items()] == [str(three_bad[0])]


def test_a_reader_sees_them_and_decides_nothing(three_bad, browse: Browse, at: At) -> None:
    browser = browse("reader")
    page = browser.get(at("/exceptions")).text
    assert "Resolve" not in page
    for path in ("resolve", "reopen", "retry", f"{open_items()[0].id}/act"):
        assert browser.post(at(f"/exceptions/{path}"), data={}).status_code == 403
