"""Invoices over the last months, with their lines, paid dates and the oddities that real ones have."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sandbox.schema import ENTITIES
from sandbox.seed.catalogue import COVERED, DISCOUNT, RECURRING, VARIABLE, Catalogue, Line
from sandbox.seed.companies import Customer
from sandbox.seed.reference import OWNER, REGION_NAMES, TERM_DAYS
from sandbox.store.rows import Row, Shape
from sandbox.world import World

FIRST_INVOICE, FIRST_LINE, FIRST_NUMBER = 10_001, 500_001, 4_100
OWN = (
    "id",
    "batchID",
    "comments",
    "companyID",
    "createDateTime",
    "dueDate",
    "fromDate",
    "invoiceDateTime",
    "invoiceNumber",
    "invoiceTotal",
    "isVoided",
    "orderNumber",
    "paidDate",
    "paymentTerm",
    "taxGroup",
    "taxRegionName",
    "toDate",
    "totalTaxValue",
    "voidedByResourceID",
    "voidedDate",
)
COMMON = {"creatorResourceID": OWNER, "invoiceEditorTemplateID": 101, "invoiceStatus": 1}
# Every sixtieth invoice is one of each, so that sixty show them all.
CREDIT, ZERO_TOTAL, VOIDED, NO_NUMBER, REPEATED_NUMBER, REFUND_LINE = 11, 23, 31, 43, 55, 17
NOTHING = Decimal("0.0000")
CHANCE_PAID = [(0, 0.22), (30, 0.66), (90, 0.92), (10_000, 0.985)]


def sow(world: World, draw: random.Random, customers: list[Customer], count: int, today: date) -> None:
    """Adds `count` invoices, ascending in time, with about four lines each."""
    maker = _Maker(draw, customers, count, today, with_tax=world.switches.totals == "with_tax")
    lines: list[Row] = []
    world.db["Invoices"].load(maker.invoices(lines))
    world.db["BillingItems"].load(lines)


class _Maker:
    def __init__(
        self, draw: random.Random, customers: list[Customer], count: int, today: date, with_tax: bool
    ) -> None:
        self.draw = draw
        self.customers = customers
        self.count = count
        self.today = today
        self.with_tax = with_tax
        self.days = max(120, min(730, 30 * count // max(1, len(customers))))
        self.catalogue = Catalogue()
        self.shape = Shape(ENTITIES["Invoices"], OWN, COMMON)
        self.baskets = {one.id: self._basket(one) for one in customers}
        self.line_id = FIRST_LINE
        self.stamps: dict[date, str] = {}

    def _basket(self, customer: Customer) -> list[Line]:
        """The services that this customer is billed every month."""
        items = self.draw.sample(RECURRING, self.draw.choice([2, 3, 3, 4]))
        return [self.catalogue.line(self.draw, item, customer.currency, customer.region) for item in items]

    def invoices(self, lines: list[Row]) -> Iterator[Row]:
        order = list(self.customers)
        key = FIRST_INVOICE
        for at in range(self.count):
            if at % len(order) == 0:
                self.draw.shuffle(order)
            key += self.draw.choice((1, 1, 1, 2, 5)) if at else 0
            day = self.today - timedelta(days=self.days - self.days * (at + 1) // self.count)
            yield self._invoice(at, key, order[at % len(order)], day, lines)

    def _invoice(self, at: int, key: int, customer: Customer, day: date, lines: list[Row]) -> Row:
        kind = at % 60
        chosen = self._lines_of(kind, customer)
        net = sum((one.net for one in chosen), NOTHING)
        tax = sum((one.tax for one in chosen), NOTHING)
        voided = kind == VOIDED
        self._add_lines(lines, chosen, customer.id, None if voided else key, day)
        due = day + timedelta(days=TERM_DAYS[customer.term])
        stamp = self._stamp(day)
        values: tuple[Any, ...] = (
            key,
            2_000 + at // 12,
            "Thank you for your business." if at % 7 == 0 else None,
            customer.id,
            f"{day}T{9 + at % 8:02d}:{at % 60:02d}:{at * 7 % 60:02d}.{at % 1000:03d}",
            self._stamp(due),
            self._stamp(day.replace(day=1)),
            stamp,
            self._number(at, kind),
            net + tax if self.with_tax else net,
            voided,
            f"PO-{at * 37 % 9000 + 1000}" if at % 5 == 0 else "",
            None if voided else self._paid(customer, day, due, net),
            customer.term,
            customer.region,
            REGION_NAMES[customer.region],
            stamp,
            tax,
            OWNER if voided else None,
            f"{min(day + timedelta(days=2), self.today)}T14:05:09" if voided else None,
        )
        return Row(self.shape, values)

    def _lines_of(self, kind: int, customer: Customer) -> list[Line]:
        def line(item: Any) -> Line:
            return self.catalogue.line(self.draw, item, customer.currency, customer.region)

        if kind == CREDIT:
            return [line(DISCOUNT), line(DISCOUNT)]
        if kind == ZERO_TOTAL:
            return [line(COVERED), line(COVERED)]
        extra = [line(self.draw.choice(VARIABLE)) for _ in range(self.draw.choice((0, 0, 1, 1, 2, 2)))]
        if kind == REFUND_LINE:
            extra.append(line(DISCOUNT))
        return self.baskets[customer.id] + extra

    def _add_lines(
        self, lines: list[Row], chosen: list[Line], company: int, invoice: int | None, day: date
    ) -> None:
        stamp = self._stamp(day)
        for order, line in enumerate(chosen, 1):
            keys = (self.line_id, company, invoice, stamp, stamp, stamp, order)
            lines.append(Row(line.shape, keys + line.amounts))
            self.line_id += 1

    def _number(self, at: int, kind: int) -> str | None:
        if kind == NO_NUMBER or (at >= self.count - 2 and self.count > 10):
            return None if at % 2 else ""
        if kind == REPEATED_NUMBER:
            at -= 1
        return f"INV-{FIRST_NUMBER + at}"

    def _paid(self, customer: Customer, day: date, due: date, net: Decimal) -> str | None:
        if net <= 0:
            return None
        late = (self.today - due).days - (45 if customer.pays_late else 0)
        chance = next(share for limit, share in CHANCE_PAID if late <= limit)
        if self.draw.random() >= chance or day >= self.today:
            return None
        taken = self.draw.randrange(1, 20 + TERM_DAYS[customer.term])
        paid = day + timedelta(days=taken)
        return self._stamp(paid) if paid <= self.today else None

    def _stamp(self, day: date) -> str:
        found = self.stamps.get(day)
        if found is None:
            found = self.stamps[day] = f"{day.isoformat()}T00:00:00"
        return found
