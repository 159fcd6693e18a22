"""Work ends while every page that shows it is open: each then says, word for word, what a reload says."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page, expect
from sqlalchemy import update

from portal import clock
from portal.attention import decisions
from portal.extensions import db
from portal.models import (
    Delivery,
    ExceptionItem,
    Integration,
    IntegrationState,
    Invoice,
    InvoicePdf,
    RunState,
    SyncRun,
    SyncSchedule,
    Tenant,
)
from tests import factories
from tests.browser import books
from tests.browser.serving import serve
from tests.browser.test_pages import signed_in

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Page]
EVERYWHERE = ("", "exceptions")
OF_A_RUN = (*EVERYWHERE, "integrations", "integrations/autotask", "sync-runs", "sync-runs/{now}",
            "integrations/autotask/preferences")  # fmt: skip
OF_A_DELIVERY = (*EVERYWHERE, "invoices?show=all", "invoices/{waiting}", "payments", "payments/{payment_waiting}",
                 "deliveries", "deliveries/{delivery}", "reconciliation", "customers/{payer}", "customers")  # fmt: skip


@pytest.fixture
def served(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Pages there ask when a test says so and not by themselves: a dozen open ones would keep the machine busy."""
    for pace in ("SOON", "LATER"):
        monkeypatch.setitem(app.jinja_env.globals, pace, 600)
    with serve(app) as address:
        yield address


def open_work(app: Flask) -> dict[str, int]:
    """The books with a first read, matching and a PDF under way."""
    ids = books.open_books(app)
    with app.app_context(), factories.inside(db.session.get_one(Tenant, ids["partner"])):
        source = db.session.query(Integration).one()
        run = SyncRun(
            tenant_id=ids["partner"], integration_id=source.id, kind="all", trigger="connect", state="running",
            started_at=clock.now(), current_item="Invoices", progress_done=120, progress_total=None,
            lease_until=clock.now() + timedelta(minutes=5),
        )  # fmt: skip
        new = SyncRun(
            tenant_id=ids["partner"], integration_id=source.id, kind="new", trigger="button", state="waiting"
        )
        pdf = InvoicePdf(tenant_id=ids["partner"], invoice_id=ids["open"], state="waiting")
        db.session.add_all([run, new, pdf])
        db.session.flush()
        delivery = db.session.query(Delivery).filter_by(invoice_id=ids["waiting"]).one()
        exception = db.session.query(ExceptionItem).first()
        assert exception is not None
        payer = db.session.get_one(Invoice, (ids["partner"], ids["waiting"])).customer_id
        ids |= {
            "now": run.id,
            "new": new.id,
            "delivery": delivery.id,
            "exception": exception.id,
            "payer": payer,
        }
        db.session.commit()
    return ids


def end_run(ids: dict[str, int]) -> None:
    values = {"invoices": {"found": 9, "created": 2, "changed": 0, "failed": 0}}
    done = {"state": RunState.COMPLETED, "finished_at": clock.now(), "items": values, "current_item": None}
    db.session.execute(update(SyncRun).where(SyncRun.id == ids["now"]).values(**done, api_calls=7))


def end_matching(ids: dict[str, int]) -> None:
    failed = {"state": RunState.FAILED, "finished_at": clock.now(), "started_at": clock.now(), "error": "No."}
    db.session.execute(update(SyncRun).where(SyncRun.id == ids["new"]).values(**failed))


def end_delivery(ids: dict[str, int]) -> None:
    books._confirm(ids["waiting"])


def end_pdf(ids: dict[str, int]) -> None:
    here = {"state": "here", "name": "INV.pdf", "size": 1000, "storage_key": "x", "fetched_at": clock.now()}
    db.session.execute(update(InvoicePdf).where(InvoicePdf.invoice_id == ids["open"]).values(**here))


def resolve(ids: dict[str, int]) -> None:
    item = db.session.get_one(ExceptionItem, (ids["partner"], ids["exception"]))
    decisions.resolve(factories.ACTOR, [item], "The customer called")


