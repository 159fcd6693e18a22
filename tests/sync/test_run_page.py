"""The page of a run: people, filters, window, calls, counts, changes, skips, exceptions, progress, cancel, Retry."""

from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient

from portal import clock
from portal.access.actor import Actor, Source
from portal.extensions import db
from portal.models import Integration, SyncRun
from portal.sync import cursors, manual, perform, runs
from portal.sync.current_run import Running
from sandbox import Sandbox
from tests import factories
from tests.sync.conftest import ACTOR, one, rows, sync

Browse = Callable[..., FlaskClient]
At = Callable[[str], str]


def shown(browser: FlaskClient, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200
    return " ".join(unescape(answer.text).split())


def test_a_run_tells_who_pressed_for_whom_and_what_was_in_force(
    connect: Callable[..., Integration], sandbox: Sandbox, browse: Browse, at: At, partner: Any
) -> None:
    """Rule 3.2: trigger, by whom, on whose behalf, filters in force, window read, calls."""
    integration = connect(sandbox, filters={"active_only": True, "invoices_since": "2026-01-01"})
    sync(integration)
    owner, helper = (
        factories.member(partner, name="Olga Owner"),
        factories.user(staff=True, name="Sam Support"),
    )
    actor = Actor(source=Source.WEB, user_id=owner.id, true_user_id=helper.id)
    run = runs.start(integration, "new", "button", actor)
    db.session.commit()
    perform.perform(run.id)

    run = runs.get(run.id)
    page = shown(browse(), at(f"/sync-runs/{run.id}"))

    assert "By a button" in page
    assert "Olga Owner" in page.partition("At the keyboard")[0]
    assert "Sam Support (support)" in page.partition("At the keyboard")[2]
    assert "Only active customers." in page
    assert "Only invoices created since 1 Jan 2026." in page
    assert run.window_from is not None
    assert run.window_until is not None
    assert "Window read" in page
    assert f">{run.api_calls}<" in page.partition("Requests to Autotask")[2][:80]


def test_a_run_tells_what_it_skipped_and_why_and_what_needs_a_person(
    connect, empty: Sandbox, browse: Browse, at: At
) -> None:
    """Rules 3.2 and 3.4."""
    company = empty.add_company(companyName="Contoso", companyType=1)
    empty.add_invoice(companyID=empty.add_company(companyName="Other", companyType=2), invoiceTotal="5.00")
    for _ in range(30):
        empty.add_invoice(companyID=company, invoiceTotal="10.00")
    run = sync(connect(empty, filters={"company_types": [1]}))
    bad = empty.add_invoice(companyID=company, invoiceTotal="10.00")
    empty.change_invoice(bad, companyID=None)
    second = sync(rows(Integration)[0], "new")

    assert run.items["customers"]["created"] == 1
    page = shown(browse(), at(f"/sync-runs/{second.id}"))
    for reason, number in second.items["invoices"]["skipped_because"].items():
        assert f"{number} {reason}" in page
    assert f"Invoice {bad}" in page.partition("Needs you")[2]


def test_a_change_stands_there_with_old_and_new_value(
    connect, empty: Sandbox, browse: Browse, at: At
) -> None:
    """Rule 3.5: Fetch Unpaid Invoices corrects whatever differs, and says so field by field."""
    key = empty.add_invoice(companyID=empty.add_company(companyName="Contoso"), invoiceTotal="10.00")
    integration = connect(empty)
    sync(integration)
    empty.change_invoice(key, invoiceTotal="12.50", dueDate="2027-01-31", invoiceNumber="N-7")
    run = sync(integration, "unpaid", "button")

    browser = browse()
    for path in (f"/sync-runs/{run.id}", "/integrations/autotask/preferences"):
        page = shown(browser, at(path))
        for field, old, new in (("Amount due", "10.00", "12.50"), ("Outstanding", "10.00", "12.50")):
            row = page.partition(f'data-label="Field">{field}<')[2].partition("</tr>")[0]
            assert f'data-label="Old value" class="wide">{old}<' in row
            assert f'data-label="New value" class="wide">{new}<' in row
        assert "N-7" in page
        assert "31 Jan 2027" in page


def test_the_bar_is_honest_and_the_time_left_follows_from_what_is_done(
    connect, empty: Sandbox, browse: Browse, at: At, superuser
) -> None:
    """300 of 1,200 records in one minute leave three minutes; before five seconds nothing is foretold."""
    run = runs.start(connect(empty), "all", "button", ACTOR)
    db.session.commit()

    def under_way(seconds: int) -> str:
        superuser.execute(
            "UPDATE sync_run SET state = 'running', progress_done = 300, progress_total = 1200, lease_token = 'x',"
            " lease_until = now() + interval '1 minute', current_item = 'Invoices',"
            " started_at = now() - make_interval(secs => %s)",
            [seconds],
        )
        return shown(browser, at(f"/sync-runs/{run.id}"))

    browser = browse("manager")
    assert "left." not in under_way(2)
    page = under_way(60)
    assert "About 3 min left." in page
    assert 'aria-valuenow="25"' in page or 'value="300"' in page
    assert "Invoices" in page.partition("Under way")[2]

    browser.post(at(f"/sync-runs/{run.id}/cancel"))
    db.session.expire_all()
    assert "Stopping after this page" in shown(browser, at(f"/sync-runs/{run.id}"))


def test_a_failed_run_offers_retry_and_a_completed_one_does_not(
    connect, empty: Sandbox, browse: Browse, at: At
) -> None:
    """Rule 3.5: retrying a run that failed is not a new start."""
    integration = connect(empty)
    good = sync(integration)
    empty.forbid("Invoices")
    failed = sync(integration, "new", "button")
    assert failed.state == "failed"
    browser = browse("manager")
    assert "/retry" not in shown(browser, at(f"/sync-runs/{good.id}"))
    assert f"/sync-runs/{failed.id}/retry" in shown(browser, at(f"/sync-runs/{failed.id}"))

    browser.post(at(f"/sync-runs/{failed.id}/retry"))

    again = one(SyncRun, trigger="retry")
    assert again.retry_of_id == failed.id
    assert manual.last_press(integration, "new").id == failed.id
    assert f"Sync {failed.id}" in shown(browser, at(f"/sync-runs/{again.id}"))
    assert "/retry" not in shown(browse("reader"), at(f"/sync-runs/{failed.id}"))


@pytest.mark.parametrize(("kind", "limit"), [("new", timedelta(hours=1)), ("unpaid", timedelta(hours=12))])
def test_a_press_is_allowed_again_exactly_after_its_time(
    connect, empty: Sandbox, kind: str, limit: timedelta, superuser
) -> None:
    """Rule 3.5: the limit counts starts."""
    integration = connect(empty)
    run = sync(integration, kind, "button")
    refusal = manual.refusal(integration, kind)
    assert refusal is not None
    assert refusal.next_at == run.created_at + limit
    assert manual.spoken(refusal.next_at) in str(refusal)

    superuser.execute("UPDATE sync_run SET created_at = created_at - %s", [limit])
    db.session.expire_all()
    assert manual.refusal(integration, kind) is None


@pytest.mark.parametrize("hours_ago", [0.1, 1, 30])
def test_new_data_are_read_since_the_last_completed_read_and_never_less_than_an_hour(
    hours_ago: float,
) -> None:
    """Rule 3.5."""
    now = clock.now()
    read_until = now - timedelta(hours=hours_ago)
    cursor = cursors.Cursor(completed_at=now, read_until=read_until)

    since = cursors.window_from(cursor, now)

    assert isinstance(since, datetime)
    assert since <= now - timedelta(hours=1)
    assert since <= read_until - cursors.OVERLAP


def test_progress_never_passes_what_was_counted(
    connect: Callable[..., Integration], sandbox: Sandbox, app: Any
) -> None:
    """More came than Autotask had counted: then nobody knows how many there are, and no bar says so."""
    run_id = runs.start(connect(sandbox), "all", "connect", ACTOR).id
    db.session.commit()
    running = Running.claim(run_id)
    assert running is not None
    for done, total, words in ((100, 314, "100 of 314 records"), (1074, None, "1,074 records so far")):
        running.progress.done, running.progress.total = done, 314
        running.save()
        row = one(SyncRun)
        assert (row.progress_done, row.progress_total) == (done, total)
        for counted in (314, total):
            bar = app.jinja_env.get_template("components/progress.html").module.progress(done, counted)
            assert words in bar
            assert ("<progress" in bar) == (total is not None)


def test_a_full_sync_after_connecting_again_is_not_called_the_first(
    connect: Callable[..., Integration], sandbox: Sandbox, browse: Browse, at: At
) -> None:
    integration = connect(sandbox)
    runs.start(integration, "all", "connect", ACTOR)
    db.session.commit()
    assert "The first sync is under way." in shown(browse(), at("/integrations/autotask"))
    row = one(SyncRun)
    perform.perform(row.id)
    runs.start(one(Integration), "all", "connect", ACTOR)
    db.session.commit()
    page = shown(browse(), at("/integrations/autotask"))
    assert "A full sync is under way." in page
    assert "irst sync" not in page
