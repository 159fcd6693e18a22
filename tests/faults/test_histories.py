"""Random histories on a real database: payments, edits on both sides, lost workers, lost answers, late writes.

HISTORIES=20000 plays more; a failing one is printed as the calls that lead to it and replays by its seed.
"""

import os
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from portal import ledger
from portal.access import audit
from portal.access.tenancy import scoped, tenant_scope
from portal.autotask.errors import AutotaskError, Unavailable
from portal.extensions import db
from portal.models import Allocation, Delivery, DeliveryState, Invoice, Payment
from portal.reconcile import mirror, payments, steps, sweep
from portal.reconcile.decide import reading_of
from portal.reconcile.steps import Phase, Work
from portal.reconcile.store import SqlStore, clock_timestamp
from tests import factories
from tests.reconcile.model import item

HISTORIES = int(os.environ.get("HISTORIES", "120"))
SHARES = 4  # among the workers of a test run
STEPS_EACH = 30
DAYS = st.sampled_from([date(2026, 11, 18), date(2026, 11, 19), date(2026, 11, 20)])
PEOPLES_DAYS = (
    date(2026, 12, 1),
    date(2026, 12, 2),
)  # never a payment's, so that theirs can be told from ours
TOTAL = 100


class Vendor:
    """One invoice in Autotask: answers well, loses the answer, or carries the write out later."""

    def __init__(self) -> None:
        self.paid_on: date | None = None
        self.is_voided = False
        self.late: list[date | None] = []
        self.mood = "well"

    def get(self, entity: str, id: int) -> dict[str, Any]:
        assert not db.session().in_transaction(), "no transaction is open while Autotask is asked"
        if self.mood == "away":
            self.mood = "well"
            raise Unavailable("away")
        return {**item(self.paid_on), "id": id, "invoiceTotal": TOTAL, "isVoided": self.is_voided}

    def patch(self, entity: str, body: dict[str, Any]) -> None:
        assert not db.session().in_transaction(), "no transaction is open while Autotask is asked"
        mood, self.mood = self.mood, "well"
        if mood == "late":
            self.late.append(body["paidDate"])
        elif mood in ("well", "reply lost"):
            self.paid_on = body["paidDate"]
        if mood != "well":
            raise Unavailable("no answer", maybe_applied=True)

    def put(self, entity: str, body: dict[str, Any]) -> None:
        raise AssertionError("clearing by PATCH works here")


