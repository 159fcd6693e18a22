"""Random operations on invoices of three currencies: the portal restates them, beside an exact calculation."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import count
from random import Random
from typing import Any

from sqlalchemy import select

from portal import ledger
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import Customer, Invoice
from tests.ledger import rounds
from tests.ledger.exact import DIGITS, Exact
from tests.ledger.rounds import DAY, Round

FIGURES = (
    Invoice.amount_due,
    Invoice.paid_amount,
    Invoice.credited_amount,
    Invoice.applied_amount,
    Invoice.settled_amount,
    Invoice.outstanding,
    Invoice.pending_amount,
)


@dataclass
class Paid:
    """A payment that counts: what it gives to each invoice, in minor units; `pending` while it is on its way."""

    id: int
    parts: dict[int, int]
    pending: bool


class Books:
    """Invoices and credits of three currencies, and what is paid and applied."""

    def __init__(self, customers: Iterable[Customer], random: Random, invoices_each: int) -> None:
        self.random, self.now = random, Round()
        self.numbers = count(1)
        self.invoices: dict[int, Exact] = {}
        self.open: dict[str, list[int]] = {}
        self.credits: dict[str, list[int]] = {}
        self.paid: list[Paid] = []
        self.used: list[tuple[int, int, int, int]] = []
        for customer in customers:
            self.open[customer.currency] = self._make(customer, invoices_each, 1)
            self.credits[customer.currency] = self._make(customer, invoices_each // 20, -1)
        self.operations: list[Callable[[], bool]] = (
            (
                [self.pay] * 45
                + [self.delete] * 15
                + [self.fail] * 12
                + [self.settle] * 12
                + [self.refund] * 12
            )
            + ([self.credit] * 8 + [self.uncredit] * 5)
            + [self.new_total] * 4
            + [self.mark] * 3
        )

    def play(self, operations: int) -> None:
        """Makes so many operations and writes them; the portal restates what they touched."""
        self.now = Round()
        done = 0
        while done < operations:
            done += self.random.choice(self.operations)()
        self.now.write(self.invoices)
        ledger.restate(sorted(self.now.touched))
        db.session.commit()

    def drift(self, ids: Iterable[int]) -> Fraction:
        """The sum of all differences between the portal's figures and the exact ones."""
        wanted = list(ids)
        query = select(Invoice.id, *FIGURES).where(
            Invoice.tenant_id == current_tenant_id(), Invoice.id.in_(wanted)
        )
        rows = db.session.execute(query).all()
        db.session.rollback()
        assert len(rows) == len(wanted)
        pairs = (pair for row in rows for pair in zip(row[1:], self.invoices[row.id].figures(), strict=True))
        return sum(
            (abs(Fraction(ours) - Fraction(exact)) for ours, exact in pairs if ours != exact), Fraction(0)
        )

    def pay(self) -> bool:
        currency = self.random.choice(list(DIGITS))
        chosen = self.random.sample(self.open[currency], self.random.choice([1, 1, 2, 3]))
        parts = {
            id: self._some(self.invoices[id].outstanding)
            for id in chosen
            if self.invoices[id].outstanding > 0
        }
        if not parts:
            return False
        payment_id, one = next(self.numbers), self.invoices[chosen[0]]
        amounts = {id: one.money(units) for id, units in parts.items()}
        pending = self.random.random() < 0.4
        row = {"id": payment_id, "customer_id": one.customer_id, "currency": currency, "method": "ach"}
        row |= {"pending": pending, "held": pending}
        self.now.payments.append({**row, "amount": sum(amounts.values()), "paid_on": DAY})
        for id, amount in amounts.items():
            self.now.allocations.append({"payment_id": payment_id, "invoice_id": id, "amount": amount})
        made = Paid(payment_id, parts, pending)
        self._count(made, parts, 1)
        self.paid.append(made)
        return True

    def delete(self) -> bool:
        return self._end(self.now.deleted)

    def fail(self) -> bool:
        """It failed, or all that was left of it came back."""
        return self._end(self.now.failed)

    def _end(self, ended: list[int]) -> bool:
        if not self.paid:
            return False
        one = self._take(self.paid)
        self._count(one, one.parts, -1)
        ended.append(one.id)
        return True

    def settle(self) -> bool:
        one = self.random.choice(self.paid) if self.paid else None
        if one is None or not one.pending:
            return False
        for id, units in one.parts.items():
            self.invoices[id].pending -= units
        one.pending = False
        self.now.settled.append(one.id)
        self.now.touched |= one.parts.keys()
        return True

    def refund(self) -> bool:
        """Some of it comes back, and some still counts."""
        one = self.random.choice(self.paid) if self.paid else None
        if one is None or one.pending:
            return False
        back = {id: self.random.randint(0, units) for id, units in one.parts.items()}
        if not 0 < sum(back.values()) < sum(one.parts.values()):
            return False
        self._count(one, back, -1)
        one.parts = {id: units - back[id] for id, units in one.parts.items()}
        money = self.invoices[next(iter(back))].money
        self.now.refunds += [(one.id, id, money(units)) for id, units in back.items() if units]
        return True

    def _count(self, one: Paid, parts: Mapping[int, int], sign: int) -> None:
        for id, units in parts.items():
            self.invoices[id].paid += sign * units
            self.invoices[id].pending += sign * units * one.pending
        self.now.touched |= parts.keys()

    def credit(self) -> bool:
        currency = self.random.choice(list(DIGITS))
        source = self.invoices[self.random.choice(self.credits[currency])]
        target = self.invoices[self.random.choice(self.open[currency])]
        most = min(-source.outstanding, target.outstanding)
        if most <= 0:
            return False
        units, number = self._some(most), next(self.numbers)
        row = {"id": number, "credit_invoice_id": source.id, "invoice_id": target.id}
        self.now.credits.append({**row, "amount": target.money(units), "applied_on": DAY})
        self._apply(source.id, target.id, units)
        self.used.append((number, source.id, target.id, units))
        return True

    def uncredit(self) -> bool:
        if not self.used:
            return False
        number, source, target, units = self._take(self.used)
        self._apply(source, target, -units)
        self.now.removed.append(number)
        return True

    def new_total(self) -> bool:
        """Autotask says another total and tax, with more digits than the currency has."""
        one = self.invoices[self.random.choice(self.open[self.random.choice(list(DIGITS))])]
        one.change(self._raw(), self._raw())
        self._changes(one)
        return True

    def mark(self) -> bool:
        """Autotask's people mark it as paid, or take that back."""
        one = self.invoices[self.random.choice(self.open[self.random.choice(list(DIGITS))])]
        one.is_marked = not one.is_marked
        self._changes(one)
        return True

    def _changes(self, one: Exact) -> None:
        self.now.changed.add(one.id)
        self.now.touched.add(one.id)

    def _apply(self, source: int, target: int, units: int) -> None:
        self.invoices[source].applied += units
        self.invoices[target].credited += units
        self.now.touched |= {source, target}

    def _some(self, most: int) -> int:
        return most if self.random.random() < 0.3 else self.random.randint(1, most)

    def _take(self, some: list[Any]) -> Any:
        place = self.random.randrange(len(some))
        some[place], some[-1] = some[-1], some[place]
        return some.pop()

    def _raw(self) -> Decimal:
        """Between a millionth and ten million, small ones as often as large ones."""
        return Decimal(self.random.randint(1, 10 ** self.random.randint(1, 13))).scaleb(-6)

    def _make(self, customer: Customer, how_many: int, sign: int) -> list[int]:
        amounts = [(sign * self._raw(), sign * self._raw()) for _ in range(how_many)]
        made = {one.id: one for one in rounds.add_invoices(customer, amounts)}
        self.invoices |= made
        return list(made)
