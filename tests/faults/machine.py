"""Random histories of two invoices on a real database. One event after the other, each drawn with its weight."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Any

import psycopg
from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from portal import ledger, own_records
from portal.autotask import records
from portal.autotask.errors import AutotaskError
from portal.extensions import db
from portal.models import Customer, Happened, Integration
from portal.payments import idempotency, life, recording
from portal.payments.idempotency import KeyReused
from portal.reconcile import by_hand, deliver, delivery_steps, due_partners, sweep, waiting_together
from portal.reconcile.decide import reading_of
from portal.reconcile.store import SqlStore, clock_timestamp
from portal.reconcile.work import Phase, Work
from portal.sync import tables, upsert
from portal.sync.task import Writer
from tests import factories
from tests.faults.books import Books, Paid
from tests.faults.vendor import CLEARING, MOODS, TAX, Vendor
from tests.faults.whereabouts import LEFT, Whereabouts

DAYS = (date(2026, 11, 18), date(2026, 11, 19), date(2026, 11, 20))
PEOPLES_DAYS = (date(2026, 12, 1), date(2026, 12, 2))  # never a payment's: theirs can be told from ours
FATES = (*["well"] * 8, "no bell", "no bell", "dies", "sent twice", "too much first", "other body")

one_of_two = st.integers(0, 1)
TOLD_BY = st.sampled_from(["bell", "poller"])
ARGUMENTS: dict[str, tuple[st.SearchStrategy[Any], ...]] = {
    "pay": (
        st.sampled_from([(0,), (1,), (0, 1)]),
        st.sampled_from(DAYS),
        st.sampled_from([1, 1, 2]),
        st.sampled_from(FATES),
        st.sampled_from(["here", "here", "on its way", "on its way and told"]),
    ),
    "becomes": (
        st.integers(0, 3),
        st.sampled_from([*["settled"] * 3, "failed", "refunded", "charged_back"]),
        st.booleans(),
    ),
    "delete": (st.integers(0, 3),),
    "edit": (st.integers(0, 3), st.sampled_from(DAYS)),
    "work": (one_of_two, TOLD_BY, st.sampled_from([2, 3, 4, 5, 6, 12])),
    "work_and_die": (one_of_two, TOLD_BY, st.integers(1, 6), st.booleans()),
    "answer_oddly": (st.sampled_from(MOODS),),
    "late_write": (one_of_two,),
    "drain": (TOLD_BY,),
    "moves": (st.sampled_from(LEFT), st.booleans()),
    "is_away": (st.booleans(), TOLD_BY),
    "leases_end": (),
    "die": (one_of_two, st.booleans()),
    "look": (st.sampled_from(["sync", "sweep"]), st.booleans()),
    "people_date": (one_of_two, st.sampled_from([None, *PEOPLES_DAYS, DAYS[1]])),
    "people_change": (one_of_two, st.sampled_from(["void", "gone", "80.125", "120", "100"])),
    "person": (one_of_two, st.sampled_from(["retry", "send_again", "clear_theirs", "keep_theirs"])),
    "put_away": (one_of_two,),
    "clock_steps": (st.integers(-30, 30),),
    "redis_is_wiped": (),
}
OFTEN = {
    "pay": 4,
    "work": 7,
    "work_and_die": 3,
    "delete": 2,
    "becomes": 3,
    "answer_oddly": 3,
    "late_write": 2,
    "look": 2,
    "drain": 3,
}
NAMES = [name for name in ARGUMENTS for _ in range(OFTEN.get(name, 1))]

TWO_INVOICES = """
    INSERT INTO invoice (tenant_id, integration_id, customer_id, autotask_id, number, autotask_number, issued_on,
        currency, total_raw, tax_raw, amount_due)
    SELECT %s, %s, %s, key, key, key, '2026-11-01', 'USD', 100, %s, %s FROM generate_series(1, 2) AS key
    RETURNING autotask_id, id"""


@st.composite
def events(draw: Callable[[Any], Any]) -> tuple[Any, ...]:
    name = draw(st.sampled_from(NAMES))
    return (name, *(draw(argument) for argument in ARGUMENTS[name]))


@dataclass
class World:
    """What the histories of a test share: made once, because making it costs more than a history."""

    integration: Integration
    customer: Customer
    run_id: int
    superuser: psycopg.Connection
    empty: Callable[[], None]
    hours_off: int = 0
    bells: list[int] = field(default_factory=list)
    there: Whereabouts = field(default_factory=Whereabouts)
    keys: Any = field(default_factory=count)


class Histories(RuleBasedStateMachine):
    """Two invoices of 119 of one customer, up to two workers, two readers, and people on both sides."""

    world: World

    @initialize(
        people=st.booleans(),
        clearing=st.sampled_from([*CLEARING[:1] * 3, *CLEARING]),
        first=st.sampled_from([(0,), (0, 1)]),
        whole=st.booleans(),
    )
    def begin(self, people: bool, clearing: str, first: tuple[int, ...], whole: bool) -> None:
        """`people`: whether Autotask's own people take part. `first`: what is paid to begin with.

        `whole`: at the end a worker goes through all that waits as it does in the portal, instead of step by step.
        """
        self.world.empty()
        self.whole = whole
        self.people, self.world.hours_off = people, 0
        self.ids = self._two_invoices()
        self.vendor = Vendor(list(self.ids), clearing)
        self.world.there.settle(self.vendor)
        self._connect()
        self.books = Books(self.world.superuser)
        self.workers: dict[int, Work] = {}
        self.pages: dict[str, tuple[Any, dict[int, Any]]] = {}
        self.handed_over: set[int] = set()
        self.pay(first, DAYS[0], 1, "well", "here")
        self.is_well = True

    # One rule, because Hypothesis would leave out half of several rules in each history.
    @rule(what=events())
    def happens(self, what: tuple[Any, ...]) -> None:
        name, *arguments = what
        self.is_well = False
        getattr(self, name)(*arguments)
        self.books.add_up()
        self.is_well = True

    def teardown(self) -> None:
        try:
            if getattr(self, "is_well", False):
                self.calms_down()
                self.books.are_right(self.vendor)
        finally:
            db.session.rollback()

    # The portal's side

    def pay(self, which: tuple[int, ...], on: date, share: int, fate: str, money: str) -> None:
        """What is owed is paid, in whole or in part; where nothing is owed, a payment is deleted."""
        rows = self.books.standing()
        owed = {rows[one].id: rows[one].outstanding for one in which if rows[one].takes_payments}
        parts = {id: (left / share).quantize(Decimal("0.01")) for id, left in owed.items() if left > 0}
        if not parts:
            return self.delete(0)
        return self._record(Paid(on, parts, money != "here", money == "on its way"), fate)

    def becomes(self, which: int, kind: str, half: bool) -> None:
        """Its money arrives or comes back; what cannot have happened is refused."""
        alive = list(self.books.payments)
        if not alive:
            return None
        number = alive[which % len(alive)]
        paid, kind = self.books.payments[number], Happened(kind)
        wanted = paid.half if half and kind in (Happened.REFUNDED, Happened.CHARGED_BACK) else None
        try:
            life.happen(factories.ACTOR, number, life.NewEvent(kind, paid.on, wanted, "said so"))
        except recording.PaymentRefused:
            arrives = kind == Happened.SETTLED
            assert arrives or kind != Happened.FAILED, "every payment can fail"
            assert paid.pending != arrives, "what is on its way arrives, what is here can be given back"
            return db.session.rollback()
        db.session.commit()
        self.books.became(number, kind, wanted)
        return by_hand.ring()

    def delete(self, which: int) -> None:
        alive = list(self.books.payments)
        if alive:
            recording.delete(factories.ACTOR, alive[which % len(alive)], "bounced")
            db.session.commit()
            del self.books.payments[alive[which % len(alive)]]
            by_hand.ring()

    def edit(self, which: int, on: date) -> None:
        """A payment is changed by deleting it and recording it anew."""
        alive = list(self.books.payments)
        if alive:
            old = self.books.payments[alive[which % len(alive)]]
            self.delete(which)
            rows = {row.id: row for row in self.books.standing() if row.takes_payments}
            owed = {id: min(part, rows[id].outstanding) for id, part in old.parts.items() if id in rows}
            parts = {id: part for id, part in owed.items() if part > 0}
            if parts:
                self._record(Paid(on, parts), "well")

    def _record(self, paid: Paid, fate: str) -> None:
        key = f"key-{next(self.world.keys)}"
        if fate == "too much first":
            self._refused(paid, {id: part + 1000 for id, part in paid.parts.items()}, key)
        payment, is_new = self._ask(paid, paid.parts, key)
        assert is_new
        if fate == "dies":
            return db.session.rollback()
        db.session.commit()
        self.books.payments[payment.id] = paid
        if fate == "sent twice":
            again, is_new = self._ask(paid, paid.parts, key)
            assert (again.id, is_new) == (payment.id, False), "the same key, the same payment"
            db.session.commit()
        if fate == "other body":
            self._refused(paid, {id: part * 2 for id, part in paid.parts.items()}, key)
        if fate != "no bell":
            by_hand.ring()
        return None

    def _ask(self, paid: Paid, parts: dict[int, Decimal], key: str) -> tuple[Any, bool]:
        method = "ach" if paid.held else "check"
        new = recording.NewPayment(
            list(parts.items()), method, paid.on, old_day_confirmed=True, pending=paid.pending
        )
        claimed = idempotency.claim("payment", key, new.body)
        is_new = claimed.answer is None
        return recording.record_once(factories.ACTOR, new, claimed), is_new

    def _refused(self, paid: Paid, parts: dict[int, Decimal], key: str) -> None:
        try:
            self._ask(paid, parts, key)
        except (recording.PaymentRefused, KeyReused):
            return db.session.rollback()
        raise AssertionError("a payment was taken that must be refused")

    def person(self, which: int, action: str) -> None:
        """Somebody uses a button of the delivery."""
        row = self.books.standing()[which]
        if row.delivery_id is None:
            return None
        try:
            getattr(by_hand, action)(factories.ACTOR, row.delivery_id)
        except by_hand.NotRetryable:
            return db.session.rollback()
        db.session.commit()
        if action == "clear_theirs":
            self.handed_over.add(row.autotask_id)
        if action == "keep_theirs":
            self.vendor.invoices[row.autotask_id].is_theirs = True
        return by_hand.ring()

    def put_away(self, which: int) -> None:
        """Somebody archives an invoice, or takes it out of the archive again."""
        row = self.books.standing()[which]
        change = own_records.restore if row.archived_at else own_records.archive
        change(factories.ACTOR, "invoice", [row.id])
        db.session.commit()
        by_hand.ring()

    # Workers

    def work(self, worker: int, told_by: str, count: int) -> None:
        """A worker takes what is due, or goes on with what it has, for some steps."""
        if worker not in self.workers and not self._is_told(told_by):
            return
        for _ in range(count):
            if worker in self.workers:
                self._advance(worker)
            elif not self._claim(worker):
                return

    def work_and_die(self, worker: int, told_by: str, count: int, on_the_wire: bool) -> None:
        self.work(worker, told_by, count)
        self.die(worker, on_the_wire)

    def _claim(self, worker: int) -> bool:
        claim = SqlStore().claim()
        if claim is not None:
            self.workers[worker] = Work(claim)
        return claim is not None

    def _is_told(self, told_by: str) -> bool:
        self._run("UPDATE delivery SET next_try_at = now() - interval '1 second' WHERE next_try_at > now()")
        if told_by == "bell" and self.world.bells:
            return bool(self.world.bells.pop())
        return self._poller_finds()

    def _poller_finds(self) -> bool:
        found = due_partners.tenants_to_deliver()
        assert set(found) <= {self.world.customer.tenant_id}
        return bool(found)

    def _advance(self, worker: int) -> None:
        work = self.workers[worker]
        if work.phase == Phase.SEND and work.read is not None:
            ours = work.read.paid_on not in PEOPLES_DAYS or work.claim.autotask_id in self.handed_over
            assert ours, "what Autotask's people set is never overwritten"
            assert not work.read.is_voided, "nothing is written to a voided invoice"
        settles = work.phase == Phase.SETTLE
        try:
            work = delivery_steps.advance(work, SqlStore(), self.vendor)
        except AutotaskError:
            work = Work(work.claim, phase=Phase.DONE)
        if settles:
            self.books.settled(work.claim.invoice_id, work.claim.wish_paid_on)
        self.workers[worker] = work
        if work.phase == Phase.DONE:
            del self.workers[worker]

    def die(self, worker: int, on_the_wire: bool) -> None:
        """A process is gone; at the moment of sending, its write may be on the wire."""
        work = self.workers.pop(worker, None)
        if work is not None:
            event(f"killed before {work.phase}")
            if work.phase == Phase.SEND and on_the_wire and work.decision is not None:
                self.vendor.late.append((work.claim.autotask_id, work.decision.paid_on))

    def drain(self, told_by: str) -> None:
        """A worker goes through all that is due, in the name of the integration."""
        if not self._is_told(told_by):
            return
        tries = sum(row.attempts for row in self.books.standing() if row.attempts)
        deliver.deliver_due()
        if self.world.there.is_away:
            self._wait_as_one(tries)

    def _wait_as_one(self, tries: int) -> None:
        rows = [row for row in self.books.standing() if row.delivery_id is not None]
        assert sum(row.attempts for row in rows) <= tries + 1, "while Autotask is away, one asks for all"
        times = {row.next_try_at for row in rows if row.state == "waiting"}
        assert len(times) <= 1, "what waits for Autotask waits as one"

    def moves(self, left: str, nobody_knows: bool) -> None:
        """The partner's Autotask has another address from now on; zone discovery may not know yet."""
        self.world.there.move(left)
        self.world.there.nobody_knows = nobody_knows
        self.drain("poller")

    def is_away(self, away: bool, told_by: str) -> None:
        self.world.there.is_away = away
        self.drain(told_by)

    def _connect(self) -> None:
        """A person connects it anew, at the address that Autotask names now."""
        self._run(
            "UPDATE integration SET state = 'connected', reconnect_reason = NULL, reconnect_since = NULL,"
            f" probe_at = NULL, zone_url = '{self.world.there.address}'"
        )
        waiting_together.mended()

    def leases_end(self) -> None:
        """Minutes have gone by."""
        self._run("UPDATE delivery SET lease_until = now() - interval '1 second' WHERE lease_until > now()")
        self._run("UPDATE call_slot SET held_until = now() - interval '1 second' WHERE held_until > now()")

    def clock_steps(self, hours: int) -> None:
        """The web server's and the worker's clock; the database's goes on."""
        self.world.hours_off = hours

    def redis_is_wiped(self) -> None:
        self.world.bells.clear()

    # Autotask's side

    def answer_oddly(self, mood: str) -> None:
        self.vendor.mood = mood

    def late_write(self, which: int) -> None:
        self.vendor.late_write_arrives(which)

    def people_date(self, which: int, on: date | None) -> None:
        """Autotask's people set or remove the paid date."""
        shown = self.vendor.invoices[list(self.ids)[which]]
        if self.people and on != shown.paid_on:
            shown.paid_on, shown.is_theirs = on, True

    def people_change(self, which: int, what: str) -> None:
        """They void the invoice, hide it or show it again, or give it another total."""
        shown = self.vendor.invoices[list(self.ids)[which]]
        if self.people and what == "void":
            shown.is_voided = True
        elif self.people and what == "gone":
            shown.is_gone = not shown.is_gone
        elif self.people:
            shown.total = Decimal(what)

    # Readers

    def look(self, by: str, at_once: bool) -> None:
        """A sync page, or the sweep, reads both invoices; what it read is kept now or some time later."""
        if by in self.pages:
            return self._lands(by)
        started_at = clock_timestamp()
        db.session.commit()
        seen = [key for key, shown in self.vendor.invoices.items() if not shown.is_gone]
        self.pages[by] = started_at, {key: self.vendor.read(key) for key in seen}
        return self._lands(by) if at_once else None

    def _lands(self, by: str) -> None:
        started_at, page = self.pages.pop(by)
        if by == "sweep":
            sweep._compare({self.ids[key]: reading_of(item, started_at) for key, item in page.items()})
            return
        owner = self.world.customer
        found = [records.invoice(item) for item in page.values()]
        rows = [tables.invoice_row(one, self.world.integration, owner.id, "USD") for one in found]
        written = upsert.write(
            tables.INVOICE,
            rows,
            Writer(self.world.integration.id, self.world.run_id),
            started_at,
            lines_read_at=None,
        )
        ledger.restate(written.changed)
        db.session.commit()

    # The end

    def calms_down(self) -> None:
        """The archive is emptied; late writes arrive, workers end, readers keep what they read, until nothing is left."""
        self.vendor.mood = "well"
        self.world.there.is_away = self.world.there.nobody_knows = False
        if self._needs_reconnecting():
            self._connect()
        self.redis_is_wiped()
        for which, row in enumerate(self.books.standing()):
            if row.archived_at:
                self.put_away(which)
        for _ in range(30):
            while self.vendor.late:
                self.late_write(0)
            for by in list(self.pages):
                self._lands(by)
            self._deliver_all()
            if not self._sweep() and not self._on_its_way() and not self.vendor.late:
                return
        raise AssertionError("it does not come to rest")

    def _needs_reconnecting(self) -> bool:
        state = self.world.superuser.execute("SELECT state FROM integration").fetchone()
        assert state is not None
        assert state[0] == "connected" or self.world.there.number > 1, "only a login that was refused is"
        return bool(state[0] != "connected")

    def _on_its_way(self) -> bool:
        return any(row.state in ("waiting", "sending") for row in self.books.standing())

    def _deliver_all(self) -> None:
        for worker in list(self.workers):
            while worker in self.workers:
                self._advance(worker)
        self.leases_end()
        if self._is_told("poller") and self.whole:
            assert deliver.deliver_due(), "the poller finds only what is due"
        elif self._poller_finds():
            assert self._claim(0), "the poller finds only what is due"
            while 0 in self.workers:
                self._advance(0)
                if 0 not in self.workers:
                    self._claim(0)

    def _sweep(self) -> int:
        """What the portal itself thinks worth a look, as soon as it thinks so."""
        self._run("UPDATE delivery SET look_at = now() - interval '1 second' WHERE look_at IS NOT NULL")
        wanted, started_at = sweep._take(), clock_timestamp()
        db.session.commit()
        seen = [key for key in wanted if not self.vendor.invoices[key].is_gone]
        readings = {wanted[key]: reading_of(self.vendor.read(key), started_at) for key in seen}
        return sweep._compare(readings) if readings else 0

    def _two_invoices(self) -> dict[int, int]:
        """Ids by Autotask id."""
        customer = self.world.customer
        values = (customer.tenant_id, customer.integration_id, customer.id, TAX, 100 + TAX)
        return dict(self.world.superuser.execute(TWO_INVOICES, values).fetchall())

    def _run(self, statement: str) -> None:
        self.world.superuser.execute(statement)