def disconnect(ids: dict[str, int]) -> None:
    gone = {"state": IntegrationState.DISCONNECTED, "disconnected_at": clock.now()}
    db.session.execute(update(Integration).values(**gone))
    db.session.execute(update(SyncSchedule).values(next_due_at=clock.now() + timedelta(days=1)))


WORK: dict[str, tuple[Callable[[dict[str, int]], None], tuple[str, ...]]] = {
    "a sync run": (end_run, OF_A_RUN),
    "matching": (end_matching, OF_A_RUN),
    "a delivery": (end_delivery, OF_A_DELIVERY),
    "a PDF": (end_pdf, ("invoices/{open}?getting=pdf", "invoices/{open}")),
    "an exception": (
        resolve,
        (*EVERYWHERE, "exceptions/{exception}", "invoices/{stuck}", "settings", "activity"),
    ),
    "the connection": (
        disconnect,
        ("", "integrations", "payments/{payment_waiting}", "deliveries/{delivery}"),
    ),
}


@pytest.mark.parametrize("kind", WORK)
def test_an_open_page_says_what_a_reload_says(
    app: Flask, served: str, open_page: OpenPage, kind: str
) -> None:
    ids = open_work(app)
    end, paths = WORK[kind]
    first = open_page()
    signed_in(app, first, served, "dana@harbour.example")
    pages = {path: first.context.new_page() for path in dict.fromkeys(paths)}
    for path, page in pages.items():
        page.goto(f"{served}/p/{books.SLUG}/{path.format(**ids)}")
    before = {path: words(page) for path, page in pages.items()}
    with app.app_context(), factories.inside(db.session.get_one(Tenant, ids["partner"])):
        end(ids)
        db.session.commit()
    changed = set()
    for path, page in pages.items():
        page.bring_to_front()
        ask(page)
        shown = words(page)
        page.reload()
        assert shown == words(page), path
        changed |= {path} if shown != before[path] else set()
    assert len(changed) >= 2, f"only {changed} showed it"


def test_an_open_page_is_not_drawn_anew_under_a_persons_hands(
    app: Flask, served: str, open_page: OpenPage
) -> None:
    ids = open_work(app)
    page = open_page()
    signed_in(app, page, served, "dana@harbour.example")
    page.goto(f"{served}/p/{books.SLUG}/exceptions")
    page.get_by_label("Reason for resolving").fill("Half a sen")
    with app.app_context(), factories.inside(db.session.get_one(Tenant, ids["partner"])):
        resolve(ids)
        db.session.commit()
    page.evaluate("document.activeElement.blur(); htmx.trigger('#live', 'live-now')")
    page.wait_for_timeout(300)
    expect(page.get_by_label("Reason for resolving")).to_have_value("Half a sen")


def test_an_open_page_asks_by_itself(
    app: Flask, served: str, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the beat itself and no nudge: what ended shows within seconds."""
    for pace in ("SOON", "LATER"):
        monkeypatch.setitem(app.jinja_env.globals, pace, 1)
    ids = open_work(app)
    page = open_page()
    signed_in(app, page, served, "dana@harbour.example")
    page.goto(f"{served}/p/{books.SLUG}/deliveries/{ids['delivery']}")
    expect(page.locator("#way")).not_to_contain_text("read back")
    with app.app_context(), factories.inside(db.session.get_one(Tenant, ids["partner"])):
        end_delivery(ids)
        db.session.commit()
    expect(page.locator("#way")).to_contain_text("read back in Autotask", timeout=15_000)


def ask(page: Page) -> None:
    """Lets the page ask whether it is still true, now instead of with its next beat."""
    page.evaluate(
        """() => new Promise((done) => {
            setTimeout(done, 2000);
            document.addEventListener("htmx:afterRequest", () => setTimeout(done, 60), { once: true });
            htmx.trigger("#live", "live-now");
        })"""
    )


def words(page: Page) -> Any:
    return page.evaluate("document.querySelector('.frame').innerText")