class Histories(RuleBasedStateMachine):
    """One partner, one invoice of 100, up to two workers at a time."""

    app: Flask
    superuser: psycopg.Connection

    @initialize(people=st.booleans())
    def begin(self, people: bool) -> None:
        self.context = self.app.app_context()
        self.context.push()
        self.scope = tenant_scope(factories.tenant().id)
        self.scope.__enter__()
        customer = factories.customer(factories.integration(self.app))
        self.invoice_id = factories.invoice(customer, str(TOTAL)).id
        self.vendor, self.workers = Vendor(), {}
        self.people, self.touched_by_people = people, False

    def teardown(self) -> None:
        if not hasattr(self, "scope"):
            return
        try:
            self.converges()
        finally:
            db.session.rollback()
            self.scope.__exit__(None, None, None)
            self.context.pop()

    @rule(day=DAYS, part=st.sampled_from([100, 100, 100, 60]))
    def change(self, day: date, part: int) -> None:
        """What is owed is paid, in full or in part; what is paid is deleted again."""
        alive = db.session.scalars(
            scoped(Payment).where(Payment.deleted_at.is_(None)).order_by(Payment.id)
        ).all()
        owed = self._invoice().outstanding
        if alive and (owed == 0 or part == 60):
            payments.delete(factories.ACTOR, alive[0].id, "bounced")
        elif owed:
            new = payments.NewPayment([(self.invoice_id, min(owed, Decimal(part)))], "check", day)
            try:
                payments.record(factories.ACTOR, new, scope="payment", key=f"k{os.urandom(6).hex()}")
            except payments.PaymentRefused:
                db.session.rollback()
        db.session.commit()

    @precondition(lambda self: self.people)
    @rule(day=st.sampled_from([None, *PEOPLES_DAYS]), void=st.integers(0, 9))
    def people_edit(self, day: date | None, void: int) -> None:
        """Autotask's people set or remove the paid date, or void the invoice."""
        self.vendor.is_voided = self.vendor.is_voided or void == 0
        if day != self.vendor.paid_on:
            self.vendor.paid_on, self.touched_by_people = day, True

    @rule(mood=st.sampled_from(["late", "reply lost", "lost", "away"]))
    def answer_oddly(self, mood: str) -> None:
        """The next call, or the next write, of whichever worker comes first."""
        self.vendor.mood = mood

    @rule(worker=st.integers(0, 1), count=st.sampled_from([1, 2, 3, 4, 12, 12]))
    def work(self, worker: int, count: int) -> None:
        """A worker takes what is due, or goes on with what it has, for some steps."""
        self._run(
            "UPDATE delivery SET next_try_at = now() - interval '1 second' WHERE next_try_at IS NOT NULL"
        )
        for _ in range(count):
            if worker not in self.workers:
                claim = SqlStore().claim()
                if claim is None:
                    return
                self.workers[worker] = Work(claim)
            self._advance(worker)

    @rule(what=st.sampled_from(["lease", "late", "kill 0", "kill 1"]))
    def disturb(self, what: str) -> None:
        """A lease runs out under a frozen worker, a late write arrives, a process dies."""
        if what == "lease":
            self.leases_run_out()
        elif what == "late":
            self.late_write_arrives()
        else:
            self._kill(int(what[-1]))

    @rule(by_sweep=st.booleans())
    def look(self, by_sweep: bool) -> None:
        """A sync page, or the sweep, reads the invoice."""
        self._compare(apply=by_sweep)

    def late_write_arrives(self) -> None:
        if self.vendor.late:
            self.vendor.paid_on = self.vendor.late.pop(0)

    def leases_run_out(self) -> None:
        self._run(
            "UPDATE delivery SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL"
        )

    def _kill(self, worker: int) -> None:
        """The process is gone; at the moment of sending, its write may be on the wire."""
        work = self.workers.pop(worker, None)
        if work is not None and work.phase == Phase.SEND and work.decision is not None:
            self.vendor.late.append(work.decision.paid_on)

    @invariant()
    def money_adds_up(self) -> None:
        if not hasattr(self, "invoice_id"):
            return
        invoice = self._invoice()
        paid = sum(
            a.amount
            for a in db.session.scalars(scoped(Allocation).where(Allocation.invoice_id == self.invoice_id))
            if db.session.get_one(Payment, (a.tenant_id, a.payment_id)).deleted_at is None
        )
        assert invoice.paid_amount == paid <= invoice.amount_due
        for row in db.session.scalars(scoped(Delivery)):
            assert row.done_version <= row.wish_version
            assert row.state != DeliveryState.CONFIRMED or row.done_version == row.wish_version
            assert row.state != DeliveryState.WAITING or row.next_try_at is not None
        db.session.rollback()

    def converges(self) -> None:
        """Everything calms down: late writes arrive, workers end, the sweep looks. Then both sides are right."""
        self.vendor.mood = "well"
        for _ in range(40):
            before = self._standing()
            while self.vendor.late:
                self.late_write_arrives()
            for worker in list(self.workers):
                while worker in self.workers:
                    self._advance(worker)
            self.leases_run_out()
            self.work(0, 12)
            self._compare(apply=True)
            if self._standing() == before and not self.workers:
                break
        self.is_right()

    def is_right(self) -> None:
        row = db.session.scalars(scoped(Delivery).execution_options(populate_existing=True)).first()
        if row is None:
            return
        assert row.state in (DeliveryState.CONFIRMED, DeliveryState.PARKED), row.state
        if not self.touched_by_people and not self.vendor.is_voided:
            assert self.vendor.paid_on == row.wish_paid_on
            assert row.state == DeliveryState.CONFIRMED
        if row.state == DeliveryState.PARKED:
            assert row.error_kind in ("voided", "unpaid_in_autotask", "paid_mark_changed")
        assert audit.first_break() is None
        db.session.rollback()

    def _advance(self, worker: int) -> None:
        work = self.workers[worker]
        if work.phase == Phase.SEND and work.read is not None:
            assert work.read.paid_on not in PEOPLES_DAYS, "what Autotask's people set is never overwritten"
            assert not work.read.is_voided, "nothing is written to a voided invoice"
        try:
            work = steps.advance(work, SqlStore(), self.vendor)
        except AutotaskError:
            work = Work(work.claim, phase=Phase.DONE)
        if work.phase == Phase.DONE:
            del self.workers[worker]
        else:
            self.workers[worker] = work

    def _compare(self, *, apply: bool) -> None:
        started_at = clock_timestamp()
        db.session.commit()
        self.vendor.mood = "well" if self.vendor.mood == "away" else self.vendor.mood
        key = self._invoice().autotask_id or 0
        db.session.rollback()
        read = reading_of(self.vendor.get("Invoices", key), started_at)
        if apply:
            sweep._compare({self.invoice_id: read})
            return
        mirror.write(mirror.lock(self.invoice_id), read)
        ledger.restate([self.invoice_id])
        db.session.commit()

    def _standing(self) -> tuple[Any, ...]:
        rows = db.session.scalars(scoped(Delivery).execution_options(populate_existing=True)).all()
        standing = tuple((row.state, row.wish_version, row.wish_paid_on) for row in rows)
        db.session.rollback()
        return (*standing, self.vendor.paid_on)

    def _invoice(self) -> Invoice:
        return db.session.scalars(
            scoped(Invoice).where(Invoice.id == self.invoice_id).execution_options(populate_existing=True)
        ).one()

    def _run(self, statement: str) -> None:
        db.session.rollback()
        self.superuser.execute(statement)


@pytest.mark.parametrize("share", range(SHARES))
def test_every_history_ends_right(app: Flask, superuser: psycopg.Connection, emptying: Any, share: int):
    """Issue 5: pay, edit, delete, Autotask's own edits, sync pages, kills, lost leases, late writes."""
    Histories.app, Histories.superuser = app, superuser

    class Fresh(Histories):
        def teardown(self) -> None:
            try:
                super().teardown()
            finally:
                emptying.delete()

    run_state_machine_as_test(
        Fresh,
        settings=settings(
            max_examples=max(HISTORIES // SHARES, 1),
            stateful_step_count=STEPS_EACH,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
