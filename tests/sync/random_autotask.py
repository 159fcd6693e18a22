"""Random histories of an Autotask: what people do there to one pair of customers, event by event."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from sandbox import Sandbox

DAYS = [date(2026, 11, day) for day in (1, 15, 20)]
AMOUNTS = ["0.00", "10.00", "52.7775", "-20.00", "99.99"]
NUMBERS = ["A-1", "A-2", None]
FIRST_ID, ROOM = 1000, 10  # room between ids, for invoices that appear late
LATEST = 90  # this much below the last id; the hourly read overlaps by 100


class History:
    """Two customers, their contacts and invoices. `events` tells the reader of a failure what happened."""

    def __init__(self, sandbox: Sandbox, random: Random) -> None:
        self.sandbox, self.random = sandbox, random
        self.companies = [sandbox.add_company(companyName=name) for name in ("Contoso", "Fabrikam")]
        self.contacts: list[int] = []
        self.invoices: list[int] = []
        self.events: list[Any] = []
        self.touched = 0  # half of all things happen to the same invoice again
        for _ in range(random.randint(0, 4)):
            lines = [{"rate": "25.00", "taxDollars": "5.00"}]
            self._add(self._last_id() + ROOM, lines, createDateTime=self._hours_ago(9))

    def goes_on(self) -> None:
        """One thing happens."""
        event = self.random.choice(EVENTS)
        self.events.append((event.__name__, event(self)))

    def new(self) -> Any:
        return self._add(None, self._line())

    def appears_late(self) -> Any:
        """With an id below the last one: just made, or made hours ago and not to be seen until now."""
        hours = self.random.choice([0, 5])
        lowest = self._last_id() - LATEST if hours else FIRST_ID
        held = {row["id"] for row in self.sandbox.rows("Invoices")}
        free = [key for key in range(lowest, self._last_id() + 2) if key not in held]
        return self._add(self.random.choice(free), self._line(), createDateTime=self._hours_ago(hours))

    def paid(self) -> Any:
        return self._change(paidDate=self.random.choice(DAYS))

    def unpaid(self) -> Any:
        return self._change(paidDate=None)

    def total(self) -> Any:
        return self._change(invoiceTotal=self.random.choice(AMOUNTS))

    def due(self) -> Any:
        return self._change(dueDate=self.random.choice(DAYS))

    def number(self) -> Any:
        return self._change(invoiceNumber=self.random.choice(NUMBERS))

    def moved(self) -> Any:
        return self._change(companyID=self.random.choice(self.companies))

    def voided(self) -> Any:
        return self._with_invoice(self.sandbox.void_invoice, voided=False)

    def removed(self) -> Any:
        return self._with_invoice(self.sandbox.remove_invoice)

    def line_added(self) -> Any:
        return self._with_invoice(
            lambda key: self.sandbox.add_line(invoiceID=key, **self._line()[0]), voided=False
        )

    def line_removed(self) -> Any:
        return self._with_invoice(
            lambda key: [self.sandbox.remove_line(line["id"]) for line in self.sandbox.lines(key)[:1]]
        )

    def renamed(self) -> Any:
        company = self.random.choice(self.companies)
        return self.sandbox.change_company(company, companyName=self.random.choice(["North", "South"]))

    def new_customer(self) -> Any:
        self.companies.append(self.sandbox.add_company(companyName="Another"))

    def new_contact(self) -> Any:
        self.contacts.append(self.sandbox.add_contact(companyID=self.random.choice(self.companies)))

    def contact_changed(self) -> Any:
        if self.contacts:
            key, company = self.random.choice(self.contacts), self.random.choice(self.companies)
            return self.sandbox.change_contact(
                key, companyID=company, lastName=self.random.choice(["A", "B"])
            )
        return None

    def _add(self, key: int | None, lines: list[dict[str, Any]], **named: Any) -> int:
        if key is not None:
            named["id"] = key
        company, number = self.random.choice(self.companies), self.random.choice(NUMBERS)
        made = self.sandbox.add_invoice(companyID=company, invoiceNumber=number, lines=lines, **named)
        self.invoices.append(made)
        return made

    def _change(self, **values: Any) -> Any:
        return self._with_invoice(lambda key: self.sandbox.change_invoice(key, **values)), values

    def _with_invoice(self, act: Callable[[int], Any], voided: bool = True) -> int | None:
        rows = [row for key in self.invoices if (row := self.sandbox.invoice(key))]
        held = [row["id"] for row in rows if voided or not row["isVoided"]]
        if not held:
            return None
        if self.touched not in held or self.random.random() < 0.5:
            self.touched = self.random.choice(held)
        act(self.touched)
        return self.touched

    def _line(self) -> list[dict[str, Any]]:
        return [{"rate": self.random.choice(AMOUNTS)}]

    def _hours_ago(self, hours: int) -> datetime:
        return self.sandbox.clock.now() - timedelta(hours=hours)

    def _last_id(self) -> int:
        return max((row["id"] for row in self.sandbox.rows("Invoices")), default=FIRST_ID)


EVENTS: list[Callable[[History], Any]] = [
    History.new, History.appears_late, History.paid, History.unpaid, History.total, History.due,
    History.number, History.moved, History.voided, History.removed, History.line_added,
    History.line_removed, History.renamed, History.new_customer, History.new_contact, History.contact_changed,
]  # fmt: skip
