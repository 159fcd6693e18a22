"""bin/demo --check: the main job through the pages' own forms, with Autotask watched from its own side.

Run by local/demo_run.py as `python -m local.demo_check WEB_ADDRESS`; exits 0, or 1 with what failed.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

import requests

from local import demo_data
from local.autotask_side import AutotaskSide
from local.visitor import NotOnPage, Page, Visitor
from sandbox.embed import SECRET, USERNAME

HOME = f"/p/{demo_data.SLUG}"
SYNC_SECONDS, ANSWER_SECONDS = 180, 60
MONEY = r"([\d,]+\.\d+)(?: [A-Z]{3})?"
# "10.00 EUR of 40.00 EUR outstanding", "$40.00 outstanding"
MATCHES = re.compile(
    r"Matched 5 .*Several could be meant 1 .*Found, but different 1 .*Not found in Autotask 1 "
)
OWED = re.compile(rf"{MONEY}(?: of \S*?{MONEY})? outstanding")
T = TypeVar("T")


@dataclass(frozen=True)
class Invoice:
    """The invoice that is paid: its page, its Autotask ID, and what is owed on it."""

    address: str
    autotask_id: str
    outstanding: Decimal


class Check:
    """The steps in the order of the main job; each prints what it saw."""

    def __init__(self, web: str, login: tuple[str, str], has_files: bool) -> None:
        self.has_files = has_files
        self.visitor = Visitor(web)
        self.login = login
        self.autotask = AutotaskSide(
            os.environ["AUTOTASK_DISCOVERY_URL"], *login, os.environ.get("AUTOTASK_INTEGRATION_CODE", "")
        )

    def run(self) -> None:
        self.log_in()
        self.wait_for_first_sync(self.connect())
        invoice = self.choose_invoice()
        part = (invoice.outstanding / 3).quantize(Decimal("0.01"))  # equal parts would be asked about
        self.pay_first_part(invoice, part)
        payment = self.pay_the_rest(invoice, invoice.outstanding - part)
        self.delete(payment, invoice)
        if self.has_files:
            self.look_at_matches()

    def log_in(self, owner: str = demo_data.address("owner")) -> None:
        page = self.visitor.open("/login")
        page = self.visitor.send(page, page.form(having="password"), email=owner, password=demo_data.PASSWORD)
        expect(
            any(one.action.endswith("/logout") for one in page.forms), "the page after logging in has Log out"
        )
        saw(f"logged in as {owner}")

    def connect(self) -> Page:
        page = self.visitor.open(f"{HOME}/integrations/autotask/connect")
        form = page.form(having="secret")
        username, secret = self.login
        typed = {"email": demo_data.address("owner"), "username": username, "secret": secret}
        choices = {"identifier": "number", "role": "primary"}
        page, seconds = timed(lambda: self.visitor.send(page, form, **typed, **choices))
        expect(
            "Autotask is connected" in page.text, f"Autotask is connected; the page says: {page.text[:300]}"
        )
        saw(f"Autotask tested and connected in {seconds:.1f} s")
        return page

    def wait_for_first_sync(self, connected: Page) -> None:
        address = connected.link(r"/sync-runs/\d+$")

        def finished() -> Page | None:
            page = self.visitor.open(address)
            return None if 'id="under-way"' in page.html else page

        page, seconds = wait_for(finished, SYNC_SECONDS, "the first sync to end")
        expect("Completed" in page.text, f"the first sync completed; its page says: {page.text[:300]}")
        found = re.findall(r'<th scope="row">([^<]+)</th>\s*<td[^>]*data-label="Found">([\d,]+)', page.html)
        expect(
            {"Customers", "Invoices"} <= {name.strip() for name, _ in found},
            f"counts of what came in: {found}",
        )
        figures = ", ".join(f"{count} {name.strip().lower()}" for name, count in found)
        saw(f"the first sync completed within {seconds:.1f} s: {figures}")

    def choose_invoice(self) -> Invoice:
        """The first unpaid invoice of at least 2.00 whose page offers to record a payment."""
        listing = self.visitor.open(f"{HOME}/invoices?show=unpaid")
        for address in invoice_links(listing):
            page = self.visitor.open(address)
            owed = OWED.search(page.text)
            autotask_id = re.search(r"Autotask ID (\d+)", page.text)
            payable = any("/payments/new" in link for _, link in page.links)
            if owed and autotask_id and payable and amount(owed[1]) >= 2:
                return self.chosen(address, autotask_id[1], amount(owed[1]))
        raise NotOnPage(f"No unpaid invoice to pay on {listing.url}.")

    def chosen(self, address: str, autotask_id: str, outstanding: Decimal) -> Invoice:
        expect(self.autotask.paid_on(autotask_id) is None, "Autotask shows the invoice as unpaid at first")
        saw(f"invoice {autotask_id} has {outstanding:,} outstanding, and Autotask shows it as unpaid")
        return Invoice(address, autotask_id, outstanding)

    def pay_first_part(self, invoice: Invoice, part: Decimal) -> None:
        self.pay(invoice, part)
        page = self.visitor.open(invoice.address)
        left = invoice.outstanding - part
        expect(f"{left:,}" in page.text, f"{left:,} is still outstanding after {part:,} was paid")
        expect(
            self.autotask.paid_on(invoice.autotask_id) is None, "Autotask shows a part-paid invoice as unpaid"
        )
        saw(f"paid {part:,}: {left:,} outstanding, Autotask still shows it as unpaid")

    def pay_the_rest(self, invoice: Invoice, rest: Decimal) -> Page:
        page = self.pay(invoice, rest)
        day, seconds = wait_for(
            lambda: self.autotask.paid_on(invoice.autotask_id), ANSWER_SECONDS, "Autotask to show it as paid"
        )
        saw(f"paid {rest:,}: Autotask shows it as paid on {day}, {seconds:.1f} s after the form was sent")
        self.wait_for_confirmation(page)
        return page

    def delete(self, payment: Page, invoice: Invoice) -> None:
        page = self.visitor.open(payment.link(r"/delete$"))
        form = page.form(action=r"/delete$", having="reason")
        page = self.visitor.send(page, form, reason="bin/demo --check takes it back")
        _, seconds = wait_for(
            lambda: self.autotask.paid_on(invoice.autotask_id) is None,
            ANSWER_SECONDS,
            "Autotask to show it as unpaid again",
        )
        saw(f"deleted the payment: Autotask shows it as unpaid again after {seconds:.1f} s")
        page, _ = wait_for(lambda: agreeing(self.visitor.open(invoice.address)), ANSWER_SECONDS, "agreement")
        saw("the invoice's page agrees with Autotask")

    def look_at_matches(self) -> None:
        """Of the partner whose invoices came in as a file."""
        self.visitor = Visitor(self.visitor.base)
        self.log_in(demo_data.FILES_OWNER)
        address = f"/p/{demo_data.FILES_SLUG}/integrations/autotask/matching"

        def matched() -> Page | None:
            page = self.visitor.open(address)
            return None if re.search(r"Matched 0|Not looked for yet [1-9]", page.text) else page

        page, seconds = wait_for(matched, SYNC_SECONDS, "the file's invoices to be looked for in Autotask")
        expect(MATCHES.search(page.text) is not None, f"matched invoices: {page.text[:400]}")
        saw(
            f"a file's invoices are matched to Autotask's within {seconds:.1f} s: some, one several, one different"
        )

    def pay(self, invoice: Invoice, part: Decimal) -> Page:
        page = self.visitor.open(self.visitor.open(invoice.address).link("/payments/new"))
        form = page.form(action="/payments$", having="amount")
        page = self.visitor.send(page, form, amount=str(part), reference="bin/demo --check")
        expect("recorded" in page.text, f"the payment is recorded; the page says: {page.text[:300]}")
        return page

    def wait_for_confirmation(self, payment: Page) -> None:
        def confirmed() -> Page | None:
            page = self.visitor.open(payment.url)
            return page if "Confirmed in Autotask" in page.text else None

        _, seconds = wait_for(confirmed, ANSWER_SECONDS, "the payment's page to say confirmed")
        saw(f"the payment's page says confirmed, {seconds:.1f} s later")


def invoice_links(page: Page) -> list[str]:
    return [address for _, address in page.links if re.search(r"/invoices/\d+$", address)]


def agreeing(page: Page) -> Page | None:
    return page if "Autotask agrees" in page.text else None


def amount(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def expect(holds: bool, what: str) -> None:
    if not holds:
        raise NotOnPage(f"Expected: {what}.")


def timed(act: Callable[[], T]) -> tuple[T, float]:
    started = time.monotonic()
    return act(), time.monotonic() - started


def wait_for(ask: Callable[[], T | None], seconds: float, what: str) -> tuple[T, float]:
    """The first answer that is not empty, and how long it took; NotOnPage after `seconds`."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        if answer := ask():
            return answer, time.monotonic() - started
        time.sleep(0.1)
    raise NotOnPage(f"Waited {seconds:g} s for {what}, in vain.")


def saw(sentence: str) -> None:
    print(f"✓ {sentence}", flush=True)


def main(web: str) -> int:
    login = (os.environ.get("CHECK_USERNAME", USERNAME), os.environ.get("CHECK_SECRET", SECRET))
    started = time.monotonic()
    try:
        Check(web, login, has_files="CHECK_USERNAME" not in os.environ).run()
    except (NotOnPage, requests.RequestException) as error:
        print(f"✗ {error}", flush=True)
        return 1
    print(f"The main job works, end to end ({time.monotonic() - started:.1f} s).", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
