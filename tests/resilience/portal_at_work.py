"""A portal on a database of its own, with people, invoices in Autotask, and what each column of the table does in it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import psycopg
import pyotp
from flask import Flask
from rq.serializers import JSONSerializer

from jobs.bell_queue import BellQueue
from jobs.due_work import watches
from jobs.poll import Poller
from jobs.queue_worker import PatientSimpleWorker
from portal import clock
from portal.access.tenancy import scoped, tenant_scope
from portal.extensions import db
from portal.models import Delivery, Payment
from portal.queue import DELIVERIES, SYNCS, bell, worker_redis
from portal.queue.job import JsonJob
from portal.sync import runs
from portal.web.outages import WORDS, Outage
from sandbox import Sandbox
from tests import factories
from tests.fixtures.people import with_factor_proved
from tests.reading import words_of
from tests.resilience.making_ready import PDF, SECRET, Row
from tests.resilience.table import LATER, SAYS_SO, WORKS

BY_CODE = "by a recovery code"


@dataclass
class AtWork:
    """The portal, its Autotask, and who works for it: `by` is the poller, with or without a schedule to make, or a worker."""

    app: Flask
    autotask: Sandbox
    superuser: psycopg.Connection[Any]
    partner_id: int
    customer: tuple[int, int]
    by: str = "poller"
    skew: float = 0.0
    meanwhile: Callable[[], AbstractContextManager[None]] = nullcontext

    def inside(self, work: Callable[[], Any]) -> Any:
        with self.app.app_context(), tenant_scope(self.partner_id):
            return work()

    # Who works.

    def go_round(self, *names: str) -> Poller:
        """One round of the poller, of these watches, without leaving anything to workers first."""
        wanted = [watch for watch in watches() if watch.name in names]
        for watch in wanted:
            watch.patience = 0.0
        poller = Poller(self.app, wanted)
        poller.look_around()
        for thread in list(poller.running.values()):
            thread.join(60)
        return poller

    def hear(self, queue: str, path: str, *ids: int) -> None:
        """A worker hears the bell, and ends."""
        with self.app.app_context():
            assert bell(queue, path, *ids)
            worker = PatientSimpleWorker(
                [queue],
                connection=worker_redis(),
                queue_class=BellQueue,
                job_class=JsonJob,
                serializer=JSONSerializer,
            )
            worker.app = self.app
        worker.work(burst=True, logging_level="ERROR")

    # The columns. Each says what became of it, in the words of the table.

    def log_in(self, row: Row) -> str:
        client = self.app.test_client()
        step = client.post("/login", data={"email": row.email, "password": factories.PASSWORD})
        if step.status_code == 503:
            return self.said(step)
        real = clock.now().timestamp() - self.skew
        answer = client.post("/prove", data={"code": pyotp.TOTP(SECRET).at(int(real))})
        if by_code := answer.status_code == 422:
            answer = client.post("/prove", data={"code": row.codes[0]})
        assert (answer.status_code, client.get("/p/northwind/invoices").status_code) == (303, 200)
        return BY_CODE if by_code else WORKS

    def see_invoices(self, row: Row) -> str:
        answer = row.owner.get("/p/northwind/invoices")
        return self.said(answer, answer.status_code == 200 and "INV-" in answer.text)

    def see_pdf(self, row: Row) -> str:
        answer = row.owner.get(f"/p/northwind/invoices/{row.open_id}/pdf")
        if answer.status_code == 303:
            assert "could not be reached" in row.owner.get(answer.location).text
            return "says so"
        return self.said(answer, answer.data == PDF)

    def record(self, row: Row) -> str:
        data = {
            "customer": str(self.customer[0]), "key": f"a-key-of-invoice-{row.open_id}",
            "amount": f"{row.open_id % 90 + 1}.00", "paid_on": clock.today("UTC").isoformat(), "method": "check",
            "reference": "", "note": "",
        }  # fmt: skip
        answer = row.owner.post("/p/northwind/payments", data=data)
        if answer.status_code == 303:
            row.recorded.append(int(answer.location.rpartition("/")[2].partition("?")[0]))
        return self.said(answer, answer.status_code == 303)

    def delete(self, row: Row) -> str:
        answer = row.owner.post(
            f"/p/northwind/payments/{row.payment_id}/delete", data={"reason": "typed twice"}
        )
        row.is_deleted = answer.status_code == 303
        return self.said(answer, row.is_deleted)

    def deliver(self, row: Row) -> str:
        if self.by == "worker":
            self.hear(DELIVERIES, "jobs.deliver.deliver_due", self.partner_id)
        elif self.go_round("deliveries").away_since is not None:
            return LATER
        return WORKS if self.inside(lambda: self._delivery(row).is_confirmed) else LATER

    def sync(self, row: Row) -> str:
        if self.by == "schedule":
            row.run_id = self._due_run()
        if self.by == "worker":
            self.hear(SYNCS, "jobs.sync.run_sync", self.partner_id, row.run_id)
        elif self.go_round("syncs").away_since is not None:
            return LATER
        return {"completed": WORKS, "waiting": LATER}[self.inside(lambda: runs.get(row.run_id).state)]

    def _due_run(self) -> int:
        """Of the schedule, in place of the one that was pressed."""
        self.superuser.execute("DELETE FROM sync_run WHERE state = 'waiting'")
        self.superuser.execute("UPDATE sync_schedule SET next_due_at = now() WHERE kind = 'new'")
        self.go_round("schedules")
        (number,) = self.superuser.execute("SELECT id FROM sync_run WHERE state = 'waiting'").fetchone()  # type: ignore[misc]
        return int(number)

    def export(self, row: Row) -> str:
        answer = row.owner.get("/p/northwind/invoices/export.csv")
        return self.said(answer, answer.status_code == 200 and "INV-" in answer.text)

    def support_visit(self, row: Row) -> str:
        wish = {"reason": "An invoice still shows as unpaid", "ticket": "T-1", "minutes": "30"}
        answer = row.staff.post("/staff/partners/northwind/visit", data=wish)
        return self.said(
            answer, answer.status_code == 303 and row.staff.get("/p/northwind/invoices").status_code == 200
        )

    def said(self, answer: Any, is_well: bool = False) -> str:
        if answer.status_code == 503:
            assert WORDS[Outage.AWAY].title in answer.text
            return SAYS_SO
        assert is_well, (answer.status_code, words_of(answer.text)[-1500:])
        return WORKS

    # And then.

    def _delivery(self, row: Row) -> Delivery:
        db.session.expire_all()
        return db.session.scalars(scoped(Delivery).where(Delivery.invoice_id == row.due_id)).one()

    def all_is_done(self, row: Row) -> None:
        """The part is back: what waited is done by itself, and nothing was lost or made twice."""
        self.superuser.execute("UPDATE delivery SET next_try_at = now() WHERE next_try_at IS NOT NULL")
        self.superuser.execute("UPDATE sync_run SET next_try_at = NULL WHERE state = 'waiting'")
        # One after the other: a row that a sync holds just then is delivered in the poller's next round.
        self.go_round("syncs")
        self.go_round("deliveries")
        assert self.inside(lambda: self._delivery(row).is_confirmed)
        assert self.inside(lambda: runs.get(row.run_id).state) == "completed"
        paid = self.inside(
            lambda: {
                one.id for one in db.session.scalars(scoped(Payment).where(Payment.deleted_at.is_(None)))
            }
        )
        assert set(row.recorded) <= paid
        assert (row.payment_id in paid) != row.is_deleted
        # A cookie that was signed at a later time than now opens nothing: whoever was there logs in once more.
        row.owner = with_factor_proved(self.app.test_client(), row.email)
        assert (self.see_invoices(row), self.see_pdf(row)) == (WORKS, WORKS)
