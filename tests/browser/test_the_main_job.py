"""The main job in a real browser: connect, see invoices come in, pay, watch Autotask agree, delete, watch it cleared."""

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal

import pyotp
import pytest
from flask import Flask
from playwright.sync_api import Page, expect
from werkzeug.utils import import_string

from sandbox import Sandbox
from tests import factories
from tests.browser.serving import serve

pytestmark = [pytest.mark.browser, pytest.mark.sandbox(customers=3, invoices=6)]
OpenPage = Callable[..., Page]
EMAIL = "dana@northwind.example"


@pytest.fixture
def workers(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each bell starts a thread that does the job at once, as a free worker would."""
    busy: list[threading.Thread] = []

    def work(job_path: str, ids: tuple[int, ...]) -> None:
        with app.app_context():
            import_string(job_path)(*ids)

    def ring(_: str, job_path: str, *ids: int) -> bool:
        busy.append(threading.Thread(target=work, args=(job_path, ids), daemon=True))
        busy[-1].start()
        return True

    for name in ("portal.queue.bell", "portal.sync.runs.bell"):
        monkeypatch.setattr(name, ring)
    yield
    for thread in busy:
        thread.join(20)


@pytest.fixture
def served(app: Flask, workers: None, sandbox: Sandbox) -> Iterator[str]:
    with app.app_context():
        factories.member(
            factories.tenant(slug="northwind", name="Northwind"), email=EMAIL, name="Dana Whitfield"
        )
    with serve(app) as address:
        yield address


def test_a_payment_reaches_autotask_and_its_deletion_too(
    served: str, sandbox: Sandbox, open_page: OpenPage
) -> None:
    """Rules 1.3, 5.4, 5.5 and 5.6, through the pages' own forms."""
    page = open_page()
    log_in(page, served)
    connect(page, served, sandbox)
    number, theirs = open_first_invoice(page, served, sandbox)
    owed = amount_of(page)
    part = (owed / 3).quantize(Decimal("0.01"))

    pay(page, part, f"{number} stays unpaid in Autotask until it is fully paid.")
    expect(page.get_by_text("There is nothing to send to Autotask yet.")).to_be_visible()
    assert sandbox.invoice(theirs)["paidDate"] is None

    page.get_by_role("link", name=number).first.click()
    pay(page, owed - part, f"Autotask will show {number} as paid on")
    expect(page.get_by_text("Confirmed in Autotask at")).to_be_visible(timeout=15000)
    assert sandbox.invoice(theirs)["paidDate"]
    expect(page.get_by_text("confirmed in Autotask, paid on")).to_be_visible()

    page.get_by_text("More actions").locator("..").click()
    page.get_by_role("link", name="Delete this payment").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Autotask will show it as unpaid again.")
    dialog.get_by_label("Reason").fill("The check bounced")
    dialog.get_by_role("button", name="Delete payment of").click()
    expect(page.get_by_text("confirmed in Autotask, unpaid again")).to_be_visible(timeout=15000)
    assert sandbox.invoice(theirs)["paidDate"] is None

    page.goto(f"{served}/p/northwind/")
    expect(page.get_by_text("Both sides agree on all")).to_be_visible()


def test_paying_and_deleting_work_without_script(served: str, sandbox: Sandbox, open_page: OpenPage) -> None:
    page = open_page(script=False)
    log_in(page, served)
    connect(page, served, sandbox)
    number, _ = open_first_invoice(page, served, sandbox)
    page.get_by_role("link", name="Record payment").first.click()
    page.get_by_label("Amount received").fill("1.00")
    page.get_by_role("button", name="Record payment").click()
    expect(page.get_by_role("heading", name="Payment of 1.00")).to_be_visible()
    page.get_by_text("More actions").locator("..").click()
    page.get_by_role("link", name="Delete this payment").click()
    page.get_by_label("Reason").fill("Typed by mistake")
    page.get_by_role("button", name="Delete payment of").click()
    expect(page.get_by_text("Reason: Typed by mistake")).to_be_visible()
    expect(page.get_by_role("link", name=number).first).to_be_visible()


def log_in(page: Page, served: str) -> None:
    page.goto(f"{served}/login")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.get_by_role("link", name="Use an authenticator app").click()
    page.get_by_text("I cannot scan it").click()
    page.get_by_label("Code that the app shows now").fill(pyotp.TOTP(page.locator(".key").inner_text()).now())
    page.get_by_role("button", name="Set it up").click()
    page.get_by_role("link", name="I have kept them").click()
    page.wait_for_url("**/p/northwind/")


def connect(page: Page, served: str, sandbox: Sandbox) -> None:
    page.goto(f"{served}/p/northwind/integrations/autotask/connect")
    page.get_by_label("E-mail address of your Autotask account").fill("billing@northwind.example")
    page.get_by_label("Username (Key)").fill(sandbox.username)
    page.get_by_label("Password (Secret)").fill(sandbox.secret)
    page.get_by_role("button", name="Test and connect Autotask").click()
    expect(page.get_by_text("The first sync has started.")).to_be_visible(timeout=15000)


def open_first_invoice(page: Page, served: str, sandbox: Sandbox) -> tuple[str, int]:
    """Opens the first unpaid invoice once all came in; its number and Autotask ID."""
    rows = page.locator("#invoice-list tbody tr")  # not those of other currencies
    unpaid = sum(row["paidDate"] is None for row in sandbox.rows("Invoices"))
    for _ in range(60):
        page.goto(f"{served}/p/northwind/invoices")
        if rows.count() == unpaid:
            break
        page.wait_for_timeout(250)
    link = rows.first.get_by_role("link").first
    number = link.inner_text()
    link.click()
    theirs = page.locator("#facts code").first.inner_text()
    return number, int(theirs)


def amount_of(page: Page) -> Decimal:
    words = page.locator("main .page-state").inner_text()
    return Decimal(words.split("\N{NO-BREAK SPACE}")[0].replace(",", ""))


def pay(page: Page, amount: Decimal, sentence: str) -> None:
    typed = f"{amount:.2f}"
    page.get_by_role("link", name="Record payment").first.click()
    page.get_by_label("Amount received").fill(typed)
    expect(page.get_by_text(sentence)).to_be_visible()
    page.get_by_role("button", name="Record payment of").click()
    expect(page.get_by_role("heading", name="Payment of")).to_be_visible()
    expect(page.get_by_text("recorded.")).to_be_visible()
